"""Turns a flood of the same message into one line a second with a count; pure, its time is an argument.

After mediamtx's counter dumper: the first of a kind is written at once, what follows within the interval is only
counted, and the count is written when the interval ends.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
INTERVAL_NS = 1_000_000_000


@dataclass(slots=True)
class _Kind(Generic[T]):
    last_ns: int
    held: int
    newest: T | None


class RepeatCounter(Generic[T]):
    """Remembers at most `bound` kinds of message; of more, the one silent longest is forgotten and passes again."""

    def __init__(self, bound: int = 1024, interval_ns: int = INTERVAL_NS) -> None:
        if bound < 1:
            raise ValueError(f"bound must be at least 1, not {bound}")
        self._bound = bound
        self._interval_ns = interval_ns
        self._kinds: OrderedDict[Hashable, _Kind[T]] = OrderedDict()

    def offer(self, key: Hashable, item: T, now_ns: int) -> bool:
        """Whether `item` is to be written now; otherwise it is counted and comes out of `due`."""
        kind = self._kinds.get(key)
        if kind is None:
            self._kinds[key] = _Kind(now_ns, 0, None)
            return True
        if kind.held == 0 and self._over(kind, now_ns):
            kind.last_ns = now_ns
            self._kinds.move_to_end(key)
            return True
        kind.held += 1
        kind.newest = item
        return False

    def due(self, now_ns: int, *, all_of_them: bool = False) -> list[tuple[T, int]]:
        """Of each kind whose interval is over, the newest message and how many it stands for; counts begin anew."""
        found: list[tuple[T, int]] = []
        for key, kind in list(self._kinds.items()):
            if not all_of_them and not self._over(kind, now_ns):
                continue
            if kind.newest is not None:
                found.append((kind.newest, kind.held))
                kind.last_ns, kind.held, kind.newest = now_ns, 0, None
                self._kinds.move_to_end(key)
            else:
                del self._kinds[key]
        while len(self._kinds) > self._bound:
            _, oldest = self._kinds.popitem(last=False)
            if oldest.newest is not None:
                found.append((oldest.newest, oldest.held))
        return found

    def _over(self, kind: _Kind[T], now_ns: int) -> bool:
        """Also where the wall clock was set back: a message must not wait for the clock to catch up."""
        return not 0 <= now_ns - kind.last_ns < self._interval_ns

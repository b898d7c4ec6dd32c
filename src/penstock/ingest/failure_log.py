"""Says of a stream that fails again and again what a person needs: the first time, now and then how often, and its end.

A camera that is away is tried every few seconds for as long as it takes; a line for each attempt would bury what
happens to the others.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.base.clock import NS_PER_S, Clock
from penstock.base.units import format_duration

TELL_NS = 60 * NS_PER_S
"""failures of one kind are told at most this often"""


@dataclass(slots=True)
class _Kind:
    told_ns: int
    last_ns: int
    untold: int
    untold_since_utc_ns: int


class FailureLog:
    """One stream's failures, by kind. Used by one thread; there are as many kinds as the caller has names for them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kinds: dict[Hashable, _Kind] = {}
        self._away_since_ns: int | None = None
        self._failures = 0
        self._told = False

    def failed(self, kind: Hashable) -> str | None:
        """What to add to the message of this failure, or None where it is only counted.

        Nothing is added to the first of a kind, nor after a minute without any of it.
        """
        now_ns = self._clock.now_ns()
        if self._away_since_ns is None:
            self._away_since_ns, self._failures, self._told = now_ns, 0, False
        self._failures += 1
        known = self._kinds.get(kind)
        if known is None or (not known.untold and now_ns - known.last_ns >= TELL_NS):
            self._kinds[kind] = _Kind(now_ns, now_ns, 0, 0)
            self._told = True
            return ""
        known.last_ns = now_ns
        if not known.untold:
            known.untold_since_utc_ns = self._clock.utc_ns()
        known.untold += 1
        if now_ns - known.told_ns < TELL_NS:
            return None
        added = f" ({known.untold} times since {_time_of_day(known.untold_since_utc_ns)})"
        known.told_ns, known.untold = now_ns, 0
        self._told = True
        return added

    def came_back(self) -> str | None:
        """What to say now that pictures come again; None where no failure of this absence was told."""
        since_ns, self._away_since_ns = self._away_since_ns, None
        if since_ns is None or not self._told:
            return None
        away = format_duration((self._clock.now_ns() - since_ns) // 10**7 * 10**7)
        return f"back after {away}" + (f", {self._failures} attempts failed" if self._failures > 1 else "")


def _time_of_day(utc_ns: int) -> str:
    return f"{datetime.fromtimestamp(utc_ns // NS_PER_S, UTC):%Y-%m-%d %H:%M:%S} UTC"

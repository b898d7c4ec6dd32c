"""One camera's signals by name and source, each known from its capture until its validity ends.

Between two statements of one source the older one holds (sample and hold), but only while it is valid: after
that the signal is unknown. Readers that ask often hold the `Cell` instead of its name. The past is kept as long
as `history_ns` says, which is what the longest window of any rule needs; older statements leave.
"""

from collections import deque

import msgspec

from penstock.contracts.signals import Signal, SignalValue


class BlackboardStatistics(msgspec.Struct, frozen=True):
    """Cumulative counts, and what is held now."""

    stated: int
    """statements taken"""
    refused: int
    """statements older than the newest of their name and source: not taken"""
    extended: int
    """times a source's validity was extended"""
    ended: int
    """statements made unknown before their validity ran out"""
    cells: int
    """pairs of name and source ever stated or asked for"""
    kept: int
    """past statements held for lookups"""


class Cell:
    """What one source says under one name, now and in the kept past."""

    __slots__ = ("_past", "signal", "valid_until_ns")

    def __init__(self) -> None:
        self.signal: Signal | None = None
        """the newest statement; None before the first and after the camera went away"""
        self.valid_until_ns = -1
        """last instant at which `signal` is known, extensions included"""
        self._past: deque[Signal] = deque()

    def at(self, at_ns: int) -> Signal | None:
        """The statement in force at `at_ns`; None where that is unknown."""
        signal = self.signal
        if signal is not None and signal.capture_ns <= at_ns:
            return signal if at_ns <= self.valid_until_ns else None
        for past in reversed(self._past):
            if past.capture_ns <= at_ns:
                return past if at_ns <= past.valid_until_ns else None
        return None

    def _retire(self) -> None:
        signal = self.signal
        if signal is not None:
            if signal.valid_until_ns != self.valid_until_ns:
                signal = msgspec.structs.replace(signal, valid_until_ns=self.valid_until_ns)
            self._past.append(signal)
            self.signal = None

    def _forget(self, before_ns: int) -> None:
        """Drops what no instant from `before_ns` on can see any more."""
        past = self._past
        while past:
            successor = past[1] if len(past) > 1 else self.signal
            hidden = successor is not None and successor.capture_ns <= before_ns
            if not hidden and past[0].valid_until_ns >= before_ns:
                return
            past.popleft()

    def _kept(self) -> int:
        return len(self._past)


class Blackboard:
    """The signals of one camera. One thread uses it; all instants are of that camera's capture clock."""

    def __init__(self, camera: str, history_ns: int = 0) -> None:
        self.camera = camera
        self.history_ns = history_ns
        """how far before the newest statement lookups can reach; may be changed at any time"""
        self._cells: dict[tuple[str, str], Cell] = {}
        self._by_source: dict[str, list[Cell]] = {}
        self._stated = 0
        self._refused = 0
        self._extended = 0
        self._ended = 0

    def cell(self, name: str, source: str) -> Cell:
        """The cell of that name and source: the same object for ever, empty until something is stated."""
        cell = self._cells.get((name, source))
        if cell is None:
            cell = self._cells[name, source] = Cell()
            self._by_source.setdefault(source, []).append(cell)
        return cell

    def set(self, signal: Signal) -> bool:
        """Takes a statement; False, counted and not taken, where a newer one of its name and source is known.

        Raises ValueError for a signal of another camera.
        """
        if signal.camera != self.camera:
            raise ValueError(f"signal {signal.name!r} of camera {signal.camera!r} on the blackboard of {self.camera!r}")
        cell = self.cell(signal.name, signal.source)
        if cell.signal is not None and signal.capture_ns < cell.signal.capture_ns:
            self._refused += 1
            return False
        cell._retire()
        cell.signal = signal
        cell.valid_until_ns = signal.valid_until_ns
        cell._forget(signal.capture_ns - self.history_ns)
        self._stated += 1
        return True

    def value_at(self, name: str, source: str, at_ns: int) -> SignalValue | None:
        """The value at that instant; None where it is unknown: never stated, not yet, or stale."""
        cell = self._cells.get((name, source))
        signal = None if cell is None else cell.at(at_ns)
        return None if signal is None else signal.value

    def extend(self, source: str, until_ns: int) -> bool:
        """A still picture: what `source` last stated is known until `until_ns` at least; never shortens.

        Only statements of the source's newest picture are extended. False where it has none.
        """
        cells = [cell for cell in self._by_source.get(source, ()) if cell.signal is not None]
        newest_ns = max((cell.signal.capture_ns for cell in cells if cell.signal is not None), default=None)
        for cell in cells:
            if cell.signal is not None and cell.signal.capture_ns == newest_ns and until_ns > cell.valid_until_ns:
                cell.valid_until_ns = until_ns
        if newest_ns is None:
            return False
        self._extended += 1
        return True

    def end(self, at_ns: int) -> None:
        """The camera went away or began another session: nothing is known from `at_ns` on, whatever was valid.

        No extension brings it back; only a new statement does.
        """
        for cell in self._cells.values():
            if cell.signal is not None:
                cell.valid_until_ns = min(cell.valid_until_ns, at_ns - 1)
                cell._retire()
                cell._forget(at_ns - self.history_ns)
                self._ended += 1

    def statistics(self) -> BlackboardStatistics:
        return BlackboardStatistics(
            stated=self._stated,
            refused=self._refused,
            extended=self._extended,
            ended=self._ended,
            cells=len(self._cells),
            kept=sum(cell._kept() for cell in self._cells.values()),
        )

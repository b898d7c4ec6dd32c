"""When a camera's frames are captured and decoded: by arithmetic, or as they were recorded.

Frames count from 1 over the whole run, sessions and outages included, as the engine counts them. Nothing here walks
from frame to frame: the first frame after an instant is found by a division, so that frames nobody is due for cost
nothing.
"""

from bisect import bisect_left, bisect_right
from typing import Protocol

from penstock.testkit.chance_tables import MASK


class Arrivals(Protocol):
    """One camera's decoded frames."""

    lag_ns: int
    """by how much decoding is late now, for want of processor time"""

    def newest_at(self, at_ns: int) -> int:
        """Index of the newest frame decoded by then; 0 where there is none yet."""
        ...

    def first_captured(self, from_ns: int, above_index: int) -> int:
        """Index of the first frame captured at or after `from_ns` with an index above `above_index`; 0 for none."""
        ...

    def capture_ns(self, index: int) -> int: ...

    def decoded_ns(self, index: int) -> int: ...


class PacedArrivals:
    """A steady camera, in stretches: a new one begins where the camera comes back, or another part of its units is
    decoded. Only the newest stretch is known; indices go on.

    Capture instants are `step_ns` apart, shifted by the offsets of a table, which must be smaller than half a step;
    decoding takes what another table says, and `lag_ns` more (a host that is short of processor time). A frame that
    overtakes another is not held back for it: the newer one is then the newest, as with real pictures.
    """

    __slots__ = (
        "_base",
        "_ended_first_ns",
        "_ended_step_ns",
        "_first_ns",
        "_jitter",
        "_key",
        "_latency",
        "_until",
        "lag_ns",
        "step_ns",
    )

    def __init__(self, key: int, jitter_ns: tuple[int, ...], latency_ns: tuple[int, ...]) -> None:
        self._key = key
        self._jitter = jitter_ns
        self._latency = latency_ns
        self._base = 0
        self._first_ns = 0
        self._until = 0
        self.step_ns = 0
        self.lag_ns = 0
        self._ended_first_ns = 0
        self._ended_step_ns = 0
        """of the stretch before: frames up to `_base` are its"""

    def begin(self, at_ns: int, step_ns: int) -> None:
        """A stretch begins whose first frame is captured at `at_ns`. The one before must have ended."""
        self._ended_first_ns, self._ended_step_ns = self._first_ns, self.step_ns
        self._first_ns = at_ns
        self.step_ns = step_ns
        self._until = 1 << 62

    def end(self, at_ns: int) -> None:
        """No frame is captured from `at_ns` on; safe to repeat."""
        if self._until == 1 << 62:
            self._until = max(0, -(-(at_ns - self._first_ns) // self.step_ns))
            self._base += self._until
            # Counted from the new base, the stretch's frames keep their captures.
            self._first_ns += self._until * self.step_ns
            self._until = 0

    @property
    def frames(self) -> int:
        """Frames of all stretches that have ended."""
        return self._base

    def newest_at(self, at_ns: int) -> int:
        if self._until == 0:
            index = self._base
            while index > 0 and self.decoded_ns(index) > at_ns:
                index -= 1
            return index
        place = (at_ns - self._first_ns) // self.step_ns + 1
        while place >= 0 and self.decoded_ns(self._base + place + 1) > at_ns:
            place -= 1
        return self._base + place + 1 if place >= 0 else self._base

    def first_captured(self, from_ns: int, above_index: int) -> int:
        ended = self._until == 0
        if ended and above_index >= self._base:
            return 0
        place = max((from_ns - self._first_ns) // self.step_ns, above_index - self._base)
        index = self._base + (place if ended or place > 0 else 0) + 1
        while self.capture_ns(index) < from_ns:
            index += 1
        return 0 if ended and index > self._base else index

    def capture_ns(self, index: int) -> int:
        place = index - self._base - 1
        if place < 0 and self._until:
            return self._ended_first_ns + place * self._ended_step_ns + self._jitter[(index + self._key) & MASK]
        return self._first_ns + place * self.step_ns + self._jitter[(index + self._key) & MASK]

    def decoded_ns(self, index: int) -> int:
        return self.capture_ns(index) + self._latency[(index * 7 + self._key) & MASK] + self.lag_ns


class RecordedArrivals:
    """Frames as a run recorded them: `captured_ns` and `available_ns` in order of index, which counts from 1."""

    def __init__(self, captured_ns: tuple[int, ...], available_ns: tuple[int, ...]) -> None:
        self._captured = captured_ns
        self._available: list[int] = []
        latest = 0
        for at_ns in available_ns:
            latest = max(latest, at_ns)
            self._available.append(latest)
        self.lag_ns = 0

    def newest_at(self, at_ns: int) -> int:
        return bisect_right(self._available, at_ns)

    def first_captured(self, from_ns: int, above_index: int) -> int:
        index = max(bisect_left(self._captured, from_ns), above_index) + 1
        return index if index <= len(self._captured) else 0

    def capture_ns(self, index: int) -> int:
        return self._captured[index - 1]

    def decoded_ns(self, index: int) -> int:
        return self._available[index - 1] + self.lag_ns

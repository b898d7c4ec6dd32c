"""Media times of a file that is read again and again: each reading goes on where the one before it ended."""

from penstock.base.clock import NS_PER_S

DEFAULT_FPS = 25.0
"""assumed where a file declares no rate and its packets no duration"""


class Timeline:
    """Gives the packets of each reading of a file times that continue those of the reading before. Pure."""

    def __init__(self, time_base: tuple[int, int], fps: float) -> None:
        self._base = time_base
        self._interval = max(1, round(time_base[1] / ((fps or DEFAULT_FPS) * time_base[0])))
        self._first_shown: int | None = None
        self._first: tuple[int, int] | None = None
        self._offset = 0
        self._end: int | None = None
        self._last_dts: int | None = None
        self._next_shown = 0

    @property
    def interval_ns(self) -> int:
        """The declared time between two pictures."""
        return self._ns(self._interval)

    def place(self, pts: int | None, dts: int | None, duration: int) -> tuple[int | None, int | None, int, int]:
        """(pts, dts) moved to where this reading is, and (shown, decoded) in ns since the first picture."""
        shown = pts if pts is not None else dts if dts is not None else self._next_shown
        decoded = dts if dts is not None else shown
        if self._first is None:
            self._first = (shown, decoded)
            if self._last_dts is not None and self._end is not None:
                # Decode times must go on growing too, or the packets could not be put into one MP4.
                self._offset = max(self._end - shown, self._last_dts + self._interval - decoded)
        if self._first_shown is None:
            self._first_shown = shown
        self._next_shown = shown + (duration or self._interval)
        shown += self._offset
        decoded += self._offset
        end = shown + (duration or self._interval)
        self._end = end if self._end is None else max(self._end, end)
        self._last_dts = decoded
        return (
            None if pts is None else pts + self._offset,
            None if dts is None else dts + self._offset,
            self._ns(shown - self._first_shown),
            self._ns(decoded - self._first_shown),
        )

    @property
    def reading_start_ns(self) -> int:
        """When this reading's first picture is to be shown, on the scale of `place`."""
        if self._first is None or self._first_shown is None:
            return 0
        return self._ns(self._first[0] + self._offset - self._first_shown)

    def start_over(self) -> None:
        """The next packet is the file's first again."""
        self._first = None
        self._next_shown = 0

    def _ns(self, ticks: int) -> int:
        return ticks * self._base[0] * NS_PER_S // self._base[1]

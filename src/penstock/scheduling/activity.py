"""How much of its time a lane needs its model, over the last two seconds or so: for the capacity plan.

A window, not a mean that decays: when movement begins or ends, the share has followed it after two seconds and then
rests, and with it the plan. What a still scene is analysed for all the same, now and then, is a fixed share of its own.
"""

BUCKET_NS = 1_000_000_000


class Activity:
    """One lane. Time is counted, not frames: a lane that waits is offered many."""

    __slots__ = ("_before", "_began_ns", "_last", "_need_ns", "_rest", "_total_ns")

    def __init__(self, rest: float) -> None:
        """`rest`: the share that is needed where nothing moves (0–1)."""
        self._rest = rest
        self._began_ns = 0
        self._need_ns = 0
        self._total_ns = 0
        self._before = (0, 0)
        self._last = 1.0

    @property
    def share(self) -> float:
        """1.0 before the first frame, which is the careful guess."""
        return self._last

    def saw(self, elapsed_ns: int, now_ns: int, *, needed: bool) -> None:
        """For `elapsed_ns` up to `now_ns` the model was needed, or not; instants may begin anew with a session."""
        if not 0 <= now_ns - self._began_ns < BUCKET_NS:
            adjacent = BUCKET_NS <= now_ns - self._began_ns < 2 * BUCKET_NS
            self._before = (self._need_ns, self._total_ns) if adjacent else (0, 0)
            self._need_ns = self._total_ns = 0
            self._began_ns = now_ns
        self._total_ns += elapsed_ns
        if needed:
            self._need_ns += elapsed_ns
        total_ns = self._total_ns + self._before[1]
        if total_ns:
            self._last = max((self._need_ns + self._before[0]) / total_ns, self._rest)

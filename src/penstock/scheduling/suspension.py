"""A model that fails is left alone for a while, then probed: each failed probe doubles the wait."""

FIRST_NS = 1_000_000_000
LONGEST_NS = 30_000_000_000
TOLERATED_FAILURES = 2


class Suspension:
    """State of one model. The first failures in a row are tolerated: one bad frame stops nothing."""

    __slots__ = ("_absent", "_failures", "_until_ns")

    def __init__(self) -> None:
        self._absent = True
        self._failures = 0
        self._until_ns = 0

    def failed(self, now_ns: int) -> None:
        """A call failed. Those that were under way when the wait began say nothing new."""
        if now_ns < self._until_ns:
            return
        self._failures += 1
        if self._failures > TOLERATED_FAILURES:
            step = min(self._failures - TOLERATED_FAILURES - 1, 10)
            self._until_ns = now_ns + min(FIRST_NS << step, LONGEST_NS)

    def hung(self, now_ns: int) -> None:
        """A call never came back: none is tolerated, for each costs the executor."""
        self._failures = max(self._failures, TOLERATED_FAILURES)
        self.failed(now_ns)

    def leave(self) -> None:
        """The model is not loaded anywhere."""
        self._absent = True

    def arrive(self) -> None:
        """The model is loaded; a wait that its failures earned it goes on."""
        self._absent = False

    def answered(self) -> None:
        """A call succeeded."""
        self._absent = False
        self._failures = 0
        self._until_ns = 0

    def refuses(self, now_ns: int) -> bool:
        return self._absent or now_ns < self._until_ns

"""What lanes require of their camera (`requires`): what was so, between which captures.

Only capture times are compared, so that a frame is judged by what was so when it was taken, however late it is
looked at. What has never been stated is unknown, and unknown is not enough.
"""

from collections.abc import Iterable

from penstock.contracts.specs import Requirement


class Facts:
    """Of one camera, the newest stretch of captures in which each required signal was so."""

    __slots__ = ("_stretches",)

    def __init__(self) -> None:
        self._stretches: dict[str, tuple[int, int]] = {}

    def state(self, signal: str, from_ns: int, until_ns: int) -> None:
        """It was so for captures from `from_ns` to `until_ns`; a stretch that begins within the one before goes on
        with it, and may end it earlier than was believed. Another capture clock begins another stretch."""
        known = self._stretches.get(signal)
        if known is not None and known[0] <= from_ns <= known[1]:
            from_ns = known[0]
        self._stretches[signal] = (from_ns, until_ns)

    def met(self, requirements: Iterable[Requirement], capture_ns: int) -> bool:
        """Whether a frame of that capture has all that is required."""
        for requirement in requirements:
            stretch = self._stretches.get(requirement.signal)
            if stretch is None or not stretch[0] <= capture_ns <= stretch[1] + requirement.within_ns:
                return False
        return True

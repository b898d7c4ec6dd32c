"""How many units a second come of a stream that nobody decodes, by their arrival.

Capture times will not do: with B-frames, packets come in another order than their pictures.
"""

from penstock.base.clock import NS_PER_S

_WINDOW_NS = NS_PER_S


class UnitRate:
    """One stream; any thread may read `per_s`. Pure."""

    def __init__(self) -> None:
        self._since_ns: int | None = None
        self._count = 0
        self.per_s = 0.0
        """over the last second or so, or since the last unit but one where they come more slowly; 0 before that"""

    def reset(self) -> None:
        """A new session."""
        self._since_ns, self._count, self.per_s = None, 0, 0.0

    def unit(self, received_ns: int) -> None:
        if self._since_ns is None:
            self._since_ns = received_ns
            return
        self._count += 1
        passed_ns = received_ns - self._since_ns
        if passed_ns >= _WINDOW_NS:
            self.per_s = self._count * NS_PER_S / passed_ns
            self._since_ns, self._count = received_ns, 0

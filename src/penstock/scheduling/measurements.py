"""What dispatch has measured of models and lanes, for the capacity plan: means over the last seconds.

The plan shares out time, so it needs means, where dispatch needs what a call takes at worst.
"""

import msgspec

COST_MEMORY_NS = 2_000_000_000
ACTIVITY_MEMORY_NS = 5_000_000_000
# However long ago: a mean of fewer samples says little.
LEAST_SAMPLES = 24


_LEAST_DECAY = 1.0 - 1.0 / LEAST_SAMPLES


class DecayingMean:
    """A mean that forgets what is older than about `memory_ns`, but for the last `LEAST_SAMPLES`."""

    __slots__ = ("_memory_ns", "_sum", "_weight", "at_ns", "count")

    def __init__(self, memory_ns: int) -> None:
        self._memory_ns = memory_ns
        self._sum = 0.0
        self._weight = 0.0
        self.at_ns = 0
        """of the newest sample"""
        self.count = 0
        """samples ever"""

    @property
    def value(self) -> float:
        """0.0 before the first sample."""
        return self._sum / self._weight if self._weight else 0.0

    def add(self, total: float, weight: float, now_ns: int) -> None:
        """Something was measured that came to `total` over `weight` units (nanoseconds over views)."""
        # For short steps this is exp(-step / memory), and cheaper.
        decay = max(self._memory_ns / (self._memory_ns + max(0, now_ns - self.at_ns)), _LEAST_DECAY)
        self._sum = self._sum * decay + total
        self._weight = self._weight * decay + weight
        self.at_ns = now_ns
        self.count += 1

    def forget(self) -> None:
        """What was measured belongs to another time; the next sample stands alone."""
        self._sum = self._weight = 0.0


class ModelMeasurement(msgspec.Struct, frozen=True, gc=False):
    """One model on its executor."""

    model: str
    executor: str
    stream_ns: float
    """mean time for which one view takes one stream, at the load and with the batches that there were; 0.0 where
    nothing was measured"""
    samples: int
    """calls measured so far"""
    measured_ns: int
    """when the newest of them ended"""


class LaneMeasurement(msgspec.Struct, frozen=True, gc=False):
    """One lane."""

    lane: str
    activity: float
    """part of the last seconds (by capture) in which a frame that was due needed the model: it was neither still nor
    without what the lane requires; 1.0 before the first frame"""
    views: float
    """mean number of views per analysis"""


class Measurements(msgspec.Struct, frozen=True):
    """All of it, at one instant."""

    models: tuple[ModelMeasurement, ...]
    lanes: tuple[LaneMeasurement, ...]

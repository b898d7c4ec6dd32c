"""Which records belong to a trace of one window of time: every frame decoded in it, and all that became of those.

Frames are followed for a moment longer than the window, so that the ways of its last frames are whole; what that
brings of later frames is left out again. So the books of a trace add up by themselves: in each lane, the frames of the
window are the analysed ones, those with another fate, and those still under way at the end.
"""

from collections import Counter
from collections.abc import Mapping

import msgspec

from penstock.base.clock import NS_PER_S
from penstock.contracts.specs import LaneSpec
from penstock.contracts.times import ClockReading
from penstock.contracts.traces import (
    FrameAnalysed,
    FrameDecoded,
    FramesEnded,
    TraceRecord,
    ViewMade,
)

LONGEST_TAIL_NS = 3 * NS_PER_S
_TAIL_RESERVE_NS = NS_PER_S // 4


class TracedCamera(msgspec.Struct, frozen=True):
    camera: str
    process: str
    """that decodes it"""
    lossless: bool = False
    """a file that is read without loss: its capture times are media time"""


class TracedExecutor(msgspec.Struct, frozen=True):
    executor: str
    process: str
    device: str
    streams: int
    models: tuple[str, ...]


class TracedRun(msgspec.Struct, frozen=True):
    """What the numbers in trace records mean, in the order of the run's specification."""

    run_id: str
    host_id: str
    clock: ClockReading
    cameras: tuple[TracedCamera, ...]
    lanes: tuple[LaneSpec, ...]
    executors: tuple[TracedExecutor, ...]
    rules: tuple[str, ...]
    engine: str = "engine"

    def cameras_by_name(self) -> dict[str, int]:
        return {camera.camera: number for number, camera in enumerate(self.cameras)}

    def cameras_of_lanes(self) -> tuple[int, ...]:
        """The number of each lane's camera."""
        numbers = self.cameras_by_name()
        return tuple(numbers[lane.camera] for lane in self.lanes)

    def executors_of_lanes(self) -> tuple[int, ...]:
        """The number of the executor that runs each lane's model; -1 where none does."""
        of_model = {model: number for number, executor in enumerate(self.executors) for model in executor.models}
        return tuple(of_model.get(lane.model, -1) for lane in self.lanes)


class TraceSummary(msgspec.Struct, frozen=True):
    """What a trace holds."""

    frames: int
    """decoded within the window"""
    analysed: int
    ended: dict[str, int]
    """by `Fate.label`: frames that a lane did not analyse, summed over lanes"""
    under_way: int
    """neither yet when the trace ended, summed over lanes"""
    missed: dict[str, int]
    """records by process that were overwritten before they were read: what is missing above"""


class TraceWindow:
    """Decides what belongs; pure. Records come in the order of `contracts.traces.TraceTap`."""

    def __init__(self, run: TracedRun, from_ns: int, until_ns: int) -> None:
        self.from_ns = from_ns
        self.until_ns = until_ns
        budget_ns = max((lane.budget_ns for lane in run.lanes), default=0)
        self.end_ns = until_ns + min(budget_ns + _TAIL_RESERVE_NS, LONGEST_TAIL_NS)
        """when the last result can have come"""
        self._camera_of = run.cameras_of_lanes()
        self._first: list[int] = [0] * len(run.cameras)
        self._last: list[int] = [0] * len(run.cameras)
        self._decoded: Counter[int] = Counter()
        self._analysed = 0
        self._fates: Counter[str] = Counter()

    def admit(self, record: TraceRecord) -> TraceRecord | None:
        """`record`, or the part of it that belongs, or None."""
        match record:
            case FrameDecoded():
                return self._decoded_frame(record)
            case ViewMade():
                return record if self._in_window(record.camera, record.index) else None
            case FrameAnalysed():
                if not self._known_lane(record.lane) or not self._in_window(self._camera_of[record.lane], record.index):
                    return None
                self._analysed += 1
                return record
            case FramesEnded():
                return self._clipped(record)
            case _:
                return record if self.from_ns <= record.at_ns < self.until_ns else None

    def summary(self, missed: Mapping[str, int]) -> TraceSummary:
        due = sum(self._decoded[camera] for camera in self._camera_of)
        settled = self._analysed + self._fates.total()
        return TraceSummary(
            frames=self._decoded.total(),
            analysed=self._analysed,
            ended=dict(self._fates),
            under_way=max(0, due - settled),
            missed={process: count for process, count in missed.items() if count},
        )

    def _decoded_frame(self, record: FrameDecoded) -> FrameDecoded | None:
        if record.camera >= len(self._first) or not self.from_ns <= record.decoded_ns < self.until_ns:
            return None
        if not self._first[record.camera]:
            self._first[record.camera] = record.index
        self._last[record.camera] = max(record.index, self._last[record.camera])
        self._decoded[record.camera] += 1
        return record

    def _clipped(self, record: FramesEnded) -> FramesEnded | None:
        if not self._known_lane(record.lane):
            return None
        if record.first_index:
            camera = self._camera_of[record.lane]
            first = max(record.first_index, self._first[camera])
            count = min(record.first_index + record.count, self._last[camera] + 1) - first
            if count < 1 or not self._first[camera]:
                return None
            if count != record.count:
                record = msgspec.structs.replace(record, first_index=first, count=count)
        elif not self.from_ns <= record.at_ns < self.until_ns:
            return None
        self._fates[record.fate.label] += record.count
        return record

    def _in_window(self, camera: int, index: int) -> bool:
        return camera < len(self._first) and 0 < self._first[camera] <= index <= self._last[camera]

    def _known_lane(self, lane: int) -> bool:
        return lane < len(self._camera_of)

"""Gathers what becomes of sampled frames, and tells each as the spans of one trace.

Which frames are sampled follows from their trace id alone (`contracts.traces.frame_trace_id`), by the rule of
OpenTelemetry's ratio sampler: another service that samples by the same ratio keeps the same traces.
"""

from collections.abc import Iterable, Iterator

import msgspec

from penstock.base.clock import NS_PER_S
from penstock.contracts.fates import Fate
from penstock.contracts.traces import (
    FrameAnalysed,
    FrameDecoded,
    FramesEnded,
    TraceRecord,
    frame_trace_id,
    span_id,
)
from penstock.telemetry.perfetto import stages
from penstock.telemetry.trace import TracedRun

HOLD_NS = 10 * NS_PER_S
"""after its decoding, a frame without a fate in every lane is told as it is"""
PENDING_BOUND = 2048
_BITS = 1 << 64

Attribute = str | int | float | bool


class SpanNote(msgspec.Struct, frozen=True, gc=False):
    """Something that happened at one instant."""

    name: str
    at_ns: int
    attributes: dict[str, Attribute]


class Span(msgspec.Struct, frozen=True):
    """One part of a frame's way; instants are monotonic."""

    name: str
    span_id: int
    parent_id: int
    """0 for the root"""
    begin_ns: int
    end_ns: int
    attributes: dict[str, Attribute] = {}
    notes: tuple[SpanNote, ...] = ()


class FrameTrace(msgspec.Struct, frozen=True):
    """All spans of one frame, the root first."""

    trace_id: str
    spans: tuple[Span, ...]


class _Pending:
    """A sampled frame on its way."""

    __slots__ = ("analysed", "awaited", "ended", "frame", "trace_id")

    def __init__(self, frame: FrameDecoded, trace_id: str, awaited: set[int]) -> None:
        self.frame = frame
        self.trace_id = trace_id
        self.awaited = awaited
        self.analysed: list[FrameAnalysed] = []
        self.ended: list[FramesEnded] = []


class SampledFrames:
    """Pure, used by one thread. Where more than `bound` frames are on their way, the oldest are told as they are."""

    def __init__(self, run: TracedRun, sample: float, *, bound: int = PENDING_BOUND) -> None:
        """`sample` is the part of all frames that is told, 0 to 1."""
        self._run = run
        self._limit = round(sample * _BITS)
        self._bound = bound
        self._pending: dict[tuple[int, int], _Pending] = {}
        """by camera and index, in the order of decoding"""
        self._camera_of = run.cameras_of_lanes()
        self._lanes_of: list[set[int]] = [set() for _ in run.cameras]
        for lane, camera in enumerate(self._camera_of):
            self._lanes_of[camera].add(lane)
        self._told: list[_Pending] = []

    def is_sampled(self, trace_id: str) -> bool:
        return int(trace_id[16:], 16) < self._limit

    def take(self, records: Iterable[TraceRecord]) -> None:
        """Causes before effects, as a tap gives them."""
        for record in records:
            match record:
                case FrameDecoded():
                    self._decoded(record)
                case FrameAnalysed():
                    if record.lane < len(self._camera_of):
                        found = self._pending.get((self._camera_of[record.lane], record.index))
                        if found is not None:
                            found.analysed.append(record)
                            self._settled(found, record.lane)
                case FramesEnded():
                    self._ended(record)
                case _:
                    pass

    def complete(self, now_ns: int) -> list[FrameTrace]:
        """The traces of frames whose every lane has had its say, or has had `HOLD_NS` for it."""
        for key, pending in list(self._pending.items()):
            over = now_ns - pending.frame.decoded_ns > HOLD_NS
            if not over and len(self._pending) <= self._bound:
                break
            self._told.append(self._pending.pop(key))
        told, self._told = self._told, []
        return [FrameTrace(pending.trace_id, tuple(self._spans(pending))) for pending in told]

    def _decoded(self, frame: FrameDecoded) -> None:
        trace_id = frame_trace_id(frame.session, frame.seq)
        if frame.camera >= len(self._lanes_of) or not self.is_sampled(trace_id):
            return
        pending = _Pending(frame, trace_id, set(self._lanes_of[frame.camera]))
        if pending.awaited:
            self._pending[frame.camera, frame.index] = pending
        else:
            self._told.append(pending)

    def _ended(self, record: FramesEnded) -> None:
        if record.lane >= len(self._camera_of) or not record.first_index:
            return
        camera = self._camera_of[record.lane]
        beyond = record.first_index + record.count
        for (owner, index), pending in list(self._pending.items()):
            if owner == camera and record.first_index <= index < beyond:
                pending.ended.append(record)
                self._settled(pending, record.lane)

    def _settled(self, pending: _Pending, lane: int) -> None:
        pending.awaited.discard(lane)
        if not pending.awaited:
            self._told.append(self._pending.pop((pending.frame.camera, pending.frame.index)))

    def _spans(self, pending: _Pending) -> Iterator[Span]:
        frame, camera = pending.frame, self._run.cameras[pending.frame.camera]
        numbers = iter(range(1 << 16))

        def new_id() -> int:
            return span_id(pending.trace_id, next(numbers))

        root = new_id()
        received_ns = min(frame.received_ns, frame.decoded_ns)
        begin_ns = received_ns if camera.lossless else min(frame.capture_ns, received_ns)
        ends = [one.taken_ns for one in pending.analysed] + [one.at_ns for one in pending.ended]
        yield Span(
            "frame",
            root,
            0,
            begin_ns,
            max([frame.decoded_ns, *ends]),
            {
                "camera": camera.camera,
                "frame.session": str(frame.session),
                "frame.seq": frame.seq,
                "frame.index": frame.index,
            },
            tuple(
                SpanNote(one.fate.label, one.at_ns, self._of_lane(one.lane) | {"fate": one.fate.label})
                for one in pending.ended
            ),
        )
        yield Span("decode", new_id(), root, begin_ns, frame.decoded_ns, {"camera": camera.camera})
        for one in pending.analysed:
            lane_id = new_id()
            attributes = self._of_lane(one.lane) | {"fate": Fate.ANALYSED.label, "late": one.late}
            if not camera.lossless:
                attributes["age_ms"] = (one.taken_ns - one.capture_ns) / 1e6
            marks = stages(one)
            yield Span("analyse", lane_id, root, marks[0][1], marks[-1][2], attributes)
            for name, first_ns, last_ns in marks:
                yield Span(name, new_id(), lane_id, first_ns, last_ns, self._of_lane(one.lane))

    def _of_lane(self, lane: int) -> dict[str, Attribute]:
        spec = self._run.lanes[lane]
        return {"camera": spec.camera, "model": spec.model}

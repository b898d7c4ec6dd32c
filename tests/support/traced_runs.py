"""A run that is traced: two cameras, three lanes, frames with known fates, as its processes would write them."""

import itertools
from collections.abc import Iterator

from penstock.contracts.capacity import LadderStep
from penstock.contracts.fates import Fate
from penstock.contracts.frames import FrameRef
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.specs import LaneSpec
from penstock.contracts.times import CaptureTime, ClockReading, TimeBasis
from penstock.contracts.work import Outcome, OutcomeStatus
from penstock.framebus.regions import HeapRegions, Region, Regions
from penstock.framebus.trace_ring import TraceRings, TraceWriter, format_trace, trace_bytes
from penstock.framebus.trace_writers import EngineTraceWriter, IngestTraceWriter
from penstock.telemetry.trace import TracedCamera, TracedExecutor, TracedRun

MS = 1_000_000
FRAME_NS = 40 * MS
CAMERAS = ("front", 'ba"ck')
LANES = (
    LaneSpec("front", "people", budget_ns=300 * MS, priority=1),
    LaneSpec("front", "faces", budget_ns=300 * MS),
    LaneSpec('ba"ck', "people", budget_ns=300 * MS),
)
SESSIONS = {"front": 0x18F_0000_0000_0001, 'ba"ck': 0x18F_0000_0000_0002}


def traced(clock: ClockReading) -> TracedRun:
    return TracedRun(
        run_id="run1",
        host_id="host1",
        clock=clock,
        cameras=(TracedCamera("front", "ingest-0"), TracedCamera('ba"ck', "ingest-1")),
        lanes=LANES,
        executors=(TracedExecutor("cpu", "executor-cpu", "cpu", 2, ("people", "faces")),),
        rules=("two_people",),
    )


class TracedProcesses:
    """The writers of the run's processes, and taps on what they write."""

    def __init__(self, regions: Regions | None = None, records: int = 4096) -> None:
        opened = regions or HeapRegions()
        self.regions: dict[str, Region] = {}
        for name in ("engine", "ingest-0", "ingest-1"):
            self.regions[name] = opened.create(f"trace:{name}", trace_bytes(records))
            format_trace(self.regions[name], records)
        names = [lane.name for lane in LANES]
        self.engine = EngineTraceWriter(
            TraceWriter(self.regions["engine"]), CAMERAS, names, ["two_people"], lambda: self.now_ns
        )
        self.ingests = {
            camera: IngestTraceWriter(TraceWriter(self.regions[name]), CAMERAS)
            for camera, name in zip(CAMERAS, ("ingest-0", "ingest-1"), strict=True)
        }
        self.now_ns = 0
        """the engine's clock, for what it dates itself"""
        self._indexes = dict.fromkeys(CAMERAS, 0)
        self._calls = itertools.count(1)
        self.frames: list[FrameRef] = []
        """decoded, whether anybody traced or not"""

    def tap(self) -> TraceRings:
        return TraceRings(self.regions)

    def decoded(self, camera: str, decoded_ns: int) -> FrameRef:
        """A frame captured 30 ms and received 10 ms before it was decoded."""
        self._indexes[camera] += 1
        index = self._indexes[camera]
        stream = StreamKey("host1", "boot1", "run1", camera, Role.DETECT, SESSIONS[camera])
        capture = CaptureTime(decoded_ns - 30 * MS, TimeBasis.ARRIVAL, MS)
        frame = FrameRef(FrameId(stream, index + 6), index, capture, decoded_ns - 10 * MS, decoded_ns, 640, 360)
        self.frames.append(frame)
        self.ingests[camera].decoded(frame)
        return frame

    def analysed(self, lane: LaneSpec, frame: FrameRef, compute_ns: int = 20 * MS, call: int = 0) -> int:
        """Asked 1 ms after its decoding, made in 2 ms, sent after 1, begun after 2, taken 1 after its end: when."""
        at_ns = frame.decoded_ns
        made_ns, started_ns = at_ns + 3 * MS, at_ns + 6 * MS
        if not call:
            self.ingests[lane.camera].view(frame, at_ns + 1 * MS, at_ns + 2 * MS, made_ns)
        taken_ns = started_ns + compute_ns + MS
        outcome = Outcome(
            work_id=call or next(self._calls),
            lease_epoch=1,
            model=lane.model,
            status=OutcomeStatus.DONE,
            device="cpu",
            received_ns=at_ns + 5 * MS,
            started_ns=started_ns,
            finished_ns=started_ns + compute_ns,
        )
        self.engine.analysed(
            lane.name,
            frame,
            outcome,
            asked_ns=at_ns + 1 * MS,
            made_ns=made_ns,
            submitted_ns=at_ns + 4 * MS,
            taken_ns=taken_ns,
            late=taken_ns - frame.capture.mono_ns > lane.budget_ns,
        )
        return taken_ns

    def step(self, now_ns: int) -> None:
        """A frame of each camera, decoded now. Of each five: `people` analyses the first, `faces` of the second, which
        is superseded in `people`; the others are not due."""
        for camera in CAMERAS:
            frame = self.decoded(camera, now_ns)
            place = (frame.index - 1) % 5
            for lane in LANES:
                if lane.camera != camera:
                    continue
                if place == (1 if lane.model == "faces" else 0):
                    self.analysed(lane, frame)
                else:
                    superseded = place == 1 and lane.model == "people"
                    fate = Fate.SUPERSEDED if superseded else Fate.NOT_DUE
                    self.engine.fate(lane.name, frame.index, 1, fate, now_ns + MS)
            self.engine.planned(now_ns + MS, 4_000, int(place < 2))
        if self._indexes["front"] % 25 == 1:
            self.engine.granted("front/faces", LadderStep.REDUCED, 2.5, now_ns)
            self.engine.confirmed("front", "two_people", self.frames[-2], now_ns + 30 * MS)

    def instants(self, from_ns: int, until_ns: int) -> Iterator[int]:
        """When to step, at 25 frames per second."""
        yield from range(from_ns, until_ns, FRAME_NS)

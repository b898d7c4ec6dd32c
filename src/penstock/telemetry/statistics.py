"""What processes publish about themselves: frozen records, small enough to send twice a second.

Every process publishes one `ProcessStatistics`; whatever it does not do stays empty. Counters are cumulative over
the run and survive the process that counts them. Instants named `_ns` are monotonic, `_utc_ns` since 1970.
"""

from collections.abc import Callable

import msgspec

from penstock.contracts.messages import CameraState
from penstock.telemetry.analysis_statistics import (
    EngineStatistics,
    ExecutorStatistics,
    LaneStatistics,
    ModelStatistics,
    PlanStatistics,
    RuleStatistics,
)
from penstock.telemetry.histogram import HistogramRecord


class UnitBook(msgspec.Struct, frozen=True, gc=False):
    """Access units of a stream: `received` is the sum of all others."""

    received: int = 0
    decoded: int = 0
    skipped: int = 0
    undecodable: int = 0
    lost: int = 0
    kept: int = 0
    """of a stream that is only recorded: nobody decodes them"""
    pending: int = 0
    """inside the decoder now"""

    @property
    def balanced(self) -> bool:
        settled = self.decoded + self.skipped + self.undecodable + self.lost + self.kept
        return self.pending >= 0 and self.received == settled + self.pending


class CameraStatistics(msgspec.Struct, frozen=True):
    """One stream of one camera, as its ingest process sees it."""

    camera: str
    role: str = "detect"
    state: CameraState = CameraState.STARTING
    session: int = 0
    url: str = ""
    """credentials replaced"""
    codec: str = ""
    width_px: int = 0
    height_px: int = 0
    units: UnitBook = UnitBook()
    frames: int = 0
    """decoded frames offered to the lanes"""
    notices_dropped: int = 0
    """found no room in the link to the engine; the next one carried their news"""
    views: int = 0
    views_refused: int = 0
    """asked for while no slot was free, or after their frame had gone"""
    gate_moved: int = 0
    gate_still: int = 0
    sessions: int = 0
    """connections made; the first one counts"""
    reconnects: int = 0
    stalls: int = 0
    open_failures: int = 0
    time_jumps: int = 0
    slips: int = 0
    lost_packets: int = 0
    times_refused: int = 0
    """this and the three before it: see `contracts.sources.SessionStatistics`"""
    connect_ns: int = 0
    """of the last connection"""
    fps: float = 0.0
    """measured over the last seconds"""
    capture_basis: str = ""
    capture_error_ns: int = 0
    """claimed by the newest frame"""
    last_frame_ns: int = 0
    """monotonic capture time of the newest frame; 0 before the first"""
    received_bytes: int = 0
    ring_bytes: int = 0
    ring_span_ns: int = 0
    """capture time between the oldest and the newest packet held"""
    ring_packets: int = 0
    fault: str = ""
    """why it is not up, where it is not"""


class RecorderStatistics(msgspec.Struct, frozen=True):
    jobs: int = 0
    jobs_active: int = 0
    jobs_refused: int = 0
    clips: dict[str, int] = {}
    """by `EvidenceState`"""
    snapshots: dict[str, int] = {}
    """by `EvidenceState`"""
    written_bytes: int = 0
    lapped: int = 0
    """times that a ring overtook the recorder"""


class JournalStatistics(msgspec.Struct, frozen=True):
    appended: int = 0
    failures: int = 0
    size_bytes: int = 0
    backlog: int = 0
    """confirmed and not yet on disk"""
    sync: HistogramRecord = HistogramRecord()


class SinkStatistics(msgspec.Struct, frozen=True):
    sink: str
    delivered: int = 0
    failures: int = 0
    expired: int = 0
    backlog: int = 0
    fault: str = ""


class TraceExportStatistics(msgspec.Struct, frozen=True, gc=False):
    """Traces of sampled frames on their way to a collector."""

    exported: int = 0
    failed: int = 0
    """the collector did not take them"""
    dropped: int = 0
    """the queue to the collector was full"""
    missed: int = 0
    """records that were overwritten before they were read"""
    backlog: int = 0
    """batches that wait"""


class QueueRecord(msgspec.Struct, frozen=True, gc=False):
    """A bounded queue: what it took, what it refused, and how full it is."""

    queue: str
    accepted: int = 0
    refused: int = 0
    length: int = 0
    bound: int = 0


class PoolStatistics(msgspec.Struct, frozen=True, gc=False):
    """Slots for views."""

    pool: str
    slots: int = 0
    leased: int = 0
    refused: int = 0
    reclaimed: int = 0
    """leases taken back from a holder that died"""
    size_bytes: int = 0


class ChildStatistics(msgspec.Struct, frozen=True):
    """A process as its supervisor sees it."""

    process: str
    kind: str = ""
    pid: int = 0
    state: str = "starting"
    """starting, running, restarting, stopped"""
    restarts: int = 0
    heartbeat_ns: int = 0
    """monotonic: when it was last heard"""
    last_exit: str = ""


class EventNote(msgspec.Struct, frozen=True):
    """An event in one line, for people."""

    event_id: str
    rule: str
    camera: str
    severity: str = "info"
    state: str = "open"
    confirmed_utc_ns: int = 0


class ProcessStatistics(msgspec.Struct, frozen=True):
    """All that one process says of itself at one instant."""

    process: str
    kind: str = ""
    """supervisor, ingest, engine, executor, recorder, api"""
    pid: int = 0
    started_utc_ns: int = 0
    published_ns: int = 0
    """monotonic: when this record was made"""
    cpu_s: float = 0.0
    """user and system time since it started"""
    rss_bytes: int = 0
    threads: int = 0
    cameras: tuple[CameraStatistics, ...] = ()
    lanes: tuple[LaneStatistics, ...] = ()
    executors: tuple[ExecutorStatistics, ...] = ()
    models: tuple[ModelStatistics, ...] = ()
    rules: tuple[RuleStatistics, ...] = ()
    engine: EngineStatistics | None = None
    plan: PlanStatistics | None = None
    recorder: RecorderStatistics | None = None
    journal: JournalStatistics | None = None
    sinks: tuple[SinkStatistics, ...] = ()
    trace_export: TraceExportStatistics | None = None
    """of the API process, where traces are exported"""
    queues: tuple[QueueRecord, ...] = ()
    pools: tuple[PoolStatistics, ...] = ()
    children: tuple[ChildStatistics, ...] = ()
    recent_events: tuple[EventNote, ...] = ()
    """the newest last, at most 16"""


Snapshot = Callable[[], list[ProcessStatistics]]
"""Gives the newest record of every process of the run; cheap, and safe from any thread."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(ProcessStatistics)


def encode(statistics: ProcessStatistics) -> bytes:
    return _ENCODER.encode(statistics)


def decode(blob: bytes | memoryview) -> ProcessStatistics:
    """Raises msgspec.DecodeError where `blob` is torn or foreign."""
    return _DECODER.decode(blob)

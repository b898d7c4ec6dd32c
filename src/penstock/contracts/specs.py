"""What processes are told to do: the configuration, translated into the few values that each stage needs.

`config` reads what people write; `runtime` turns it into these; stages see nothing else of it.
"""

import enum

import msgspec

from penstock.contracts.events import Severity
from penstock.contracts.identity import Role
from penstock.contracts.times import ClockReading

NS_PER_S = 1_000_000_000


class SourceMode(enum.StrEnum):
    """How a file is played; other sources are always live."""

    LIVE = "live"
    """paced by its own timestamps, looped: a camera for tests and demonstrations"""
    LOSSLESS = "lossless"
    """as fast as possible, once, every picture processed"""


class ClockTrust(enum.StrEnum):
    """Whose clock dates a camera's pictures."""

    ARRIVAL = "arrival"
    RTCP = "rtcp"
    """the camera's own clock is kept by NTP and to be believed"""


class Transport(enum.StrEnum):
    """How RTSP carries pictures."""

    TCP = "tcp"
    """inside the RTSP connection: nothing is lost on the way"""
    UDP = "udp"
    """packets of their own: a lost one costs its picture, nothing waits for it"""


class DecodePolicy(enum.StrEnum):
    """Which access units of a detect stream are decoded. What is passed over ends `skipped`, and no lane hears of it.

    In the order of what they cost; the capacity plan may choose one that costs less than the configured one.
    """

    ALL = "all"
    NONREF = "nonref"
    """all but those that no other picture refers to (the sender marks them: B-frames, temporal layers)"""
    AUTO = "auto"
    """keyframes while nothing moves; when a keyframe shows movement, all, from the current GOP's begin on"""
    KEYFRAMES = "keyframes"
    NONE = "none"
    """nothing: only packets are kept"""


class StreamSpec(msgspec.Struct, frozen=True):
    """One stream of one camera. `url` holds credentials: it is never logged; sources redact it."""

    camera: str
    url: str
    roles: tuple[Role, ...] = (Role.DETECT, Role.RECORD)
    mode: SourceMode = SourceMode.LIVE
    loop: bool = True
    """files in live mode start again at their end"""
    trust: ClockTrust = ClockTrust.ARRIVAL
    open_timeout_ns: int = 5 * NS_PER_S
    stall_timeout_ns: int = 3 * NS_PER_S
    """silence after which the connection is thrown away and made anew"""
    reconnect_cap_ns: int = 3 * NS_PER_S
    transport: Transport = Transport.TCP
    tls_ca: str = ""
    """PEM file of the authority that must have signed an rtsps:// or https:// camera's certificate; empty trusts any"""
    options: dict[str, str] = {}
    """passed to FFmpeg's demuxer, or to a source plugin, as they are"""
    ring_seconds_ns: int = 60 * NS_PER_S
    ring_bytes: int = 32 * 1024 * 1024


class GateSpec(msgspec.Struct, frozen=True):
    """When a frame counts as still: mean absolute difference of luma, 0–255, at 320×180."""

    enabled: bool = True
    threshold: float = 0.6
    quiet_interval_ns: int = 5 * NS_PER_S
    """a still camera is analysed this often all the same"""


class ZoneSpec(msgspec.Struct, frozen=True):
    """A polygon in fractions of the picture, (0, 0) top left to (1, 1) bottom right."""

    name: str
    points: tuple[tuple[float, float], ...]


class RecordSpec(msgspec.Struct, frozen=True):
    enabled: bool = True
    pre_capture_ns: int = 5 * NS_PER_S
    post_capture_ns: int = 5 * NS_PER_S
    max_clip_ns: int = 300 * NS_PER_S
    snapshot: bool = True
    snapshot_quality: int = 90


class CameraSpec(msgspec.Struct, frozen=True):
    name: str
    streams: tuple[StreamSpec, ...]
    zones: tuple[ZoneSpec, ...] = ()
    gate: GateSpec = GateSpec()
    record: RecordSpec = RecordSpec()
    decode: DecodePolicy = DecodePolicy.ALL
    """the most that is decoded; the capacity plan may go below it"""

    def stream_with(self, role: Role) -> StreamSpec | None:
        """The stream that has `role`; None where no stream has."""
        return next((stream for stream in self.streams if role in stream.roles), None)


class ModelSpec(msgspec.Struct, frozen=True):
    """One model. `motion` is built in; others are files and Python classes; later, remote services."""

    name: str
    kind: str = "onnx"
    """`onnx`, `motion` or `python`"""
    path: str = ""
    plugin: str = ""
    """`python` only: `package.module:Class` or `/path/file.py:Class`"""
    parameters: dict[str, str | float | bool] = {}
    """`python` only: given to the class by name"""
    device: str = "cpu"
    backend: str = "auto"
    """`openvino`, `onnxruntime`, or `auto`: the cheaper one for the kind of network"""
    head: str = "auto"
    """`auto` recognises it from the outputs' shapes and the metadata"""
    class_names: tuple[str, ...] = ()
    """overrides what the file says"""
    labels: tuple[str, ...] = ()
    """only these classes are kept; empty keeps all"""
    confidence: float | None = None
    """boxes below it are dropped; None takes what suits the kind of network"""
    iou: float | None = None
    """of two boxes that overlap more, the less confident is dropped; None as above"""
    max_detections: int = 300
    top_k: int = 5
    """how many classes of a whole picture a classifier states"""
    options: dict[str, float] = {}


class Requirement(msgspec.Struct, frozen=True):
    """Something that must have been so for a lane to be worth running: a signal that is true or above 0, or a class
    that is in the picture."""

    signal: str
    """name of a signal, or of a class"""
    within_ns: int = 0
    """how long ago, by capture, it may have been so; 0 means that what states it must still be valid"""


class CropSpec(msgspec.Struct, frozen=True):
    """A lane that looks at what another lane of the same camera found: one view per box, of that very frame."""

    of: str
    """the model that finds the boxes"""
    labels: tuple[str, ...] = ()
    """only boxes of these classes; empty means all"""
    limit: int = 4
    """at most this many boxes of one frame, the most confident first; the others are counted"""
    margin: float = 0.1
    """added on each side, as a part of the box's width and height"""


class LaneSpec(msgspec.Struct, frozen=True):
    """One camera × one model: the unit of scheduling."""

    camera: str
    model: str
    max_fps: float = 5.0
    min_fps: float = 0.0
    """slower is worth nothing: lower priorities are paused for it, and where it cannot be had the lane is paused"""
    priority: int = 0
    """higher goes first"""
    weight: float = 1.0
    """of two lanes of one priority that are both short, the one of weight 2 runs twice as often"""
    budget_ns: int = 500_000_000
    """a result older than this is worth nothing"""
    requires: tuple[Requirement, ...] = ()
    """all of them"""
    crops: CropSpec | None = None
    shadow: bool = False
    """runs on spare capacity only; its events are kept beside the real ones and delivered to nobody"""
    gated: bool = True
    """still frames are not analysed; off for models that measure movement themselves"""

    @property
    def name(self) -> str:
        return f"{self.camera}/{self.model}"


class RuleSpec(msgspec.Struct, frozen=True):
    """One rule for the cameras it names; no cameras means all."""

    name: str
    when: str
    cameras: tuple[str, ...] = ()
    cooldown_ns: int = 10 * NS_PER_S
    severity: Severity = Severity.INFO
    shadow: bool = False
    unknown_limit_ns: int = 10 * NS_PER_S
    """an open event whose condition stays unknown this long is ended"""


class ExecutorSpec(msgspec.Struct, frozen=True):
    """One process that runs models of one device."""

    name: str
    device: str
    models: tuple[ModelSpec, ...]
    streams: int = 1
    """calls that run side by side, one core each"""
    hang_timeout_ns: int = 10 * NS_PER_S


class RunSpec(msgspec.Struct, frozen=True):
    """Everything one run does."""

    host_id: str
    boot_id: str
    run_id: str
    clock: ClockReading
    """dates the run's monotonic instants, the same in all its processes and their later lives"""
    data_dir: str
    cameras: tuple[CameraSpec, ...]
    executors: tuple[ExecutorSpec, ...]
    lanes: tuple[LaneSpec, ...]
    rules: tuple[RuleSpec, ...]
    ingest_groups: tuple[tuple[str, ...], ...]
    """names of the cameras of each ingest process"""
    cores: float = 0.0
    """processor cores that the run may plan with; 0 means all that this process may use"""
    memory_budget_bytes: int = 0
    """what all its processes may take together; 0 means no limit"""
    database_url: str = ""
    """SQLAlchemy's form; empty means SQLite in the data folder"""
    events_file: str = ""
    """JSON lines; empty means `events.jsonl` in the data folder"""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9090
    """0 takes any free port; -1 serves none"""
    log_format: str = "human"
    log_level: str = "info"
    tracing_endpoint: str = ""
    """OTLP over HTTP; empty exports nothing"""
    tracing_sample: float = 0.01
    """part of all frames whose traces are exported"""
    tracing_service_name: str = "penstock"

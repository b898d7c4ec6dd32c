"""Every key of the configuration, its meaning under it and its default in sight.

Key names are those of Frigate where the meaning is the same. Times are held in nanoseconds and sizes in bytes,
under attributes that say so; the file has the key without the unit.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from penstock.config.fields import Coordinates, Duration, Name, PositiveDuration, Size, ZoneName
from penstock.contracts.events import Severity
from penstock.contracts.identity import Role
from penstock.contracts.specs import ClockTrust, SourceMode, Transport

S = 1_000_000_000
MS = 1_000_000
MIB = 1024 * 1024


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)


class InputConfig(Section):
    """One stream of a camera."""

    path: str = Field(min_length=1)
    """Address (`rtsp://…`, `rtsps://…`) or video file; `${NAME}` is replaced from the environment."""
    roles: tuple[Role, ...] = Field(default=(Role.DETECT, Role.RECORD), min_length=1)
    """What the stream is for: `detect` is decoded, `record` is kept as packets for clips."""
    mode: SourceMode = SourceMode.LIVE
    """How a file is played: `live` in its own time, `lossless` as fast as possible, once, every picture processed."""
    loop: bool = True
    """A file in `live` mode starts again at its end."""
    clock: ClockTrust = ClockTrust.ARRIVAL
    """Whose clock dates the pictures: `arrival`, or `rtcp` where the camera's own clock is kept by NTP."""
    open_timeout_ns: PositiveDuration = Field(default=5 * S, alias="open_timeout")
    """A connection that takes longer is given up and tried again."""
    stall_timeout_ns: PositiveDuration = Field(default=3 * S, alias="stall_timeout")
    """After this much silence the connection is thrown away and made anew."""
    transport: Transport = Transport.TCP
    """How RTSP carries pictures: `tcp` loses nothing, `udp` waits for nothing."""
    tls_ca: str = ""
    """PEM file of the authority that signed an `rtsps://` or `https://` camera's certificate; without, any is taken."""
    options: dict[str, str] = {}
    """Passed to FFmpeg's demuxer, or to a source plugin, as they are."""


class DetectConfig(Section):
    """How often a camera is analysed, and how old a result may be."""

    fps: float = Field(default=5.0, gt=0, le=120)
    """Analyses per second and model, at most."""
    budget_ns: PositiveDuration = Field(default=500 * MS, alias="budget")
    """A result older than this is worth nothing: work that would end later is not started."""
    priority: int = Field(default=0, ge=-100, le=100)
    """Higher goes first when not all can be served."""


class MotionConfig(Section):
    """The gate: a picture in which nothing moved costs no inference, and the last result stays valid."""

    enabled: bool = True
    """Without the gate every picture that is due is analysed."""
    threshold: float = Field(default=0.6, ge=0, le=255)
    """Mean absolute difference of brightness (0-255, at 320×180) above which something moved."""
    quiet_interval_ns: PositiveDuration = Field(default=5 * S, alias="quiet_interval")
    """A still camera is analysed this often all the same."""


class ZoneConfig(Section):
    """A named part of the picture; a box is in it when the middle of its lower edge is."""

    coordinates: Coordinates
    """At least 3 points in fractions of the picture: `0.1,0.2,0.5,0.2,0.5,0.9` or a list of pairs."""


class RecordConfig(Section):
    """Clips of events."""

    enabled: bool = True
    """Whether events get a clip."""
    pre_capture_ns: Duration = Field(default=5 * S, alias="pre_capture")
    """Length before the event; the clip starts at the keyframe before it."""
    post_capture_ns: Duration = Field(default=5 * S, alias="post_capture")
    """Length after the event's end."""
    max_clip_ns: PositiveDuration = Field(default=300 * S, alias="max_clip")
    """A clip ends here, however long its event lasts."""


class SnapshotsConfig(Section):
    """A picture of the moment that confirmed an event."""

    enabled: bool = True
    """Whether events get a snapshot."""
    quality: int = Field(default=90, ge=1, le=100)
    """JPEG quality."""


class BufferConfig(Section):
    """The packets of a camera that are kept in memory, for clips that start before their event."""

    duration_ns: PositiveDuration = Field(default=60 * S, alias="duration")
    """Kept at most this long."""
    size_bytes: Size = Field(default=32 * MIB, alias="size")
    """Kept at most this much; the oldest pictures leave first."""


class CameraConfig(Section):
    """One camera. Give either `url`, or `inputs` where it has more than one stream."""

    enabled: bool = True
    """A camera that is not enabled is checked and otherwise ignored."""
    url: str = ""
    """Short for one input with both roles."""
    inputs: tuple[InputConfig, ...] = ()
    """The camera's streams; each role may be given once."""
    detect: DetectConfig = DetectConfig()
    motion: MotionConfig = MotionConfig()
    models: tuple[Name, ...] | None = None
    """Models that look at this camera, by name; left out, all of `models` do (`motion` where there are none)."""
    zones: dict[ZoneName, ZoneConfig] = {}
    """Parts of the picture that rules speak of, by name."""
    record: RecordConfig = RecordConfig()
    snapshots: SnapshotsConfig = SnapshotsConfig()
    buffer: BufferConfig = BufferConfig()

    @property
    def streams(self) -> tuple[InputConfig, ...]:
        """The camera's inputs, with the short form written out."""
        return self.inputs or ((InputConfig(path=self.url),) if self.url else ())


class ModelConfig(Section):
    """One model: an ONNX file, a Python class, or the built-in `motion`."""

    kind: Literal["onnx", "motion", "python"] = "onnx"
    """`motion` finds moving regions and needs no file; `python` is a class of your own."""
    path: str = ""
    """The ONNX file."""
    plugin: str = ""
    """The class of `kind: python`: `package.module:Class`, or `file.py:Class`. It runs in a process of its own."""
    parameters: dict[str, str | float | bool] = {}
    """Given to the class of `kind: python` by name."""
    device: Name = "cpu"
    """Where it runs."""
    backend: Literal["auto", "openvino", "onnxruntime"] = "auto"
    """What runs it: `auto` takes the cheaper one for the kind of network."""
    head: str = "auto"
    """How its outputs are read: `auto` recognises it, or its name."""
    class_names: tuple[str, ...] = ()
    """Names of all its classes in order, where the file does not have them."""
    labels: tuple[str, ...] = ()
    """Only these classes are kept; none given keeps all."""
    confidence: float = Field(default=0.25, ge=0, le=1)
    """Boxes below it are dropped."""
    iou: float = Field(default=0.45, ge=0, le=1)
    """Of two boxes that overlap more, the less confident is dropped."""
    max_detections: int = Field(default=300, ge=1, le=10_000)
    """At most this many boxes per picture."""
    top_k: int = Field(default=5, ge=1, le=1000)
    """How many classes of the whole picture a classifier states."""
    options: dict[str, float] = {}
    """Numbers that the model's kind understands."""


class RuleConfig(Section):
    """What makes an event. The short form `name: text` gives `when` alone."""

    when: str = Field(min_length=1)
    """The condition, such as `count(person) >= 2 for 1s`."""
    cameras: tuple[Name, ...] = ()
    """Cameras that it watches; none given means all."""
    cooldown_ns: Duration = Field(default=10 * S, alias="cooldown")
    """After an event ends, no other begins for this long."""
    unknown_limit_ns: PositiveDuration = Field(default=10 * S, alias="unknown_limit")
    """An open event whose condition stays unknown for this long (its camera is away) is ended."""
    severity: Severity = Severity.INFO
    """How much it matters."""
    shadow: bool = False
    """Events are kept but go nowhere: for trying a rule."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"when": value} if isinstance(value, str) else value


class ExecutorConfig(Section):
    """The process that runs the models of one device."""

    streams: int | None = Field(default=None, ge=1, le=256)
    """Calls that run side by side; left out, one per core."""
    hang_timeout_ns: PositiveDuration = Field(default=10 * S, alias="hang_timeout")
    """A call that takes longer counts as hung: the process is killed and replaced."""


class IngestConfig(Section):
    """The processes that read and decode cameras."""

    groups: int | None = Field(default=None, ge=1, le=256)
    """Number of processes; left out, one for every 8 cameras, at most one per core."""


class MetricsConfig(Section):
    """The HTTP server of `/metrics` and `/health`."""

    enabled: bool = True
    """Without it nothing is served."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=9090, ge=0, le=65_535)
    """Port to listen on; 0 takes any that is free."""


class LoggingConfig(Section):
    """Log lines, on standard error."""

    format: Literal["human", "json"] = "human"
    """For people, or one JSON object per line."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe that is written."""


class Config(Section):
    """Everything that one run does."""

    data_dir: str = "./penstock-data"
    """Folder of events, clips and the database."""
    isolation: Literal["process", "thread"] = "process"
    """`process` survives crashes of decoders and models; `thread` runs all in one process."""
    cameras: dict[Name, CameraConfig]
    """The cameras, by name."""
    models: dict[Name, ModelConfig] = {}
    """The models, by name. `motion` is always known."""
    rules: dict[Name, RuleConfig] = {}
    """The rules, by name."""
    executors: dict[Name, ExecutorConfig] = {}
    """Settings of the processes that run models, by device."""
    ingest: IngestConfig = IngestConfig()
    metrics: MetricsConfig = MetricsConfig()
    logging: LoggingConfig = LoggingConfig()
    database: str = ""
    """SQLAlchemy's address; left out, an SQLite file in `data_dir`."""
    events_file: str = ""
    """Events as JSON lines; left out, `events.jsonl` in `data_dir`."""

    def models_of(self, camera: CameraConfig) -> tuple[str, ...]:
        """Names of the models that look at `camera`."""
        if camera.models is not None:
            return camera.models
        return tuple(self.models) or ("motion",)

    def model(self, name: str) -> ModelConfig | None:
        """The model of that name; `motion` is known without being configured."""
        return self.models.get(name) or (ModelConfig(kind="motion") if name == "motion" else None)

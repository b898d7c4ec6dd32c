"""Every key of the configuration beside those of cameras, its meaning under it and its default in sight."""

from typing import Any, Literal

from pydantic import Field, model_validator

from penstock.config.camera_schema import (
    CameraConfig,
    CameraDefaults,
    CameraEntry,
    DetectConfig,
    S,
    Section,
    TemplateConfig,
)
from penstock.config.fields import Duration, Flag, Name, Number, Parameter, PositiveDuration, Size, Whole
from penstock.config.requirement_field import Requirements
from penstock.contracts.events import Severity

__all__ = [
    "CameraConfig",
    "CapacityConfig",
    "Config",
    "ConfigFile",
    "CropConfig",
    "ExecutorConfig",
    "IngestConfig",
    "LoggingConfig",
    "MetricsConfig",
    "ModelConfig",
    "ModelDetectConfig",
    "RuleConfig",
    "TracingConfig",
]


class ModelDetectConfig(Section):
    """What this model has otherwise than its cameras' `detect` says; what is left out is as they say."""

    fps: Number | None = Field(default=None, gt=0, le=120)
    """Analyses per second and camera, at most."""
    min_fps: Number | None = Field(default=None, ge=0, le=120)
    """Slower is worth nothing."""
    budget_ns: PositiveDuration | None = Field(default=None, alias="budget")
    """A result older than this is worth nothing."""
    priority: Whole | None = Field(default=None, ge=-100, le=100)
    """Higher goes first when not all can be served."""
    weight: Number | None = Field(default=None, gt=0, le=1000)
    """Its share beside others of its priority."""


class CropConfig(Section):
    """A model that looks at what another found: at each of its boxes, in the very picture in which it found them."""

    of: Name
    """The model that finds the boxes; it looks at the same cameras."""
    labels: tuple[str, ...] = ()
    """Only boxes of these classes; none given means all."""
    limit: Whole = Field(default=4, ge=1, le=64)
    """At most this many boxes of a picture, the most confident first."""
    margin: Number = Field(default=0.1, ge=0, le=2)
    """Added on each side, as a part of the box's width and height."""


class ModelConfig(Section):
    """One model: an ONNX file, a Python class, or the built-in `motion`."""

    kind: Literal["onnx", "motion", "python"] = "onnx"
    """`motion` finds moving regions and needs no file; `python` is a class of your own."""
    path: str = ""
    """The ONNX file, or the name of a known model that `penstock models get NAME` has fetched."""
    plugin: str = ""
    """The class of `kind: python`: `package.module:Class`, or `file.py:Class`. It runs in a process of its own."""
    parameters: dict[str, Parameter] = Field(default={})
    """Given to the class of `kind: python` by name."""
    executor: Name | None = None
    """`kind: python` only: models that name the same one share its process, one after another; left out, none do."""
    device: Name = "cpu"
    """Where it runs."""
    detect: ModelDetectConfig = ModelDetectConfig()
    requires: Requirements = Field(default={})
    """It runs only where these signals hold or these classes are in the picture: `[motion]`, or `{person: 2s}` for \
within the last 2 s."""
    crops: CropConfig | None = None
    shadow: Flag = False
    """For trying a model: it runs on what others leave over, and its events are kept but go nowhere."""
    backend: Literal["auto", "openvino", "onnxruntime"] = "auto"
    """What runs it: `auto` takes the cheaper one for the kind of network."""
    head: str = "auto"
    """How its outputs are read: `auto` recognises it, or its name."""
    class_names: tuple[str, ...] = ()
    """Names of all its classes in order, where the file does not have them."""
    labels: tuple[str, ...] = ()
    """Only these classes are kept; none given keeps all."""
    confidence: Number | None = Field(default=None, ge=0, le=1)
    """Boxes below it are dropped; left out, what suits the network: 0.25, for YuNet 0.7."""
    iou: Number | None = Field(default=None, ge=0, le=1)
    """Of two boxes that overlap more, the less confident is dropped; left out, 0.45, for YuNet 0.3."""
    max_detections: Whole = Field(default=300, ge=1, le=10_000)
    """At most this many boxes per picture."""
    top_k: Whole = Field(default=5, ge=1, le=1000)
    """How many classes of the whole picture a classifier states."""
    options: dict[str, Number] = Field(default={})
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
    shadow: Flag = False
    """Events are kept but go nowhere: for trying a rule."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"when": value} if isinstance(value, str) else value


class ExecutorConfig(Section):
    """The process that runs the models of one device, or those that name it as their `executor`."""

    streams: Whole | None = Field(default=None, ge=1, le=256)
    """Calls that run side by side; left out, one per core. Python classes run on one, unless they are `thread_safe`."""
    hang_timeout_ns: PositiveDuration = Field(default=10 * S, alias="hang_timeout")
    """A call that takes longer counts as hung: the process is killed and replaced."""


class IngestConfig(Section):
    """The processes that read and decode cameras."""

    groups: Whole | None = Field(default=None, ge=1, le=256)
    """Number of processes; left out, one for every 8 cameras, at most one per core."""


class CapacityConfig(Section):
    """What the run may take of this host; the plan shares it out."""

    cores: Number | None = Field(default=None, gt=0, le=4096)
    """Processor cores; left out, all that the process may use."""
    memory_budget_bytes: Size | None = Field(default=None, alias="memory_budget")
    """Memory of all its processes together; a run that needs more does not start. Left out, no limit."""


class MetricsConfig(Section):
    """The HTTP server of `/metrics` and `/health`."""

    enabled: Flag = True
    """Without it nothing is served."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Whole = Field(default=9090, ge=0, le=65_535)
    """Port to listen on; 0 takes any that is free."""


class LoggingConfig(Section):
    """Log lines, on standard error."""

    format: Literal["human", "json"] = "human"
    """For people, or one JSON object per line."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe that is written."""


class TracingConfig(Section):
    """The ways of single frames, sent to an OpenTelemetry collector. Needs `pip install penstock[otel]`."""

    endpoint: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """OTLP over HTTP, such as `http://collector:4318`; left out, nothing is sent."""
    sample: Number = Field(default=0.01, ge=0, le=1)
    """The part of all decoded frames whose way is sent."""
    service_name: str = Field(default="penstock", min_length=1)
    """Under which the collector files them."""


class Config(Section):
    """Everything that one run does."""

    data_dir: str = "./penstock-data"
    """Folder of events, clips and the database."""
    isolation: Literal["process", "thread"] = "process"
    """`process` survives crashes of decoders and models; `thread` runs all in one process."""
    cameras: dict[Name, CameraConfig]
    """The cameras, by name."""
    models: dict[Name, ModelConfig] = Field(default={})
    """The models, by name. `motion` is always known."""
    rules: dict[Name, RuleConfig] = Field(default={})
    """The rules, by name."""
    executors: dict[Name, ExecutorConfig] = Field(default={})
    """Settings of the processes that run models, by device or by the models' `executor`."""
    capacity: CapacityConfig = CapacityConfig()
    ingest: IngestConfig = IngestConfig()
    metrics: MetricsConfig = MetricsConfig()
    logging: LoggingConfig = LoggingConfig()
    tracing: TracingConfig = TracingConfig()
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

    def detect_of(self, camera: CameraConfig, model: str) -> DetectConfig:
        """How often `model` looks at `camera`: the camera's `detect` with what the model says otherwise."""
        own = self.model(model)
        if own is None:
            return camera.detect
        said = {name: getattr(own.detect, name) for name in ModelDetectConfig.model_fields}
        update = {name: value for name, value in said.items() if value is not None}
        if own.shadow:
            # Nobody is paused for a model on trial.
            update.setdefault("min_fps", 0.0)
        return camera.detect.model_copy(update=update)


class ConfigFile(Config):
    """Everything that one run does, as it is written."""

    defaults: CameraDefaults = CameraDefaults()
    templates: dict[Name, TemplateConfig] = Field(default={})
    """Parts of cameras that cameras name with `template`, by name."""
    cameras: dict[Name, CameraEntry]  # type: ignore[assignment]
    """The cameras, by name."""

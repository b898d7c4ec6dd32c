"""Every key of a camera, its meaning under it and its default in sight; also what cameras inherit from.

Key names are those of Frigate where the meaning is the same. Times are held in nanoseconds and sizes in bytes,
under attributes that say so; the file has the key without the unit.
"""

from typing import Any, Literal, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

from penstock.config.fields import (
    Coordinates,
    Duration,
    Flag,
    Name,
    Names,
    Number,
    OptionText,
    PositiveDuration,
    Size,
    ValueName,
    ValueText,
    Whole,
    ZoneName,
)
from penstock.contracts.identity import Role
from penstock.contracts.specs import ClockTrust, SourceMode, Transport

S = 1_000_000_000
MS = 1_000_000
MIB = 1024 * 1024


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)


class CameraSection(Section):
    """Part of a camera: may be inherited, and `null` takes a key back to the program's default."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, value: Any) -> Any:
        return cls._without_nulls(value)

    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        """Known keys lose their nulls, and so do names of zones and the like; unknown keys stay to be found."""
        if not isinstance(value, dict):
            return value
        result = dict(value)
        for name, field in cls.model_fields.items():
            key = field.alias or name
            found = result.get(key)
            if key in result and found is None:
                del result[key]
            elif isinstance(found, dict) and get_origin(field.annotation) is dict:
                result[key] = {below: item for below, item in found.items() if item is not None}
        return result


class InputSettings(CameraSection):
    """Settings of all inputs of a camera; an input may say otherwise."""

    mode: SourceMode = SourceMode.LIVE
    """How a file is played: `live` in its own time, `lossless` as fast as possible, once, every picture processed."""
    loop: Flag = True
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
    options: dict[str, OptionText] = {}
    """Passed to FFmpeg's demuxer, or to a source plugin, as they are."""


class InputConfig(InputSettings):
    """One stream of a camera."""

    path: str = Field(min_length=1)
    """Where it comes from: an address or a file, as under `url`."""
    roles: tuple[Role, ...] = Field(default=(Role.DETECT, Role.RECORD), min_length=1)
    """What the stream is for: `detect` is decoded, `record` is kept as packets for clips."""


class DetectConfig(CameraSection):
    """How often a camera is analysed, and how old a result may be."""

    fps: Number = Field(default=5.0, gt=0, le=120)
    """Analyses per second and model, at most."""
    min_fps: Number = Field(default=0.0, ge=0, le=120)
    """Slower is worth nothing: lower priorities are paused for it, and where it cannot be had, this lane is paused."""
    budget_ns: PositiveDuration = Field(default=500 * MS, alias="budget")
    """A result older than this is worth nothing: work that would end later is not started."""
    priority: Whole = Field(default=0, ge=-100, le=100)
    """Higher goes first when not all can be served."""
    weight: Number = Field(default=1.0, gt=0, le=1000)
    """Of two cameras of one priority that are both short, the one of weight 2 is analysed twice as often."""
    decode: Literal["all", "nonref", "keyframes", "auto"] = "all"
    """The most that is decoded: `all` pictures; `nonref`, without those that no other refers to; `keyframes`; `auto`, \
keyframes until one shows that something moves."""


class MotionConfig(CameraSection):
    """The gate: a picture in which nothing moved costs no inference, and the last result stays valid."""

    enabled: Flag = True
    """Without the gate every picture that is due is analysed."""
    threshold: Number = Field(default=0.6, ge=0, le=255)
    """Mean absolute difference of brightness (0-255, at 320×180) above which something moved."""
    quiet_interval_ns: PositiveDuration = Field(default=5 * S, alias="quiet_interval")
    """A still camera is analysed this often all the same."""


class ZoneConfig(CameraSection):
    """A named part of the picture; a box is in it when the middle of its lower edge is."""

    coordinates: Coordinates
    """At least 3 points in fractions of the picture: `0.1,0.2,0.5,0.2,0.5,0.9` or a list of pairs."""


class RecordConfig(CameraSection):
    """Clips of events."""

    enabled: Flag = True
    """Whether events get a clip."""
    pre_capture_ns: Duration = Field(default=5 * S, alias="pre_capture")
    """Length before the event; the clip starts at the keyframe before it."""
    post_capture_ns: Duration = Field(default=5 * S, alias="post_capture")
    """Length after the event's end."""
    max_clip_ns: PositiveDuration = Field(default=300 * S, alias="max_clip")
    """A clip ends here, however long its event lasts."""


class SnapshotsConfig(CameraSection):
    """A picture of the moment that confirmed an event."""

    enabled: Flag = True
    """Whether events get a snapshot."""
    quality: Whole = Field(default=90, ge=1, le=100)
    """JPEG quality."""


class BufferConfig(CameraSection):
    """The packets of a camera that are kept in memory, for clips that start before their event."""

    duration_ns: PositiveDuration = Field(default=60 * S, alias="duration")
    """Kept at most this long."""
    size_bytes: Size = Field(default=32 * MIB, alias="size")
    """Kept at most this much; the oldest pictures leave first."""


class CameraConfig(CameraSection):
    """One camera. Give either `url`, or `inputs` where it has more than one stream."""

    enabled: Flag = True
    """A camera that is not enabled is checked and otherwise ignored."""
    url: str = ""
    """Short for one input with both roles: `rtsp://…`, `rtsps://…`, `http://…` and `https://…` (MJPEG or HLS), \
`/dev/video0`, `push://NAME` (images that a program hands over), `python:file.py:factory` (a source of your own), or a \
video file."""
    input: InputSettings = InputSettings()
    inputs: tuple[InputConfig, ...] = ()
    """The camera's streams, instead of `url`; each role may be given once."""
    detect: DetectConfig = DetectConfig()
    motion: MotionConfig = MotionConfig()
    models: tuple[Name, ...] | None = None
    """Models that look at this camera, by name; left out, all of `models` do (`motion` where there are none)."""
    zones: dict[ZoneName, ZoneConfig] = {}
    """Parts of the picture that rules speak of, by name."""
    record: RecordConfig = RecordConfig()
    snapshots: SnapshotsConfig = SnapshotsConfig()
    buffer: BufferConfig = BufferConfig()

    @model_validator(mode="before")
    @classmethod
    def _settings_of_all_inputs(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        common, inputs = value.get("input"), value.get("inputs")
        if isinstance(common, dict) and isinstance(inputs, list | tuple):
            filled = [{**common, **item} if isinstance(item, dict) else item for item in inputs]
            value = {**value, "inputs": filled}
        return cls._without_nulls(value)

    @property
    def streams(self) -> tuple[InputConfig, ...]:
        """The camera's inputs, with the short form written out."""
        if self.inputs or not self.url:
            return self.inputs
        settings = {name: getattr(self.input, name) for name in InputSettings.model_fields}
        return (InputConfig.model_construct(path=self.url, **settings),)


class CameraDefaults(CameraConfig):
    """What all cameras have, unless a template or the camera itself says otherwise; takes all keys of a camera."""

    values: dict[ValueName, ValueText] = {}
    """Texts that take the place of `{NAME}` in what the camera says and inherits; `{name}` is the camera's own name."""


class CameraEntry(CameraDefaults):
    """One camera. Give either `url`, or `inputs` where it has more than one stream."""

    template: Names = Field(default=(), min_length=1)
    """Template to build on, or a list of them, of which the later win."""


class TemplateConfig(CameraEntry):
    """A part of a camera, for cameras and other templates to build on; takes all keys of a camera."""

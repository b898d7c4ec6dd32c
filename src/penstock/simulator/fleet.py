"""Which cameras a simulation has, what they show and how they encode it: from a few options to films and plans.

Knows no FFmpeg, so that whoever only asks which films are wanted loads none.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.simulator.faults import Fault, FaultKind
from penstock.simulator.scene_spec import SETTINGS, SceneSpec
from penstock.simulator.video_file import EncodingSpec, film_recipe, film_suffix

DISTINCT_SCENES = 8
"""more cameras than this show the same scenes at other times of their loops"""
SUB_SIZE_PX = (320, 180)
SUB_FPS = 10
MAIN = EncodingSpec()
SUB = EncodingSpec(width_px=SUB_SIZE_PX[0], height_px=SUB_SIZE_PX[1], fps=SUB_FPS, gop=2 * SUB_FPS)


class FleetError(ValueError):
    """Options that do not go together: which, and what to do."""


@dataclass(frozen=True, slots=True)
class FleetSpec:
    """A number of simulated cameras that differ in what they show."""

    cameras: int = 4
    settings: tuple[str, ...] = SETTINGS
    """shown in turn"""
    seed: int = 1
    seconds: float = 40.0
    """length of the loop"""
    busy: float = 1.0
    timecode: bool = False
    main: EncodingSpec = MAIN
    sub: EncodingSpec | None = SUB
    """None for cameras with one stream"""
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamFilms:
    """One stream: its mount, its film, and those it shows instead when a fault asks for them."""

    path: str
    film: Path
    instead: dict[str, Path]


@dataclass(frozen=True, slots=True)
class CameraFilms:
    """One camera and where its films lie."""

    name: str
    scene: SceneSpec
    streams: tuple[StreamFilms, ...]
    phase_s: float
    """how far into its loop it is at the start"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What has to be drawn, and what is served then."""

    cameras: tuple[CameraFilms, ...]
    drawings: tuple[tuple[SceneSpec, dict[Path, EncodingSpec]], ...]


def fleet(spec: FleetSpec, folder: Path) -> Fleet:
    """Raises FleetError for options that cannot be drawn."""
    names = _names(spec)
    strange = sorted({fault.camera for fault in spec.faults} - set(names))
    if strange:
        raise FleetError(f"a fault is meant for {strange[0]!r}; the cameras are {', '.join(names)}")
    drawings: dict[SceneSpec, dict[Path, EncodingSpec]] = {}
    cameras = []
    for number, name in enumerate(names):
        scene = _scene(spec, number)
        films = drawings.setdefault(scene, {})
        faults = [fault for fault in spec.faults if fault.camera == name]
        streams = []
        for path, encoding in ((name, spec.main), (f"{name}/sub", spec.sub)):
            if encoding is None:
                continue
            film = _film(folder, scene, encoding, films)
            instead = {key: _film(folder, scene, other, films) for key, other in _others(encoding, faults).items()}
            streams.append(StreamFilms(path, film, instead))
        phase_s = spec.seconds * (number // _scenes(spec)) * 0.37 % spec.seconds
        cameras.append(CameraFilms(name, scene, tuple(streams), phase_s))
    return Fleet(tuple(cameras), tuple(drawings.items()))


def _names(spec: FleetSpec) -> list[str]:
    if not 1 <= spec.cameras <= 256:
        raise FleetError(f"a simulation has 1 to 256 cameras, not {spec.cameras}")
    for setting in spec.settings:
        if setting not in SETTINGS:
            raise FleetError(f"setting {setting!r} is not known; there are {', '.join(SETTINGS)}")
    turns = len(spec.settings)
    return [
        spec.settings[number % turns] + (str(number // turns + 1) if number >= turns else "")
        for number in range(spec.cameras)
    ]


def _scenes(spec: FleetSpec) -> int:
    """How many different scenes there are: a whole number of turns of the settings."""
    turns = len(spec.settings)
    return min(spec.cameras, max(DISTINCT_SCENES // turns, 1) * turns)


def _scene(spec: FleetSpec, number: int) -> SceneSpec:
    kind = number % _scenes(spec)
    try:
        return SceneSpec(
            spec.settings[kind % len(spec.settings)],
            spec.seed + kind,
            width_px=spec.main.width_px,
            height_px=spec.main.height_px,
            fps=max(spec.main.fps, spec.sub.fps if spec.sub else 0),
            seconds=spec.seconds,
            timecode=spec.timecode,
            busy=spec.busy,
        )
    except ValueError as error:
        raise FleetError(str(error)) from None


def _others(encoding: EncodingSpec, faults: Sequence[Fault]) -> dict[str, EncodingSpec]:
    """What a stream has to have ready for the faults of its camera, by what they ask for."""
    found = {}
    for fault in faults:
        if fault.kind is FaultKind.CODEC:
            found[fault.codec] = _encoding(encoding, fault.codec, encoding.width_px, encoding.height_px)
        elif fault.kind is FaultKind.SIZE:
            width_px, height_px = fault.size_px
            found[f"{width_px}x{height_px}"] = _encoding(encoding, encoding.codec, width_px, height_px)
    return found


def _encoding(like: EncodingSpec, codec: str, width_px: int, height_px: int) -> EncodingSpec:
    """`like` in another codec or size; what the codec has no B-frames for, it goes without."""
    b_frames = {"mjpeg": 0, "mpeg4": min(like.b_frames, 4)}.get(codec, like.b_frames)
    try:
        return EncodingSpec(codec, width_px, height_px, like.fps, like.gop, b_frames, like.crf, like.kbps)
    except ValueError as error:
        raise FleetError(str(error)) from None


def _film(folder: Path, scene: SceneSpec, encoding: EncodingSpec, films: dict[Path, EncodingSpec]) -> Path:
    """A name that says what one would look for, and ends in what tells recipes apart."""
    recipe = hashlib.sha256(film_recipe(scene, encoding).encode()).hexdigest()[:8]
    name = f"{scene.setting}-{scene.seed}-{encoding.codec}-{encoding.width_px}x{encoding.height_px}-{recipe}"
    path = folder / f"{name}{film_suffix(encoding.codec)}"
    films[path] = encoding
    return path

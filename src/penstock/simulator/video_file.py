"""Turns a scene into files that any player and any camera server takes, each a loop that begins with a keyframe.

The scene is drawn once for several encodings. Each file carries the recipe it was made by, so that a second call
finds it and draws nothing; it is written under a temporary name and renamed, so that a file under its own name is
whole. What is true of the scene is written beside each.
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from penstock.simulator.scene_spec import SceneSpec
from penstock.simulator.truth import TrueBox, drawn_index, film_frames, truth_path, truth_text

if TYPE_CHECKING:
    import av
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    from penstock.simulator.scene import Scene

_HEAD_BYTES = 256 * 1024
CODECS = ("h264", "hevc", "mpeg4", "mjpeg")
_ENCODERS = {"h264": "libx264", "hevc": "libx265", "mpeg4": "mpeg4", "mjpeg": "mjpeg"}
_CONTAINERS = {".mp4": "mp4", ".mkv": "matroska"}


@dataclass(frozen=True, slots=True)
class EncodingSpec:
    """How a scene is encoded; raises ValueError, saying what is allowed, for what cannot be."""

    codec: str = "h264"
    """one of CODECS"""
    width_px: int = 640
    height_px: int = 360
    """the drawn picture is scaled to this"""
    fps: int = 25
    """at most the scene's; each picture is the nearest drawn one"""
    gop: int = 50
    """pictures from keyframe to keyframe; groups are closed"""
    b_frames: int = 0
    crf: int = 27
    """constant quality, where no rate is given: 0 best, 51 worst; MPEG-4 and JPEG take the nearest quantiser"""
    kbps: int | None = None
    """constant bit rate"""

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise ValueError(f"codec {self.codec!r} is not known; there are {', '.join(CODECS)}")
        if self.width_px % 2 or self.height_px % 2 or self.width_px < 64 or self.height_px < 36:
            raise ValueError(f"a film has even numbers of pixels from 64×36, not {self.width_px}×{self.height_px}")
        if self.gop < 1:
            raise ValueError(f"keyframes are 1 picture or more apart, not {self.gop}")
        most = {"h264": 16, "hevc": 16, "mpeg4": 4, "mjpeg": 0}[self.codec]
        if self.b_frames and not most:
            raise ValueError(f"{self.codec} has no B-frames")
        if not 0 <= self.b_frames <= most:
            raise ValueError(f"{self.codec} has 0 to {most} B-frames in a row, not {self.b_frames}")
        if not 0 <= self.crf <= 51:
            raise ValueError(f"crf lies between 0 and 51, not {self.crf}")
        if self.kbps is not None and self.kbps < 10:
            raise ValueError(f"a film has 10 kbit/s or more, not {self.kbps}")

    @property
    def recipe(self) -> str:
        rate = f"crf={self.crf}" if self.kbps is None else f"kbps={self.kbps}"
        size = f"{self.width_px}x{self.height_px}"
        return f"{self.codec} size={size} fps={self.fps} gop={self.gop} b={self.b_frames} {rate}"


def film_suffix(codec: str) -> str:
    """The file name's end that suits a codec: MP4, or Matroska for what few players take in MP4."""
    return ".mkv" if codec == "mjpeg" else ".mp4"


def film_recipe(scene: SceneSpec, encoding: EncodingSpec) -> str:
    """Names everything that a film depends on."""
    return f"{scene.recipe}; {encoding.recipe}"


def is_drawn(path: Path, scene: SceneSpec, encoding: EncodingSpec) -> bool:
    """Whether `path` is a whole film made by this recipe, its truth beside it; loads no FFmpeg.

    The recipe stands near the beginning of both.
    """
    try:
        with path.open("rb") as film, truth_path(path).open("rb") as truth:
            recipe = f"[{film_recipe(scene, encoding)}]".encode()
            return recipe in film.read(_HEAD_BYTES) and f'"{scene.recipe}"'.encode() in truth.read(4096)
    except OSError:
        return False


def unfinished_path(path: Path, pid: int) -> Path:
    """Where process `pid` writes a film until it is whole."""
    return path.with_name(f".{path.name}.{pid}.part")


def write_films(scene: SceneSpec, films: Mapping[Path, EncodingSpec]) -> list[Path]:
    """Draws and encodes one loop for those that are not there yet, made the same way; returns which those were.

    4:2:0; MP4 with its index in front or Matroska, by the file name's end. Raises ValueError for what cannot be
    encoded, OSError where a folder cannot be written; films that are there already stay as they are.
    """
    for path, encoding in films.items():
        if path.suffix not in _CONTAINERS:
            raise ValueError(f"{path}: a film's name ends in {' or '.join(_CONTAINERS)}")
        film_frames(scene, encoding.fps)
    missing = {path: spec for path, spec in films.items() if not is_drawn(path, scene, spec)}
    if not missing:
        return []
    unfinished = {path: unfinished_path(path, os.getpid()) for path in missing}
    for path in missing:
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        truth = _draw(scene, {unfinished[path]: (spec, _CONTAINERS[path.suffix]) for path, spec in missing.items()})
        for path, part in unfinished.items():
            truth_part = part.with_suffix(".truth")
            try:
                truth_part.write_text(truth, encoding="utf-8")
                truth_part.replace(truth_path(path))
            finally:
                truth_part.unlink(missing_ok=True)
            part.replace(path)
    finally:
        for part in unfinished.values():
            part.unlink(missing_ok=True)
    return list(missing)


class _Film:
    """One encoding under way; given every drawn picture, it takes those it shows."""

    def __init__(self, container: "OutputContainer", scene: SceneSpec, spec: EncodingSpec) -> None:
        from av.video.reformatter import VideoReformatter  # noqa: PLC0415

        self._container = container
        self._scaler = VideoReformatter()
        self._spec = spec
        self._wanted = [drawn_index(scene, spec.fps, picture) for picture in range(film_frames(scene, spec.fps))]
        self._shown = 0
        container.metadata["comment"] = f"[{film_recipe(scene, spec)}]"
        self._stream = cast("VideoStream", container.add_stream(_ENCODERS[spec.codec], rate=spec.fps))
        _set_up(self._stream, spec)

    def take(self, index: int, picture: "av.VideoFrame") -> None:
        if self._shown == len(self._wanted) or self._wanted[self._shown] != index:
            return
        scaled = self._scaler.reformat(
            picture, self._spec.width_px, self._spec.height_px, self._stream.pix_fmt, interpolation="AREA"
        )
        scaled.pts, scaled.time_base = self._shown, Fraction(1, self._spec.fps)
        self._container.mux(self._stream.encode(scaled))
        self._shown += 1

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))


def _draw(spec: SceneSpec, parts: Mapping[Path, tuple[EncodingSpec, str]]) -> str:
    """Writes the films and returns the truth as text."""
    import av  # noqa: PLC0415 - NumPy and FFmpeg are for those who draw
    from av.video.reformatter import VideoReformatter  # noqa: PLC0415

    from penstock.simulator.scene import Scene  # noqa: PLC0415

    scene = Scene(spec)
    with ExitStack() as stack:
        films = []
        for path, (encoding, kind) in parts.items():
            options = {"movflags": "+faststart"} if kind == "mp4" else {}
            container = stack.enter_context(av.open(path, "w", format=kind, options=options))
            films.append(_Film(container, spec, encoding))
        converter = VideoReformatter()
        for index in range(scene.frames):
            drawn = av.VideoFrame.from_ndarray(scene.render(index), format="rgb24")
            drawn = converter.reformat(drawn, format="yuv420p")
            for film in films:
                film.take(index, drawn)
        for film in films:
            film.finish()
    return truth_text(spec, scene.zones, scene.situations, _all_boxes(scene))


def _all_boxes(scene: "Scene") -> list[tuple[TrueBox, ...]]:
    return [scene.truth(index) for index in range(scene.frames)]


def _set_up(stream: "VideoStream", spec: EncodingSpec) -> None:
    """Fast presets, closed groups of exactly `gop` pictures, one thread: several films are drawn side by side."""
    gop, context = str(spec.gop), stream.codec_context
    stream.width, stream.height = spec.width_px, spec.height_px
    stream.pix_fmt = "yuvj420p" if spec.codec == "mjpeg" else "yuv420p"
    stream.time_base = Fraction(1, spec.fps)
    options = {"threads": "1"}
    if spec.codec == "h264":
        options |= {"preset": "ultrafast", "bf": str(spec.b_frames), "b_strategy": "0", "g": gop, "keyint_min": gop}
        options |= {"sc_threshold": "0"}
    elif spec.codec == "hevc":
        context.codec_tag = "hvc1"
        rules = f"log-level=none:keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:bframes={spec.b_frames}:b-adapt=0"
        options |= {"preset": "ultrafast", "x265-params": f"{rules}:pools=none:frame-threads=1:info=0"}
    elif spec.codec == "mpeg4":
        options |= {"bf": str(spec.b_frames), "g": gop, "flags": "+cgop", "sc_threshold": "1000000000"}
    if spec.kbps is not None:
        context.bit_rate = spec.kbps * 1000
        options |= {"maxrate": str(spec.kbps * 1000), "bufsize": str(spec.kbps * 1000)}
    elif spec.codec in ("h264", "hevc"):
        options["crf"] = str(spec.crf)
    else:
        quantiser = min(max(round(2 + (spec.crf - 20) / 4), 2), 31)
        context.qmin = context.qmax = quantiser
    stream.options = dict(options)

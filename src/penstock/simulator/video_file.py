"""Turns a scene into an H.264 file that any player and any camera server takes.

The file carries the parameters it was made with, so that a second call finds it and draws nothing; it is written
under a temporary name and renamed, so that a file under its own name is whole.
"""

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.simulator.scene import Scene

_SCENE_VERSION = 2
"""raised when the same seed comes to draw something else"""
_HEAD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class VideoSpec:
    """All that a drawn video depends on."""

    seed: int
    figures: int = 3
    width_px: int = 640
    height_px: int = 360
    seconds: float = 30.0
    fps: int = 25
    gop: int = 50

    @property
    def recipe(self) -> str:
        return (
            f"penstock scene {_SCENE_VERSION}: seed={self.seed} figures={self.figures} "
            f"size={self.width_px}x{self.height_px} seconds={self.seconds:g} fps={self.fps} gop={self.gop}"
        )

    def scene(self) -> "Scene":
        """The scene, whose loop is the video."""
        from penstock.simulator.scene import Scene  # noqa: PLC0415 - NumPy and FFmpeg are for those who draw

        return Scene(
            self.seed,
            width_px=self.width_px,
            height_px=self.height_px,
            fps=self.fps,
            seconds=self.seconds,
            figures=self.figures,
        )


def is_drawn(path: Path, spec: VideoSpec) -> bool:
    """Whether `path` is a whole video of `spec`; loads no FFmpeg, for the recipe stands near the file's beginning."""
    try:
        with path.open("rb") as file:
            return spec.recipe.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False


def write_demo_video(path: Path, spec: VideoSpec) -> bool:
    """Draws and encodes one loop; False where the file is already there, made the same way.

    H.264 (libx264, ultrafast, crf 28, no B-frames), 4:2:0, a keyframe every `gop` pictures, MP4 with its index
    in front. Raises OSError where the folder cannot be written.
    """
    if is_drawn(path, spec):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _encode(unfinished, spec)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def _encode(path: Path, spec: VideoSpec) -> None:
    import av  # noqa: PLC0415

    scene, fps, gop = spec.scene(), spec.fps, spec.gop
    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = spec.recipe
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = spec.width_px, spec.height_px
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, fps)
        stream.options = {
            "preset": "ultrafast",
            "crf": "28",
            "bf": "0",
            "g": str(gop),
            "keyint_min": str(gop),
            "sc_threshold": "0",
            "threads": "1",
        }
        for index in range(scene.frames):
            picture = av.VideoFrame.from_ndarray(scene.render(index), format="rgb24")
            picture.pts = index
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))

"""Turns a scene into an H.264 file that any player and any camera server takes.

The file carries the parameters it was made with, so that a second call finds it and draws nothing; it is written
under a temporary name and renamed, so that a file under its own name is whole.
"""

import logging
import os
from fractions import Fraction
from pathlib import Path

from penstock.simulator.scene import Scene

log = logging.getLogger(__name__)

_SCENE_VERSION = 2
"""raised when the same seed comes to draw something else"""


def write_demo_video(path: Path, scene: Scene, seconds: float, fps: int, gop: int) -> bool:
    """Draws and encodes `seconds` of `scene`; False where the file is already there, made the same way.

    H.264 (libx264, ultrafast, crf 28, no B-frames), 4:2:0, a keyframe every `gop` pictures, MP4 with its index
    in front. Raises OSError where the folder cannot be written.
    """
    recipe = (
        f"penstock scene {_SCENE_VERSION}: seed={scene.seed} size={scene.width_px}x{scene.height_px} "
        f"loop={scene.seconds:g} figures={scene.figures} seconds={seconds:g} fps={fps} gop={gop}"
    )
    if _recipe_of(path) == recipe:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _encode(unfinished, scene, round(seconds * fps), fps, gop, recipe)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def _recipe_of(path: Path) -> str | None:
    import av  # noqa: PLC0415 - FFmpeg is loaded by those who draw, not by all who import this room

    if not path.is_file():
        return None
    try:
        with av.open(path) as container:
            return container.metadata.get("comment")
    except av.FFmpegError as error:
        log.warning("drawing %s again: it cannot be read (%s)", path, error)
        return None


def _encode(path: Path, scene: Scene, frames: int, fps: int, gop: int, recipe: str) -> None:
    import av  # noqa: PLC0415

    with av.open(path, "w", format="mp4", options={"movflags": "+faststart"}) as container:
        container.metadata["comment"] = recipe
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height = scene.width_px, scene.height_px
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
        for index in range(frames):
            picture = av.VideoFrame.from_ndarray(scene.render(index), format="rgb24")
            picture.pts = index
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))

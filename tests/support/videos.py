"""Writes small video files in which a bar walks, for tests that need a file and not a scene."""

from fractions import Fraction
from pathlib import Path

import av
from scripted_camera import draw


def write_video(
    path: Path,
    *,
    width_px: int = 320,
    height_px: int = 192,
    fps: int = 10,
    frames: int = 60,
    gop: int = 10,
    index_first: bool = False,
    bright_from: int | None = None,
) -> Path:
    """H.264 in the container that the name says; pictures from `bright_from` on are light with a dark bar."""
    options = {"movflags": "+faststart"} if index_first else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, "yuv420p"
        stream.options = {"preset": "ultrafast", "x264-params": f"keyint={gop}:scenecut=0:bframes=0"}
        for i in range(frames):
            frame = draw(i, width_px, height_px, bright=bright_from is not None and i >= bright_from)
            frame.pts, frame.time_base = i, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path

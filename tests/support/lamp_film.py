"""A film for tests of models that know a lamp: something small always moves, and the lamp is lit for a while."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_lamp_film(path: Path, *, fps: int, seconds: int, lit_s: tuple[float, float]) -> None:
    """320×180 H.264, a keyframe every second, dark but for a lamp of 40×40 at (200, 80) while it is lit."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "g": str(fps)})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for i in range(fps * seconds):
            luma = np.full((180, 320), 40, np.uint8)
            luma[:20, (8 * i) % 300 :][:, :20] = 110
            if lit_s[0] <= i / fps < lit_s[1]:
                luma[80:120, 200:240] = 235
            frame = av.VideoFrame.from_ndarray(np.concatenate([luma, np.full((90, 320), 128, np.uint8)]), "yuv420p")
            frame.pts, frame.time_base = i, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

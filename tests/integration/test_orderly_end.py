"""A run that is told to end while frames wait for a model: they are cancelled; lost is what a crash takes."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from aftermath import assert_books
from running import Running

CAMERAS = ("gate", "hall", "yard")
FPS = 10
SLOW = """
import time
class Slow:
    signals = ("seen",)
    def predict(self, picture, context):
        time.sleep(0.2)
        return {"scalars": {"seen": 1}}
"""


def write_film(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "g": str(FPS)})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(6 * FPS):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * i, np.uint8), "rgb24")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_frames_that_wait_at_an_orderly_end_are_cancelled(tmp_path: Path, isolation: str) -> None:
    """One call of 200 ms at a time for three cameras of 10 fps: some frame always waits."""
    film = tmp_path / "film.mp4"
    write_film(film)
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    config = {
        "models": {"slow": {"kind": "python", "plugin": f"{tmp_path / 'slow.py'}:Slow"}},
        "cameras": {
            name: {
                "inputs": [{"path": str(film), "mode": "live"}],
                "models": ["slow"],
                "detect": {"fps": FPS, "budget": "5s"},
                "motion": {"enabled": False},
            }
            for name in CAMERAS
        },
    }
    with Running(tmp_path / "run", config, "--isolation", isolation) as run:
        run.wait_analysing(*CAMERAS)
        ended = run.stop()
    assert ended.code == 0
    report = run.report()
    assert_books(report)
    fates = [lane["fates"] for lane in report["lanes"].values()]
    assert sum(fate["cancelled"] for fate in fates) > 0, "some frame waited, or the test proves nothing"
    assert [fate["lost"] for fate in fates] == [0, 0, 0]

"""The demonstration's videos, drawn by real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli.demo import VIDEOS, demo_cameras
from penstock.simulator.draw import DrawingFailed, wait_drawn
from penstock.simulator.video_file import is_drawn


def test_the_videos_are_drawn_once(tmp_path: Path) -> None:
    cameras = demo_cameras(tmp_path)
    assert cameras == [f"yard={tmp_path}/demo/yard.mp4", f"gate={tmp_path}/demo/gate.mp4"]
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["gate.mp4", "yard.mp4"]
    assert wait_drawn({tmp_path / "demo" / f"{name}.mp4": spec for name, spec in VIDEOS.items()}) == 0


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "demo").touch()
    with pytest.raises(DrawingFailed, match=r"yard.mp4 cannot be drawn: .*(exists|not a directory)"):
        demo_cameras(tmp_path)


def test_who_runs_the_demonstration_loads_no_video_library(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    code = (
        "import sys; from pathlib import Path; from penstock.simulator.draw import wait_drawn;"
        "from penstock.simulator.video_file import VideoSpec;"
        f"wait_drawn({{Path({str(path)!r}): VideoSpec(1)}});"
        "assert not {'av', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert is_drawn(path, VIDEOS["yard"])

"""Films of scenes, drawn by real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from penstock.simulator.draw import DrawingFailed, wait_drawn
from penstock.simulator.scene_spec import SceneSpec
from penstock.simulator.video_file import EncodingSpec, is_drawn

SHORT = SceneSpec("street", seed=1, seconds=10.0, fps=5)
SHORT_FILM = EncodingSpec(fps=5, gop=5)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "films").touch()
    with pytest.raises(DrawingFailed, match=r"a.mp4 cannot be drawn: .*(exists|not a directory)"):
        wait_drawn([(SHORT, {tmp_path / "films" / "a.mp4": SHORT_FILM})])


def test_what_cannot_be_encoded_is_told(tmp_path: Path) -> None:
    with pytest.raises(DrawingFailed, match=r"a.mp4 cannot be drawn: a film of this scene has 1 to 5 pictures"):
        wait_drawn([(SHORT, {tmp_path / "a.mp4": EncodingSpec(fps=10)})])
    assert list(tmp_path.iterdir()) == []


def test_many_scenes_are_drawn_and_those_there_are_left_alone(tmp_path: Path) -> None:
    scenes = [SceneSpec("yard", seed, width_px=64, height_px=36, seconds=10.0, fps=1) for seed in range(5)]
    films = [(scene, {tmp_path / f"{scene.seed}.mkv": EncodingSpec(fps=1, gop=5)}) for scene in scenes]
    assert wait_drawn(films[:2]) == 2
    before = (tmp_path / "1.mkv").stat().st_mtime_ns
    assert wait_drawn(films) == 3
    assert (tmp_path / "1.mkv").stat().st_mtime_ns == before
    assert len(list(tmp_path.glob("*.mkv"))) == 5


def test_who_has_films_drawn_loads_no_video_library(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    code = (
        "import sys; from pathlib import Path; from penstock.simulator.draw import wait_drawn;"
        "from penstock.simulator.scene_spec import SceneSpec; from penstock.simulator.truth import *;"
        "from penstock.simulator.situations import true_events;"
        "from penstock.simulator.video_file import EncodingSpec;"
        f"path = Path({str(path)!r}); scene = SceneSpec('street', 1, seconds=10.0, fps=5);"
        "assert wait_drawn([(scene, {path: EncodingSpec(fps=5, gop=5)})]) == 1;"
        "assert len(read_truth(truth_path(path)).frames) == 50;"
        "assert not {'av', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert is_drawn(path, SHORT, SHORT_FILM)

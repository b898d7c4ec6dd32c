"""From films on disk to cameras: what they are called, when their loops began, and what cannot be."""

import shutil
from pathlib import Path

import pytest
from served_films import write_clip

from penstock.base.clock import NS_PER_S, SimulatedClock
from penstock.simulator.faults import parse_fault
from penstock.simulator.film import FilmError
from penstock.simulator.fleet import CameraFilms, Fleet, FleetError, StreamFilms
from penstock.simulator.line_up import drawn_cameras, file_cameras
from penstock.simulator.scene_spec import SceneSpec


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "gate.mp4", "libx264")


def url(path: str) -> str:
    return f"rtsp://h/{path}"


def test_drawn_cameras_share_their_films_and_begin_where_their_phase_says(clip: Path, clock: SimulatedClock) -> None:
    scene = SceneSpec("yard", 1, seconds=10.0)
    streams = (StreamFilms("yard", clip, {"320x240": clip}), StreamFilms("yard/sub", clip, {}))
    other = (StreamFilms("yard2", clip, {}),)
    fleet = Fleet((CameraFilms("yard", scene, streams, 0.0), CameraFilms("yard2", scene, other, 3.7)), ())
    faults = [parse_fault("yard:size=320x240"), parse_fault("yard2:loss=1%")]
    first, second = drawn_cameras(fleet, clock, faults=faults, cached_gop=True, seed=5)
    assert first.plan.streams[0].film is second.plan.streams[0].film is first.plan.streams[0].instead["320x240"]
    assert (first.plan.epoch_ns, second.plan.epoch_ns) == (clock.now_ns(), clock.now_ns() - round(3.7 * NS_PER_S))
    assert (first.plan.faults, second.plan.faults) == ((faults[0],), (faults[1],))
    assert (first.plan.seed, second.plan.seed) == (5, 6)
    assert first.plan.cached_gop
    ready = first.ready(url, clock)
    assert (ready.url, ready.sub_url) == ("rtsp://h/yard", "rtsp://h/yard/sub")
    assert ready.truth == str(clip.with_name("gate.truth.json"))
    assert ready.loop_ns == 10 * NS_PER_S
    assert ready.epoch_utc_ns == ready.epoch_ns + clock.utc_offset_ns
    assert second.ready(url, clock).sub_url == ""


NAMES = {
    "as it is": (["gate.mp4"], ["gate"]),
    "the same twice": (["gate.mp4", "gate.mp4"], ["gate", "gate2"]),
    "what an address cannot hold": (["my clip (1).mp4"], ["my-clip-1"]),
    "nothing of it": (["ü.mp4"], ["video"]),
    "made equal": (["a b.mp4", "a-b.mp4", "a-b2.mp4"], ["a-b", "a-b2", "a-b22"]),
}


@pytest.mark.parametrize(("files", "names"), NAMES.values(), ids=NAMES)
def test_files_give_cameras_their_names(
    files: list[str], names: list[str], clip: Path, clock: SimulatedClock, tmp_path: Path
) -> None:
    for file in files:
        shutil.copy(clip, tmp_path / file)
    served = file_cameras([tmp_path / file for file in files], clock)
    assert [one.plan.name for one in served] == names
    assert [one.plan.streams[0].path for one in served] == names
    assert {one.loop_ns for one in served} == {20 * NS_PER_S // 25}
    assert served[0].ready(url, clock).truth == ""


def test_what_a_file_cannot_do_is_told(clip: Path, clock: SimulatedClock, tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="`codec` and `size` faults need drawn cameras"):
        file_cameras([clip], clock, faults=[parse_fault("gate:codec=hevc")])
    with pytest.raises(FleetError, match="meant for 'yard'; the cameras are gate"):
        file_cameras([clip], clock, faults=[parse_fault("yard:stall")])
    with pytest.raises(FilmError, match="No such file"):
        file_cameras([tmp_path / "none.mp4"], clock)

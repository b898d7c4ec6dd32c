"""Which cameras and films a few options come to: names, phases, what is drawn, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.simulator.faults import parse_fault
from penstock.simulator.fleet import DISTINCT_SCENES, FleetError, FleetSpec, fleet
from penstock.simulator.scene_spec import SETTINGS
from penstock.simulator.video_file import EncodingSpec

FILMS = Path("/films")


def test_the_usual_four() -> None:
    made = fleet(FleetSpec(), FILMS)
    assert [camera.name for camera in made.cameras] == ["street", "yard", "corridor", "car_park"]
    assert [camera.scene.seed for camera in made.cameras] == [1, 2, 3, 4]
    assert [camera.phase_s for camera in made.cameras] == [0.0] * 4
    assert [stream.path for stream in made.cameras[3].streams] == ["car_park", "car_park/sub"]
    assert len(made.drawings) == 4
    main, sub = made.drawings[0][1].values()
    assert (main.width_px, main.height_px, main.fps) == (640, 360, 25)
    assert (sub.width_px, sub.height_px, sub.fps) == (320, 180, 10)


NAMES = {
    "more cameras than settings": ((), 6, ["street", "yard", "corridor", "car_park", "street2", "yard2"]),
    "one setting": (("yard",), 3, ["yard", "yard2", "yard3"]),
    "two in turn": (("corridor", "yard"), 5, ["corridor", "yard", "corridor2", "yard2", "corridor3"]),
    "one camera": ((), 1, ["street"]),
}


@pytest.mark.parametrize(("settings", "cameras", "names"), NAMES.values(), ids=NAMES)
def test_names(settings: tuple[str, ...], cameras: int, names: list[str]) -> None:
    made = fleet(FleetSpec(cameras=cameras, settings=settings or SETTINGS), FILMS)
    assert [camera.name for camera in made.cameras] == names


def test_cameras_beyond_the_distinct_scenes_show_the_same_films_at_other_times() -> None:
    made = fleet(FleetSpec(cameras=20), FILMS)
    assert len(made.drawings) == DISTINCT_SCENES
    assert [made.cameras[n].streams[0].film for n in (0, 8, 16)] == [made.cameras[0].streams[0].film] * 3
    assert [round(made.cameras[n].phase_s, 6) for n in (0, 8, 16)] == [0.0, 14.8, 29.6]
    assert made.cameras[0].scene == made.cameras[8].scene


@given(
    st.integers(1, 256),
    st.lists(st.sampled_from(SETTINGS), min_size=1, max_size=4, unique=True),
    st.integers(0, 10**6),
    st.sampled_from((10.0, 40.0, 600.0)),
)
def test_names_and_mounts_never_repeat_and_every_film_is_drawn(
    cameras: int, settings: list[str], seed: int, seconds: float
) -> None:
    made = fleet(FleetSpec(cameras=cameras, settings=tuple(settings), seed=seed, seconds=seconds), FILMS)
    mounts = [stream.path for camera in made.cameras for stream in camera.streams]
    assert len(set(mounts)) == len(mounts) == 2 * cameras
    drawn = {path for _, films in made.drawings for path in films}
    assert {stream.film for camera in made.cameras for stream in camera.streams} == drawn
    assert all(0 <= camera.phase_s < seconds for camera in made.cameras)
    assert len({(camera.scene, camera.phase_s) for camera in made.cameras}) >= min(cameras, DISTINCT_SCENES)


def test_a_films_name_tells_recipes_apart_and_says_what_it_is() -> None:
    def film(spec: FleetSpec) -> Path:
        return fleet(spec, FILMS).cameras[0].streams[0].film

    usual = film(FleetSpec())
    assert usual.parent == FILMS
    assert usual.name.startswith("street-1-h264-640x360-")
    assert usual.suffix == ".mp4"
    changed = [
        FleetSpec(seconds=50.0), FleetSpec(busy=2.0), FleetSpec(timecode=True), FleetSpec(main=EncodingSpec(gop=25)),
        FleetSpec(main=EncodingSpec(b_frames=1)), FleetSpec(main=EncodingSpec(kbps=500)), FleetSpec(seed=2),
    ]  # fmt: skip
    assert len({usual, *map(film, changed)}) == 1 + len(changed)
    assert film(FleetSpec(cameras=7, faults=())) == usual
    assert film(FleetSpec(main=EncodingSpec("mjpeg"))).suffix == ".mkv"


def test_faults_of_codec_and_size_have_their_films_ready() -> None:
    faults = tuple(map(parse_fault, ("yard:codec=mjpeg@5s", "yard:size=320x240", "street:stall@1s")))
    spec = FleetSpec(cameras=2, main=EncodingSpec(b_frames=2), faults=faults)
    street, yard = fleet(spec, FILMS).cameras
    assert all(stream.instead == {} for stream in street.streams)
    films = dict(fleet(spec, FILMS).drawings)[yard.scene]
    main, sub = yard.streams
    assert main.instead.keys() == sub.instead.keys() == {"mjpeg", "320x240"}
    # JPEG has no B-frames: it goes without.
    assert (films[main.instead["mjpeg"]].codec, films[main.instead["mjpeg"]].b_frames) == ("mjpeg", 0)
    smaller = films[main.instead["320x240"]]
    assert (smaller.codec, smaller.width_px, smaller.height_px, smaller.b_frames) == ("h264", 320, 240, 2)
    assert (films[sub.instead["mjpeg"]].fps, films[sub.instead["mjpeg"]].width_px) == (10, 320)


def test_a_camera_with_one_stream() -> None:
    (camera,) = fleet(FleetSpec(cameras=1, sub=None), FILMS).cameras
    assert [stream.path for stream in camera.streams] == ["street"]


REFUSED = {
    "no camera": ({"cameras": 0}, "1 to 256 cameras, not 0"),
    "too many": ({"cameras": 257}, "1 to 256 cameras, not 257"),
    "no setting": ({"settings": ("attic",)}, "setting 'attic' is not known; there are street"),
    "nobody's fault": ({"faults": (parse_fault("attic:stall"),)}, "meant for 'attic'; the cameras are street, yard"),
    "a scene that cannot be": ({"seconds": 5.0}, "a loop lasts 10 to 600 s, not 5"),
    "a size that cannot be": ({"faults": (parse_fault("street:size=32x20"),)}, "even numbers of pixels from 64×36"),
}


@pytest.mark.parametrize(("options", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_drawn_is_refused(options: dict[str, object], told: str) -> None:
    with pytest.raises(FleetError, match=told):
        fleet(FleetSpec(**options), FILMS)  # type: ignore[arg-type]

"""Films of scenes: drawn once, again when they are to differ, true to the scene, their truth beside them."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.simulator.scene import Scene, SceneSpec
from penstock.simulator.truth import TruthError, drawn_index, film_frames, read_truth, truth_path
from penstock.simulator.video_file import EncodingSpec, film_suffix, is_drawn, write_films

SCENE = SceneSpec("street", 1, width_px=160, height_px=90, seconds=10.0, fps=10)
MAIN = EncodingSpec(width_px=160, height_px=90, fps=10, gop=5)
SUB = EncodingSpec(width_px=80, height_px=46, fps=4, gop=4)


def test_a_film_is_drawn_once_and_again_when_it_is_to_differ(tmp_path: Path) -> None:
    main, sub = tmp_path / "demo" / "a.mp4", tmp_path / "demo" / "a-sub.mp4"
    assert not is_drawn(main, SCENE, MAIN)
    assert write_films(SCENE, {main: MAIN, sub: SUB}) == [main, sub]
    first = main.stat().st_mtime_ns
    assert is_drawn(main, SCENE, MAIN)
    assert write_films(SCENE, {main: MAIN, sub: SUB}) == []
    assert write_films(SCENE, {main: MAIN, sub: replace(SUB, gop=8)}) == [sub]
    assert main.stat().st_mtime_ns == first
    assert not is_drawn(main, replace(SCENE, seed=11), MAIN)
    truth_path(main).unlink()
    assert write_films(SCENE, {main: MAIN}) == [main]
    names = sorted(file.name for file in main.parent.iterdir())
    assert names == ["a-sub.mp4", "a-sub.truth.json", "a.mp4", "a.truth.json"]


def test_a_broken_film_is_drawn_again(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no film")
    assert write_films(SCENE, {path: MAIN}) == [path]


@pytest.mark.parametrize(
    "encoding",
    [
        MAIN,
        SUB,
        replace(MAIN, b_frames=2),
        replace(MAIN, kbps=300),
        replace(MAIN, codec="hevc"),
        replace(MAIN, codec="mpeg4", b_frames=1, crf=20),
        replace(MAIN, codec="mjpeg"),
    ],
    ids=lambda spec: spec.recipe.replace(" ", "-"),
)
def test_a_film_shows_its_scene(tmp_path: Path, encoding: EncodingSpec) -> None:
    path = tmp_path / f"a{film_suffix(encoding.codec)}"
    write_films(SCENE, {path: encoding})
    assert is_drawn(path, SCENE, encoding)
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == encoding.codec
        assert stream.average_rate == encoding.fps
        frames = list(container.decode(stream))
    assert len(frames) == film_frames(SCENE, encoding.fps)
    gop = 1 if encoding.codec == "mjpeg" else encoding.gop
    assert [index for index, frame in enumerate(frames) if frame.key_frame] == list(range(0, len(frames), gop))
    scene = Scene(SCENE)
    for picture in (0, len(frames) * 2 // 5, len(frames) // 2):
        decoded = frames[picture].reformat(160, 90).to_ndarray(format="rgb24").astype(int)
        shown, other = (scene.render(drawn_index(SCENE, encoding.fps, at)) for at in (picture, picture + 12))
        assert np.abs(decoded - shown).mean() < 9
        assert picture == 0 or np.abs(decoded - shown).mean() < np.abs(decoded - other).mean()


def test_the_truth_is_read_as_it_was_drawn(tmp_path: Path) -> None:
    write_films(SCENE, {tmp_path / "a.mp4": SUB})
    truth, scene = read_truth(tmp_path / "a.truth.json"), Scene(SCENE)
    assert truth.spec == SCENE
    assert truth.zones == scene.zones
    assert [s.kind for s in truth.situations] == [s.kind for s in scene.situations]
    assert len(truth.frames) == scene.frames
    for index in range(0, 120, 7):
        read, drawn = truth.boxes(index), scene.truth(index)
        assert [(b.figure, b.label, b.moving) for b in read] == [(b.figure, b.label, b.moving) for b in drawn]
        for one, two in zip(read, drawn, strict=True):
            assert one.xyxy == pytest.approx(two.xyxy, abs=0.051)
            assert one.visible == pytest.approx(two.visible, abs=0.0051)
    assert truth.film_boxes(13, 4) == truth.boxes(32)


def test_what_is_no_truth_is_refused(tmp_path: Path) -> None:
    for text in ("", "{}", '{"format":"penstock truth 0"}', "[]"):
        (tmp_path / "a.truth.json").write_text(text)
        with pytest.raises(TruthError, match=r"a.truth.json is no truth of a drawn scene .*delete it"):
            read_truth(tmp_path / "a.truth.json")
    with pytest.raises(FileNotFoundError):
        read_truth(tmp_path / "b.truth.json")


@given(st.integers(1, 25), st.integers(0, 2000))
def test_a_film_shows_the_nearest_drawn_picture(film_fps: int, picture: int) -> None:
    spec = SceneSpec("yard", 1)
    off = picture / film_fps - drawn_index(spec, film_fps, picture) / spec.fps
    assert -0.5 / spec.fps - 1e-9 <= off <= 0.5 / spec.fps + 1e-9
    assert drawn_index(spec, 25, picture) == picture


@pytest.mark.parametrize(
    ("encoding", "told"),
    [
        ({"codec": "vp9"}, "'vp9' is not known; there are h264"),
        ({"width_px": 161}, "even numbers"),
        ({"gop": 0}, "not 0"),
        ({"codec": "mjpeg", "b_frames": 1}, "mjpeg has no B-frames"),
        ({"crf": 60}, "between 0 and 51"),
        ({"kbps": 1}, "10 kbit/s or more"),
    ],
)
def test_impossible_encodings_are_refused(encoding: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(MAIN, **encoding)  # type: ignore[arg-type]


def test_what_does_not_suit_the_scene_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 to 10 pictures a second, not 25"):
        write_films(SCENE, {tmp_path / "a.mp4": replace(MAIN, fps=25)})
    with pytest.raises(ValueError, match=r"ends in .mp4 or .mkv"):
        write_films(SCENE, {tmp_path / "a.avi": MAIN})
    assert list(tmp_path.iterdir()) == []

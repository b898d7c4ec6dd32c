"""Drawn scenes: the same by seed, still when they say so, boxes where the figures are, and situations with margins."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.simulator.choreography import SEAM_S
from penstock.simulator.scene import LABELS, SETTINGS, Scene, SceneSpec

SMALL = SceneSpec("street", 1, width_px=320, height_px=180, fps=10)
KINDS = {
    "street": {"stops_at_kerb", "drives_past"},
    "yard": {"waits_at_gate", "delivers", "turns_back"},
    "corridor": {"queue", "leaves"},
    "car_park": {"parks", "walks_away"},
}


@pytest.fixture(scope="module", params=SETTINGS)
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(replace(SMALL, setting=request.param))


def test_the_same_seed_draws_the_same_picture(scene: Scene) -> None:
    again, other = Scene(scene.spec), Scene(replace(scene.spec, seed=2))
    assert scene.render(70).shape == (180, 320, 3)
    assert scene.render(70).dtype == np.uint8
    other.render(5)  # what was drawn before does not matter
    assert np.array_equal(scene.render(70), again.render(70))
    assert not np.array_equal(scene.render(70), other.render(70))
    assert scene.truth(70) == again.truth(70)


def test_the_loop_repeats_without_a_jump(scene: Scene) -> None:
    assert np.array_equal(scene.render(0), scene.render(scene.frames))
    assert scene.truth(3) == scene.truth(3 + scene.frames)
    seam = [*range(scene.frames - int(SEAM_S * 10) + 1, scene.frames), *range(int(SEAM_S * 10))]
    assert all(scene.still(index) for index in seam)
    assert {scene.truth(index) for index in seam} == {scene.truth(0)}
    last, first = scene.render(scene.frames - 1).astype(int), scene.render(0)
    assert abs((last - first).mean()) < 0.2
    assert not all(scene.still(index) for index in range(scene.frames))


def test_what_changes_lies_within_boxes(scene: Scene) -> None:
    """Between a picture and the next, what differs strongly lies near somebody's box (shadow, bag, umbrella)."""
    changes = 0
    for index in range(40, 360, 20):
        inside = np.zeros((180, 320), bool)
        for box in scene.truth(index) + scene.truth(index + 1):
            left, top, right, bottom = (round(edge) for edge in box.xyxy)
            spare = max(round(0.3 * (bottom - top)), 6)
            inside[max(top - spare, 0) : bottom + spare, max(left - spare, 0) : right + spare] = True
        inside[:, :8] = inside[:, -8:] = True  # a shadow comes in before its figure
        one, two = (scene.render(at).astype(int) for at in (index, index + 1))
        changed = np.abs(one - two).max(axis=2) > 40
        assert not (changed & ~inside).any()
        changes += bool(changed.any())
        assert not changed.any() or any(box.moving for box in scene.truth(index) + scene.truth(index + 1))
    assert changes > 4


def test_boxes_lie_within_the_picture_and_say_what_is_seen(scene: Scene) -> None:
    shares = set()
    for index in range(0, scene.frames, 3):
        for box in scene.truth(index):
            left, top, right, bottom = box.xyxy
            assert 0 <= left < right <= 320
            assert 0 <= top < bottom <= 180
            assert box.label in LABELS
            assert 0 < box.visible <= 1
            shares.add(box.visible)
    assert min(shares) < 0.5 < max(shares) == 1.0


def test_a_figure_keeps_its_label_and_does_not_jump(scene: Scene) -> None:
    labels: dict[int, str] = {}
    before: dict[int, tuple[float, float]] = {}
    for index in range(scene.frames):
        now = {}
        for box in scene.truth(index):
            assert labels.setdefault(box.figure, box.label) == box.label
            left, _, right, bottom = box.xyxy
            now[box.figure] = ((left + right) / 2, bottom)
        for figure in now.keys() & before.keys():
            assert np.hypot(*np.subtract(now[figure], before[figure])) < 60
        before = now


def test_every_setting_has_its_situations(scene: Scene) -> None:
    kinds = [situation.kind for situation in scene.situations]
    assert set(kinds) >= KINDS[scene.spec.setting]
    for situation in scene.situations:
        assert SEAM_S <= situation.start_s < situation.end_s <= scene.spec.seconds - SEAM_S
        assert not situation.zone or situation.zone in scene.zones
    assert sum(bool(situation.zone) for situation in scene.situations) >= 2


@given(st.sampled_from(SETTINGS), st.integers(0, 10_000), st.sampled_from([10.0, 14.0, 40.0, 60.0]), st.floats(0, 3))
@settings(max_examples=25, deadline=None)
def test_any_scene_is_alive_and_still_at_its_seam(setting: str, seed: int, seconds: float, busy: float) -> None:
    spec = SceneSpec(setting, seed, width_px=64, height_px=36, fps=5, seconds=seconds, busy=busy)
    scene = Scene(spec)
    assert scene.still(0)
    assert scene.still(scene.frames - 1)
    assert any(not scene.still(index) for index in range(scene.frames))


def test_a_nearer_figure_is_larger() -> None:
    scene = Scene(replace(SMALL, setting="corridor"))
    boxes = [b for i in range(0, scene.frames, 5) for b in scene.truth(i) if b.visible == 1.0 and b.label == "person"]
    far = [b.xyxy[3] - b.xyxy[1] for b in boxes if b.xyxy[3] < 90]
    near = [b.xyxy[3] - b.xyxy[1] for b in boxes if b.xyxy[3] > 130]
    assert np.mean(near) > 1.7 * np.mean(far)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"setting": "beach"}, "'beach' is not known; there are street, yard, corridor, car_park"),
        ({"seed": -1}, "seed -1"),
        ({"seconds": 5.0}, "10 to 600 s, not 5"),
        ({"seconds": 10.03}, "no whole number of pictures"),
        ({"fps": 0}, "not 0"),
        ({"width_px": 32}, "not 32×180"),
        ({"busy": 4.0}, "between 0 and 3"),
        ({"timecode": True}, "a timecode needs 512×96 pixels, not 320×180"),
    ],
)
def test_impossible_scenes_are_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(SMALL, **change)  # type: ignore[arg-type]

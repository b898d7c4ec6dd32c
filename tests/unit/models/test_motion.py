"""Motion: what moves is found where it is; light, noise and standing still are not motion."""

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.contracts.results import Detection, Result
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import FailureCause
from penstock.models.errors import ModelError
from penstock.models.motion import MAX_LANES, MotionModel
from penstock.testkit.views import ArrayViews, frame_ref

NS_PER_S = 1_000_000_000
STEP_S = 0.2
SPEC = ModelSpec("motion", kind="motion")


class Scene:
    """A camera of 640×360 that looks at a slope of grey with sensor noise, five times a second."""

    def __init__(self, model: MotionModel, camera: str = "door", noise: float = 2.0, session: int = 1) -> None:
        self.model = model
        self.camera = camera
        self.session = session
        self.now_s = 100.0
        self.noise = noise
        self.light = 0.0
        self.size = (640, 360)
        self._rng = np.random.default_rng(7)
        self._seq = 0
        self._ground = np.tile(np.linspace(40, 160, 320), (180, 1))
        self._views = ArrayViews()

    def picture(self, *boxes: tuple[int, int, int, int], level: float = 250.0) -> NDArray[np.uint8]:
        """Boxes (left, top, right, bottom) in view pixels are drawn in a flat grey."""
        drawn = self._ground + self.light
        for left, top, right, bottom in boxes:
            drawn[top:bottom, left:right] = level
        return np.clip(drawn + self._rng.normal(0, self.noise, drawn.shape), 0, 255).astype(np.uint8)

    def look(self, *boxes: tuple[int, int, int, int], level: float = 250.0) -> Result:
        self.now_s += STEP_S
        self._seq += 1
        frame = frame_ref(self.camera, self._seq, round(self.now_s * NS_PER_S), *self.size, session=self.session)
        pixels = self.picture(*boxes, level=level)
        view = self._views.make(frame, pixels, self.model.description.view)
        result = self.model.run(0, view, pixels)
        self._views.lose(view)
        return result

    def settle(self, seconds: float = 6.0) -> None:
        for _ in range(round(seconds / STEP_S)):
            self.look()


def found(result: Result) -> list[Detection]:
    assert result.detections is not None
    return list(result.detections.detections())


def says_nothing(result: Result) -> bool:
    """Neither that something moves nor that nothing does."""
    return result.detections is None and not result.scalars


@pytest.fixture
def scene() -> Scene:
    return Scene(MotionModel(SPEC))


def test_it_describes_itself() -> None:
    description = MotionModel(SPEC).description
    assert description.view == ViewSpec(320, 180, PixelFormat.GRAY8, Fit.STRETCH)
    assert (description.head, description.class_names, description.signals) == ("motion", ("motion",), ("motion",))
    assert len(description.weight_hash) == 64


def test_a_still_scene_has_no_motion(scene: Scene) -> None:
    first, *results = [scene.look() for _ in range(100)]
    assert says_nothing(first)
    assert [r for r in results if found(r) or r.scalars != {"motion": 0.0}] == []


def test_a_moving_box_is_found_where_it_is(scene: Scene) -> None:
    scene.settle()
    for x in range(20, 120, 10):
        result = scene.look((x, 60, x + 30, 110))
        [detection] = found(result)
        assert detection.class_name == "motion"
        assert detection.xyxy == pytest.approx((2 * x, 120, 2 * x + 60, 220), abs=4)
        assert detection.confidence == 1.0
        assert result.scalars["motion"] == pytest.approx(30 * 50 / (320 * 180), rel=0.1)


def test_two_movers_are_two_detections_and_touching_ones_are_one(scene: Scene) -> None:
    scene.settle()
    apart = found(scene.look((20, 60, 50, 110), (150, 20, 180, 60)))
    assert sorted(round(d.xyxy[0]) for d in apart) == pytest.approx([40, 300], abs=4)
    assert len(found(scene.look((20, 60, 50, 110), (50, 60, 80, 110)))) == 1


@pytest.mark.parametrize("step", [-40.0, 12.0, 25.0, 60.0])
def test_a_change_of_light_is_no_motion(scene: Scene, step: float) -> None:
    scene.settle()
    scene.light = step
    results = [scene.look() for _ in range(20)]
    assert [found(r) for r in results if found(r)] == []


def test_motion_is_found_while_the_light_changes(scene: Scene) -> None:
    scene.settle()
    scene.light = 30.0
    [detection] = found(scene.look((100, 60, 130, 110), level=20))
    assert detection.xyxy == pytest.approx((200, 120, 260, 220), abs=4)


def test_the_whole_picture_at_once_is_the_camera_and_is_learnt_anew(scene: Scene) -> None:
    scene.settle()
    covered = [scene.look((0, 0, 320, 130), level=10) for _ in range(3)]
    assert [r.scalars["motion"] for r in covered] == [0.0, 0.0, 0.0]
    assert scene.model.statistics().relearnt == 1
    [detection] = found(scene.look((0, 0, 320, 130), (100, 140, 130, 170), level=10))
    assert detection.xyxy == pytest.approx((200, 280, 260, 340), abs=4)


def test_noise_raises_the_threshold() -> None:
    noisy = Scene(MotionModel(SPEC), noise=12.0)
    noisy.settle()
    results = [noisy.look() for _ in range(50)]
    assert [found(r) for r in results if found(r)] == []
    assert len(found(noisy.look((100, 60, 130, 110)))) == 1


def test_who_stands_still_stays_for_a_while_and_then_belongs_to_the_scene(scene: Scene) -> None:
    scene.settle()
    seen = [len(found(scene.look((100, 60, 130, 110)))) for _ in range(round(120 / STEP_S))]
    gone_s = seen.index(0) * STEP_S
    assert 15 < gone_s < 110
    assert set(seen[seen.index(0) :]) == {0}


def test_what_stood_in_the_first_picture_leaves_no_ghost(scene: Scene) -> None:
    scene.look((100, 60, 130, 110))
    for _ in range(round(8 / STEP_S)):
        last = scene.look()
    assert found(last) == []


def test_small_specks_are_ignored(scene: Scene) -> None:
    scene.settle()
    assert found(scene.look((100, 60, 108, 68))) == []


def test_each_camera_has_its_own_average() -> None:
    model = MotionModel(SPEC)
    first, second = Scene(model, "first"), Scene(model, "second")
    first.settle()
    assert says_nothing(second.look((100, 60, 130, 110)))
    assert len(found(first.look((100, 60, 130, 110)))) == 1
    assert model.statistics().lanes == 2


@pytest.mark.parametrize("change", ["session", "size", "gap"])
def test_another_session_another_size_and_a_long_gap_start_anew(scene: Scene, change: str) -> None:
    scene.settle()
    match change:
        case "session":
            scene.session = 2
        case "size":
            scene.size = (1280, 720)
        case "gap":
            scene.now_s += 31.0
    assert says_nothing(scene.look((100, 60, 130, 110)))
    assert scene.model.statistics().started == 2


def test_a_short_gap_starts_nothing_anew(scene: Scene) -> None:
    scene.settle()
    scene.now_s += 29.0
    assert len(found(scene.look((100, 60, 130, 110)))) == 1
    assert scene.model.statistics().started == 1


def test_a_picture_older_than_the_last_is_compared_and_not_learnt(scene: Scene) -> None:
    scene.settle()
    scene.look()
    scene.now_s -= 1.0
    for _ in range(3):
        scene.now_s -= STEP_S
        assert len(found(scene.look((100, 60, 130, 110)))) == 1
    scene.now_s += 2.0
    assert found(scene.look()) == []


def test_cameras_longest_unseen_leave_beyond_the_limit() -> None:
    model = MotionModel(SPEC)
    for i in range(MAX_LANES + 3):
        Scene(model, f"camera {i}").look()
    statistics = model.statistics()
    assert (statistics.lanes, statistics.started, statistics.evicted) == (MAX_LANES, MAX_LANES + 3, 3)


def test_confidence_and_number_are_limited_as_for_any_model() -> None:
    faint = Scene(MotionModel(msgspec.structs.replace(SPEC, confidence=0.9)))
    faint.settle()
    assert found(faint.look((100, 60, 130, 110), level=110)) == []
    assert len(found(faint.look((100, 60, 130, 110)))) == 1
    few = Scene(MotionModel(msgspec.structs.replace(SPEC, max_detections=1)))
    few.settle()
    assert len(found(few.look((20, 60, 50, 110), (150, 20, 180, 60)))) == 1


def test_options_change_what_counts() -> None:
    scene = Scene(MotionModel(msgspec.structs.replace(SPEC, options={"threshold": 120.0})))
    scene.settle()
    assert found(scene.look((100, 60, 130, 110), level=150)) == []
    assert len(found(scene.look((20, 60, 50, 110), level=250))) == 1


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"options": {"treshold": 3.0}}, "there is no option 'treshold'. Known options: threshold, noise_factor"),
        ({"options": {"threshold": 0.0}}, "option threshold is 0. It must be greater than 0"),
        ({"labels": ("moton",)}, "labels names 'moton', which is no class of this model. Did you mean 'motion'?"),
    ],
)
def test_bad_settings_are_named(spec: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        MotionModel(msgspec.structs.replace(SPEC, **spec))
    assert caught.value.cause is FailureCause.LOAD_FAILED
    assert message in str(caught.value)

"""End-to-end detectors, YuNet, FastestDet, classifiers and anomaly detectors: recognised, decoded, refused."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.contracts.work import FailureCause
from penstock.models.backends.backend import Layout, Normalisation, PictureInput, TensorInfo
from penstock.models.errors import ModelError
from penstock.models.heads.catalogue import choose_head
from penstock.models.heads.classification import IMAGENET_MEAN, IMAGENET_STD
from penstock.models.heads.head import AnomalyDecoder, BoxDecoder, Candidates, ClassDecoder, HeadSpec

WIDTH_PX, HEIGHT_PX = 64, 32
PICTURE = PictureInput("images", WIDTH_PX, HEIGHT_PX, 3, Layout.NCHW)
SQUARE = PictureInput("images", 224, 224, 3, Layout.NCHW)
STRIDES = (8, 16, 32)
CLASSES = 3
Shape = tuple[int | None, ...]
Outputs = dict[str, NDArray[np.float32]]


def spec_of(
    outputs: dict[str, Shape],
    head: str = "auto",
    metadata: dict[str, str] | None = None,
    options: dict[str, float] | None = None,
    picture: PictureInput = PICTURE,
) -> HeadSpec:
    infos = tuple(TensorInfo(name, shape, "f32") for name, shape in outputs.items())
    return choose_head(head, picture, infos, metadata or {}, options or {})


def boxes_of(spec: HeadSpec, outputs: Outputs, floor: float = 0.25) -> Candidates:
    assert isinstance(spec.decoder, BoxDecoder)
    return spec.decoder.candidates(outputs, floor)


def places(stride: int) -> int:
    return (WIDTH_PX // stride) * (HEIGHT_PX // stride)


YUNET_SHAPES: dict[str, tuple[int, int, int]] = {
    f"{part}_{stride}": (1, places(stride), columns)
    for part, columns in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
    for stride in STRIDES
}
FASTESTDET_SHAPE = (1, 5 + CLASSES, HEIGHT_PX // 16, WIDTH_PX // 16)


def end2end(**arguments: Any) -> HeadSpec:
    return spec_of({"out": (1, 300, 6)}, metadata={"names": "['ant', 'bee', 'cat']"}, **arguments)


def yunet() -> HeadSpec:
    return spec_of({**YUNET_SHAPES})


def fastestdet() -> HeadSpec:
    return spec_of({"out": FASTESTDET_SHAPE})


@pytest.mark.parametrize(
    ("spec", "head", "view", "normalisation", "names"),
    [
        pytest.param(
            end2end(),
            "end2end",
            ViewSpec(WIDTH_PX, HEIGHT_PX, PixelFormat.RGB24, Fit.LETTERBOX_CENTRE, 114),
            Normalisation(divisor=255.0),
            ("ant", "bee", "cat"),
            id="end2end",
        ),
        pytest.param(
            yunet(),
            "yunet",
            ViewSpec(WIDTH_PX, HEIGHT_PX, PixelFormat.BGR24, Fit.LETTERBOX_TOP_LEFT, 0),
            Normalisation(),
            ("face",),
            id="yunet",
        ),
        pytest.param(
            fastestdet(),
            "fastestdet",
            ViewSpec(WIDTH_PX, HEIGHT_PX, PixelFormat.BGR24, Fit.STRETCH),
            Normalisation(divisor=255.0),
            (),
            id="fastestdet",
        ),
        pytest.param(
            spec_of({"logits": (None, 1000)}, picture=SQUARE),
            "classification",
            ViewSpec(224, 224, PixelFormat.RGB24, Fit.CENTRE_CROP, crop_from_px=256),
            Normalisation(IMAGENET_MEAN, IMAGENET_STD),
            (),
            id="classification",
        ),
        pytest.param(
            spec_of({"out": (1, 2)}, picture=SQUARE, metadata={"task": "classify", "names": "{0: 'ok', 1: 'broken'}"}),
            "classification",
            ViewSpec(224, 224, PixelFormat.RGB24, Fit.CENTRE_CROP, crop_from_px=224),
            Normalisation(divisor=255.0),
            ("ok", "broken"),
            id="classification with a stated task",
        ),
        pytest.param(
            spec_of({"out": (1, 7, 1, 1)}, picture=SQUARE, options={"bgr": 1, "mean": 127.5, "divisor": 128}),
            "classification",
            ViewSpec(224, 224, PixelFormat.BGR24, Fit.CENTRE_CROP, crop_from_px=256),
            Normalisation(127.5, 128.0),
            (),
            id="classification as the options say",
        ),
        pytest.param(
            spec_of(
                {"pred_score": (1,), "pred_label": (1,), "anomaly_map": (1, 1, 32, 64), "pred_mask": (1, 1, 32, 64)}
            ),
            "anomaly",
            ViewSpec(WIDTH_PX, HEIGHT_PX, PixelFormat.RGB24, Fit.STRETCH),
            Normalisation(divisor=255.0),
            (),
            id="anomaly, named outputs",
        ),
        pytest.param(
            spec_of({"output": (None, 1, 32, 64)}),
            "anomaly",
            ViewSpec(WIDTH_PX, HEIGHT_PX, PixelFormat.RGB24, Fit.STRETCH),
            Normalisation(IMAGENET_MEAN, IMAGENET_STD),
            (),
            id="anomaly, a map alone",
        ),
    ],
)
def test_networks_are_recognised(
    spec: HeadSpec, head: str, view: ViewSpec, normalisation: Normalisation, names: tuple[str, ...]
) -> None:
    assert (spec.head, spec.view, spec.normalisation, spec.class_names) == (head, view, normalisation, names)
    assert spec.suppressed == (head == "end2end")


def test_colours_in_the_other_order_are_normalised_in_it() -> None:
    spec = spec_of({"out": (1, 7)}, options={"bgr": 1}, picture=SQUARE)
    assert spec.normalisation == Normalisation(IMAGENET_MEAN[::-1], IMAGENET_STD[::-1])


def test_a_yolox_of_one_class_is_no_end_to_end_detector() -> None:
    assert spec_of({"out": (1, sum(map(places, STRIDES)), 6)}).head == "yolox"
    assert spec_of({"out": (1, None, 6)}, metadata={"names": "['ant']"}).head == "end2end"


@pytest.mark.parametrize(
    ("outputs", "arguments", "part"),
    [
        ({"out": (1, 300, 6)}, {"head": "end2end", "metadata": {"task": "pose"}}, "its task is 'pose'"),
        ({"out": (1, 300, 7)}, {"head": "end2end"}, "gives 1×N×6, not out 1×300×7"),
        ({"out": (1, 300, 6), "b": (1,)}, {"head": "end2end"}, "one output, and this network has 2"),
        ({"cls_8": (1, 32, 1)}, {"head": "yunet"}, "an output obj_8, and this network has none"),
        ({**YUNET_SHAPES, "kps_16": (1, 8, 8)}, {"head": "yunet"}, "gives kps_16 as 1×8×10, not kps_16 1×8×8"),
        ({"out": (1, 8, 2, 3)}, {"head": "fastestdet"}, "gives 1×(5+classes)×2×4, not out 1×8×2×3"),
        ({"out": (1, 5, 2, 4)}, {"head": "fastestdet"}, "not out 1×5×2×4"),
        ({"out": (1, 1)}, {"head": "classification"}, "gives 1×classes, not out 1×1"),
        ({"out": (1, 9, 2, 2)}, {"head": "classification"}, "gives 1×classes, not out 1×9×2×2"),
        ({"out": (1, 9)}, {"metadata": {"task": "detect"}, "head": "classification"}, "its task is 'detect'"),
        ({"out": (1, 9)}, {"options": {"crop_from": 16}}, "crop_from is 16, and the network takes 64×32"),
        ({"out": (1, 9)}, {"options": {"logit": 1}}, "no option 'logit' of a model with head classification"),
        ({"out": (1, 300, 6)}, {"options": {"logits": 1}}, "head end2end. It has none"),
        ({"a": (1, 1, 8, 8), "b": (1,)}, {"head": "anomaly"}, "has an output pred_score, and this network has none"),
        ({"pred_score": (1,), "anomaly_map": (1, 8, 8)}, {"head": "anomaly"}, "a map is 1×1×H×W"),
    ],
)
def test_what_is_of_another_family_says_so(outputs: dict[str, Shape], arguments: dict[str, Any], part: str) -> None:
    if part == "a map is 1×1×H×W":
        part = "anomaly map is 1×1×H×W, not anomaly_map 1×8×8"
    with pytest.raises(ModelError) as caught:
        spec_of(outputs, **arguments)
    assert caught.value.cause is FailureCause.LOAD_FAILED
    assert part in str(caught.value)


@pytest.mark.parametrize(
    "outputs",
    [{"out": (1, 300, 6)}, YUNET_SHAPES, {"out": FASTESTDET_SHAPE}, {"out": (1, 9)}, {"out": (1, 1, 8, 8)}],
    ids=["end2end", "yunet", "fastestdet", "classification", "anomaly"],
)
def test_grey_networks_are_refused(outputs: dict[str, Shape]) -> None:
    with pytest.raises(ModelError, match="takes colour pictures, and this network takes 1 channel"):
        spec_of(outputs, picture=PictureInput("images", WIDTH_PX, HEIGHT_PX, 1, Layout.NCHW))


# decoding


def test_end_to_end_rows_are_taken_as_they_are() -> None:
    rows = np.zeros((1, 300, 6), np.float32)
    rows[0, :3] = [[1, 2, 30, 20, 0.9, 2], [1, 2, 30, 20, 0.8, 2], [5, 5, 9, 9, 0.25, 0]]
    found = boxes_of(end2end(), {"out": rows})
    assert found.xyxy.tolist() == [[1, 2, 30, 20], [1, 2, 30, 20]]
    assert found.confidence.tolist() == pytest.approx([0.9, 0.8])
    assert found.class_id.tolist() == [2, 2]
    assert found.keypoints is None


@pytest.mark.parametrize("class_id", [-1.0, 0.5])
def test_a_class_id_that_is_none_is_a_bad_output(class_id: float) -> None:
    rows = np.zeros((1, 4, 6), np.float32)
    rows[0, 0] = [1, 2, 30, 20, 0.9, class_id]
    with pytest.raises(ModelError, match="class ids are whole numbers from 0") as caught:
        boxes_of(end2end(), {"out": rows})
    assert caught.value.cause is FailureCause.BAD_OUTPUT


def test_an_end_to_end_detector_may_find_nothing() -> None:
    assert len(boxes_of(end2end(), {"out": np.zeros((1, 0, 6), np.float32)}).confidence) == 0


seeds = st.integers(0, 2**32 - 1)
floors = st.sampled_from([0.0513, 0.2513, 0.7013])


@given(seed=seeds, floor=floors)
def test_yunet_decodes_place_by_place(seed: int, floor: float) -> None:
    rng = np.random.default_rng(seed)
    outputs = {name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in YUNET_SHAPES.items()}
    scores = {name: values.shape for name, values in outputs.items() if name.startswith(("cls", "obj"))}
    outputs |= {name: (rng.integers(-4, 69, shape) / 64).astype(np.float32) for name, shape in scores.items()}
    expected = []
    for s in STRIDES:
        columns = WIDTH_PX // s
        for i in range(places(s)):
            score = math.sqrt(np.prod([min(max(float(outputs[f"{p}_{s}"][0, i, 0]), 0), 1) for p in ("cls", "obj")]))
            if score <= floor:
                continue
            x, y = i % columns, i // columns
            b = outputs[f"bbox_{s}"][0, i].astype(float)
            cx, cy, w, h = (x + b[0]) * s, (y + b[1]) * s, math.exp(b[2]) * s, math.exp(b[3]) * s
            k = outputs[f"kps_{s}"][0, i].astype(float).reshape(5, 2)
            points = [[(x + kx) * s, (y + ky) * s, score] for kx, ky in k]
            expected.append(([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], score, points))
    found = boxes_of(yunet(), outputs, floor)
    assert len(found.confidence) == len(expected)
    assert found.keypoints is not None
    assert found.keypoints.shape == (len(expected), 5, 3)
    if expected:
        np.testing.assert_allclose(found.xyxy, [box for box, _, _ in expected], rtol=1e-5, atol=1e-3)
        np.testing.assert_allclose(found.confidence, [score for _, score, _ in expected], rtol=1e-6)
        np.testing.assert_allclose(found.keypoints, [points for _, _, points in expected], rtol=1e-5, atol=1e-3)
        assert not found.class_id.any()


@given(seed=seeds, floor=floors)
def test_fastestdet_decodes_place_by_place(seed: int, floor: float) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, FASTESTDET_SHAPE).astype(np.float32)
    values[0, 0] = rng.integers(0, 65, values[0, 0].shape) / 64
    values[0, 5:] = rng.integers(0, 65, values[0, 5:].shape) / 64
    expected = []
    _, _, rows, columns = FASTESTDET_SHAPE
    for y in range(rows):
        for x in range(columns):
            objectness, tx, ty, tw, th, *classes = values[0, :, y, x].astype(float)
            score = objectness**0.6 * max(classes) ** 0.4
            if score > floor:
                cx, cy = (x + math.tanh(tx)) / columns * WIDTH_PX, (y + math.tanh(ty)) / rows * HEIGHT_PX
                w, h = WIDTH_PX / (1 + math.exp(-tw)), HEIGHT_PX / (1 + math.exp(-th))
                box = [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]
                expected.append((box, score, int(np.argmax(classes))))
    found = boxes_of(fastestdet(), {"out": values}, floor)
    assert found.class_id.tolist() == [class_id for _, _, class_id in expected]
    np.testing.assert_allclose(found.confidence, [score for _, score, _ in expected], rtol=1e-5)
    boxes = np.array([box for box, _, _ in expected]).reshape(-1, 4)
    np.testing.assert_allclose(found.xyxy, boxes, rtol=1e-4, atol=1e-3)


def probabilities(values: list[float], **options: float) -> list[float]:
    decoder = spec_of({"out": (1, len(values))}, options=options, picture=SQUARE).decoder
    assert isinstance(decoder, ClassDecoder)
    return [float(value) for value in decoder.probabilities({"out": np.array([values], np.float32)})]


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        pytest.param([0.0, math.log(3)], {}, [0.25, 0.75], id="logits"),
        pytest.param([1000.0, 1000.0 + math.log(3)], {}, [0.25, 0.75], id="large logits"),
        pytest.param([0.25, 0.75], {}, [0.25, 0.75], id="probabilities"),
        pytest.param([0.26, 0.75], {}, [0.26, 0.75], id="quantised probabilities"),
        pytest.param([0.5, 0.5], {"logits": 1}, [0.5, 0.5], id="logits that look like probabilities"),
        pytest.param([0.9, 0.8], {"logits": 0}, [0.9, 0.8], id="probabilities of classes that do not exclude others"),
    ],
)
def test_probabilities(values: list[float], options: dict[str, float], expected: list[float]) -> None:
    assert probabilities(values, **options) == pytest.approx(expected, abs=1e-4)


def test_what_is_said_to_be_a_probability_and_is_none() -> None:
    with pytest.raises(ModelError, match="scores reach 7"):
        probabilities([7.0, 0.0], logits=0)


def anomaly(outputs: Outputs, **options: float) -> tuple[float, bool | None, Any]:
    spec = spec_of({name: values.shape for name, values in outputs.items()}, options=options)
    assert isinstance(spec.decoder, AnomalyDecoder)
    found = spec.decoder.anomaly(outputs)
    assert spec.decoder.decides == (found.anomalous is not None)
    return found.score, found.anomalous, None if found.scores is None else found.scores.tolist()


MAP = np.array([[[[0.1, 0.7], [0.2, 0.3]]]], np.float32)


@pytest.mark.parametrize(
    ("outputs", "options", "score", "anomalous", "places"),
    [
        pytest.param({"pred_score": [0.75], "pred_label": [True], "anomaly_map": MAP}, {}, 0.75, True, True, id="v2"),
        pytest.param({"pred_score": [[0.25]], "pred_label": [[False]]}, {}, 0.25, False, False, id="no map"),
        pytest.param({"pred_score": [0.25], "pred_label": [0]}, {"threshold": 0.2}, 0.25, True, False, id="threshold"),
        pytest.param({"output": MAP}, {}, 0.7, None, True, id="a map alone does not decide"),
        pytest.param({"output": MAP}, {"threshold": 0.8}, 0.7, False, True, id="a map and a threshold"),
    ],
)
def test_anomalies(
    outputs: dict[str, Any], options: dict[str, float], score: float, anomalous: bool | None, places: bool
) -> None:
    found = anomaly({name: np.asarray(values) for name, values in outputs.items()}, **options)
    assert found[0] == pytest.approx(score)
    assert found[1:] == (anomalous, MAP[0, 0].tolist() if places else None)


# nonsense


def end2end_outputs() -> Outputs:
    return {"out": np.zeros((1, 300, 6), np.float32)}


def yunet_outputs() -> Outputs:
    return {name: np.zeros(shape, np.float32) for name, shape in YUNET_SHAPES.items()}


def fastestdet_outputs() -> Outputs:
    return {"out": np.zeros(FASTESTDET_SHAPE, np.float32)}


def decode(spec: HeadSpec, outputs: Outputs) -> object:
    match spec.decoder:
        case BoxDecoder():
            return spec.decoder.candidates(outputs, 0.25)
        case ClassDecoder():
            return spec.decoder.probabilities(outputs)
        case AnomalyDecoder():
            return spec.decoder.anomaly(outputs)


FAMILIES: dict[str, tuple[Callable[[], HeadSpec], Callable[[], Outputs]]] = {
    "end2end": (end2end, end2end_outputs),
    "yunet": (yunet, yunet_outputs),
    "fastestdet": (fastestdet, fastestdet_outputs),
    "classification": (lambda: spec_of({"out": (1, 4)}), lambda: {"out": np.zeros((1, 4), np.float32)}),
    "anomaly": (
        lambda: spec_of({"pred_score": (1,), "anomaly_map": (1, 1, 2, 2)}),
        lambda: {"pred_score": np.zeros(1, np.float32), "anomaly_map": np.zeros((1, 1, 2, 2), np.float32)},
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_a_bad_output_wherever_it_stands(family: str, value: float) -> None:
    make, blank = FAMILIES[family]
    for name in blank():
        outputs = blank()
        outputs[name].flat[-1] = value
        with pytest.raises(ModelError, match="not finite") as caught:
            decode(make(), outputs)
        assert caught.value.cause is FailureCause.BAD_OUTPUT


@pytest.mark.parametrize("family", FAMILIES)
def test_an_output_of_another_shape_is_a_bad_output(family: str) -> None:
    make, blank = FAMILIES[family]
    for name in blank():
        outputs = blank()
        outputs[name] = np.zeros((1, 2, 3), np.float32)
        with pytest.raises(ModelError, match="shape") as caught:
            decode(make(), outputs)
        assert caught.value.cause is FailureCause.BAD_OUTPUT


@pytest.mark.parametrize("family", ["end2end", "yunet", "fastestdet"])
def test_an_empty_picture_gives_no_candidates(family: str) -> None:
    make, blank = FAMILIES[family]
    found = boxes_of(make(), blank())
    assert (found.xyxy.shape, found.confidence.shape, found.class_id.shape) == ((0, 4), (0,), (0,))


@pytest.mark.parametrize("family", ["end2end", "fastestdet"])
def test_scores_that_are_no_probabilities_are_a_bad_output(family: str) -> None:
    make, blank = FAMILIES[family]
    with pytest.raises(ModelError, match="probabilities end at 1") as caught:
        boxes_of(make(), {"out": blank()["out"] + np.float32(7)})
    assert caught.value.cause is FailureCause.BAD_OUTPUT


def test_a_face_larger_than_any_number_is_a_bad_output() -> None:
    outputs = yunet_outputs()
    outputs["cls_8"][:] = outputs["obj_8"][:] = 1
    outputs["bbox_8"][0, 3, 2] = 500
    with pytest.raises(ModelError, match="larger than any number"):
        boxes_of(yunet(), outputs)


def test_thresholds_that_suit_the_network_where_none_are_named() -> None:
    assert (yunet().confidence, yunet().iou) == (0.7, 0.3)

"""Heads decode what a reading of their formulas, place by place, gives; and know their own networks only."""

import math
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
from penstock.models.heads.head import BoxDecoder, Candidates, HeadSpec

WIDTH_PX, HEIGHT_PX = 64, 32
PLACES = [
    (x, y, stride) for stride in (8, 16, 32) for y in range(HEIGHT_PX // stride) for x in range(WIDTH_PX // stride)
]
PICTURE = PictureInput("images", WIDTH_PX, HEIGHT_PX, 3, Layout.NCHW)
CLASSES = 3


def spec_for(
    *shapes: tuple[int | None, ...],
    head: str = "auto",
    metadata: dict[str, str] | None = None,
    picture: PictureInput = PICTURE,
    logits: bool = False,
) -> HeadSpec:
    outputs = tuple(TensorInfo(f"out{i}", shape, "f32") for i, shape in enumerate(shapes))
    return choose_head(head, picture, outputs, metadata or {}, {"logits": logits})


def box_decoder(spec: HeadSpec) -> BoxDecoder:
    assert isinstance(spec.decoder, BoxDecoder)
    return spec.decoder


def yolox(logits: bool = False) -> HeadSpec:
    return spec_for((1, len(PLACES), 5 + CLASSES), logits=logits)


def yolov8(logits: bool = False) -> HeadSpec:
    return spec_for((1, 4 + CLASSES, len(PLACES)), logits=logits)


def test_yolox_is_recognised_by_its_rows() -> None:
    spec = yolox()
    assert spec.head == "yolox"
    assert spec.view == ViewSpec(WIDTH_PX, HEIGHT_PX, PixelFormat.BGR24, Fit.LETTERBOX_TOP_LEFT, 114)
    assert (spec.normalisation, spec.class_count, spec.class_names) == (Normalisation(), CLASSES, ())


def test_yolov8_is_recognised_by_its_columns() -> None:
    names = {"task": "detect", "names": "{0: 'ant', 1: 'bee', 2: 'cat'}"}
    spec = spec_for((1, 4 + CLASSES, len(PLACES)), metadata=names)
    assert spec.head == "yolov8"
    assert spec.view == ViewSpec(WIDTH_PX, HEIGHT_PX, PixelFormat.RGB24, Fit.LETTERBOX_CENTRE, 114)
    assert spec.normalisation == Normalisation(mean=0.0, divisor=255.0)
    assert spec.class_names == ("ant", "bee", "cat")


def test_class_names_may_be_a_list() -> None:
    assert spec_for((1, 6, len(PLACES)), metadata={"names": "['ant', 'bee']"}).class_names == ("ant", "bee")


COLUMNS = (1, 4 + CLASSES, len(PLACES))


@pytest.mark.parametrize(
    ("shapes", "arguments", "parts"),
    [
        pytest.param([(1, 7, 85)], {}, ["64×32×3", "out0 1×7×85", "yolox", "1×42×(5+classes)", "yolov8"], id="rows"),
        pytest.param([(1000,)], {}, ["out0 1000"], id="one dimension"),
        pytest.param([(None, None, None)], {}, ["out0 ?×?×?"], id="open shape"),
        pytest.param([COLUMNS, (1, 32, 8, 8)], {}, ["one output, and this network has 2"], id="masks"),
        pytest.param([COLUMNS], {"metadata": {"task": "pose"}}, ["task is 'pose'"], id="another task"),
        pytest.param([COLUMNS], {"metadata": {"names": "{0: 'ant'}"}}, ["names 1 classes", "room for 3"], id="names"),
        pytest.param([COLUMNS], {"metadata": {"names": "{0: "}}, ["names cannot be read: '{0: '"], id="bad names"),
        pytest.param([COLUMNS], {"head": "yolox"}, ["YOLOX for 64×32 gives 1×42×(5+classes), not out0"], id="wrong"),
        pytest.param([COLUMNS], {"head": "yolo"}, ["no head 'yolo'", "auto, yolox, yolov8"], id="unknown name"),
        pytest.param(
            [COLUMNS],
            {"picture": PictureInput("images", WIDTH_PX, HEIGHT_PX, 1, Layout.NCHW)},
            ["colour pictures", "1 channel"],
            id="grey",
        ),
    ],
)
def test_what_no_head_knows_is_named(
    shapes: list[tuple[int | None, ...]], arguments: dict[str, Any], parts: list[str]
) -> None:
    with pytest.raises(ModelError) as caught:
        spec_for(*shapes, **arguments)
    assert caught.value.cause is FailureCause.LOAD_FAILED
    for part in parts:
        assert part in str(caught.value)


def decode_yolox(rows: NDArray[np.float32], floor: float) -> list[tuple[list[float], float, int]]:
    found = []
    for (x, y, stride), row in zip(PLACES, rows.astype(float), strict=True):
        confidence = row[4] * max(row[5:])
        if confidence > floor:
            cx, cy = (row[0] + x) * stride, (row[1] + y) * stride
            w, h = math.exp(row[2]) * stride, math.exp(row[3]) * stride
            found.append(([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], confidence, int(row[5:].argmax())))
    return found


def decode_yolov8(columns: NDArray[np.float32], floor: float) -> list[tuple[list[float], float, int]]:
    found = []
    for cx, cy, w, h, *scores in columns.T.astype(float):
        if max(scores) > floor:
            found.append(([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], max(scores), int(np.argmax(scores))))
    return found


def assert_same(found: Candidates, expected: list[tuple[list[float], float, int]]) -> None:
    assert found.xyxy.dtype == np.float32
    assert found.class_id.tolist() == [c for _, _, c in expected]
    np.testing.assert_allclose(found.confidence, [c for _, c, _ in expected], rtol=1e-6)
    np.testing.assert_allclose(found.xyxy, np.array([b for b, _, _ in expected]).reshape(-1, 4), rtol=1e-5, atol=1e-3)


# Confidences are multiples of 1/64 and floors lie between their products: no rounding decides what passes.
floors = st.sampled_from([0.01013, 0.25013, 0.70013, 0.99913])


@given(seed=st.integers(0, 2**32 - 1), floor=floors)
def test_yolox_decodes_place_by_place(seed: int, floor: float) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(0, 1, (len(PLACES), 5 + CLASSES)).astype(np.float32)
    rows[:, 4:] = rng.integers(0, 65, (len(PLACES), 1 + CLASSES)) / 64
    found = box_decoder(yolox()).candidates({"out0": rows[None]}, floor)
    assert_same(found, decode_yolox(rows, floor))


@given(seed=st.integers(0, 2**32 - 1), floor=floors)
def test_yolov8_decodes_place_by_place(seed: int, floor: float) -> None:
    rng = np.random.default_rng(seed)
    columns = rng.uniform(0, 64, (4 + CLASSES, len(PLACES))).astype(np.float32)
    columns[4:] = rng.integers(0, 65, (CLASSES, len(PLACES))) / 64
    found = box_decoder(yolov8()).candidates({"out0": columns[None]}, floor)
    assert_same(found, decode_yolov8(columns, floor))


def test_logits_are_turned_into_probabilities_where_the_option_says_so() -> None:
    columns = np.full((1, 4 + CLASSES, len(PLACES)), -200, np.float32)
    columns[0, :, 7] = [32, 16, 8, 4, -1, 2, 0]
    found = box_decoder(yolov8(logits=True)).candidates({"out0": columns}, 0.25)
    assert_same(found, [([28, 14, 36, 18], 1 / (1 + math.exp(-2)), 1)])

    rows = np.full((1, len(PLACES), 5 + CLASSES), -200, np.float32)
    rows[0, 9] = [0.5, 0.5, 0, 0, 3, -1, 2, 0]
    found = box_decoder(yolox(logits=True)).candidates({"out0": rows}, 0.25)
    assert_same(found, [([8, 8, 16, 16], 1 / (1 + math.exp(-3)) / (1 + math.exp(-2)), 1)])


def blank(spec: HeadSpec) -> NDArray[np.float32]:
    yolox_like = spec.head == "yolox"
    return np.zeros((1, len(PLACES), 8) if yolox_like else (1, 7, len(PLACES)), np.float32)


@pytest.mark.parametrize("make", [yolox, yolov8], ids=["yolox", "yolov8"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 4, 6], ids=["box", "objectness or class", "class"])
def test_what_is_no_number_is_a_bad_output(make: Any, value: float, place: int) -> None:
    spec = make()
    outputs = blank(spec)
    np.moveaxis(outputs, -1 if spec.head == "yolox" else 1, 0)[place].flat[5] = value
    with pytest.raises(ModelError, match="not finite") as caught:
        box_decoder(spec).candidates({"out0": outputs}, 0.25)
    assert caught.value.cause is FailureCause.BAD_OUTPUT


@pytest.mark.parametrize("make", [yolox, yolov8], ids=["yolox", "yolov8"])
def test_scores_that_are_no_probabilities_are_a_bad_output(make: Any) -> None:
    spec = make()
    with pytest.raises(ModelError, match=r"probabilities end at 1.*logits: 1") as caught:
        box_decoder(spec).candidates({"out0": blank(spec) + np.float32(7)}, 0.25)
    assert caught.value.cause is FailureCause.BAD_OUTPUT


def test_a_class_score_that_is_no_probability_is_a_bad_output() -> None:
    spec = yolox()
    rows = blank(spec)
    rows[0, 3, 4:6] = [0.9, 5.0]
    with pytest.raises(ModelError, match="scores reach 5"):
        box_decoder(spec).candidates({"out0": rows}, 0.25)


def test_a_box_larger_than_any_number_is_a_bad_output() -> None:
    spec = yolox()
    rows = blank(spec)
    rows[0, 3, 2:6] = [500, 0, 0.9, 0.9]
    with pytest.raises(ModelError, match="larger than any number") as caught:
        box_decoder(spec).candidates({"out0": rows}, 0.25)
    assert caught.value.cause is FailureCause.BAD_OUTPUT


@pytest.mark.parametrize("make", [yolox, yolov8], ids=["yolox", "yolov8"])
def test_an_output_of_another_shape_is_a_bad_output(make: Any) -> None:
    with pytest.raises(ModelError, match="shape") as caught:
        box_decoder(make()).candidates({"out0": np.zeros((1, 2, 3), np.float32)}, 0.25)
    assert caught.value.cause is FailureCause.BAD_OUTPUT


@pytest.mark.parametrize("make", [yolox, yolov8], ids=["yolox", "yolov8"])
def test_an_empty_picture_gives_no_candidates(make: Any) -> None:
    spec = make()
    assert_same(box_decoder(spec).candidates({"out0": blank(spec)}, 0.25), [])


def test_the_floor_itself_does_not_pass() -> None:
    columns = blank(yolov8())
    columns[0, 4, 2] = 0.25
    assert len(box_decoder(yolov8()).candidates({"out0": columns}, 0.25).confidence) == 0

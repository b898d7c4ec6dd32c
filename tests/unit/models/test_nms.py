"""Suppression keeps what a pair-by-pair reading of its definition keeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from penstock.models.heads.nms import suppress

Box = tuple[float, float, float, float]


def run(boxes: list[tuple[Box, float, int]], iou: float = 0.45, max_boxes: int = 300) -> list[int]:
    kept = suppress(
        np.array([b for b, _, _ in boxes], np.float32).reshape(-1, 4),
        np.array([c for _, c, _ in boxes], np.float32),
        np.array([k for _, _, k in boxes], np.int32),
        iou,
        max_boxes,
    )
    return [int(i) for i in kept]


@pytest.mark.parametrize(
    ("boxes", "kept"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([((0, 0, 10, 10), 0.5, 0)], [0], id="one"),
        pytest.param([((0, 0, 10, 10), 0.5, 0), ((0, 0, 10, 10), 0.9, 0)], [1], id="the more confident stays"),
        pytest.param([((0, 0, 10, 10), 0.5, 0), ((0, 0, 10, 10), 0.9, 1)], [1, 0], id="classes apart"),
        pytest.param([((0, 0, 10, 10), 0.5, 0), ((20, 0, 30, 10), 0.9, 0)], [1, 0], id="places apart"),
        pytest.param([((0, 0, 10, 10), 0.5, 0), ((0, 0, 10, 10), 0.5, 0)], [0], id="equals: the first stays"),
        pytest.param(
            [((0, 0, 10, 10), 0.9, 0), ((4, 0, 14, 10), 0.8, 0), ((8, 0, 18, 10), 0.7, 0)],
            [0, 1, 2],
            id="overlap of 0.43 is allowed",
        ),
        pytest.param(
            [((0, 0, 10, 10), 0.9, 0), ((3, 0, 13, 10), 0.8, 0), ((6, 0, 16, 10), 0.7, 0)],
            [0, 2],
            id="a box that went suppresses nothing",
        ),
        pytest.param([((5, 5, 5, 5), 0.9, 0), ((5, 5, 5, 5), 0.8, 0)], [0, 1], id="boxes without area"),
    ],
)
def test_scenarios(boxes: list[tuple[Box, float, int]], kept: list[int]) -> None:
    assert run(boxes) == kept


def test_the_most_confident_stay_where_there_are_too_many() -> None:
    boxes: list[tuple[Box, float, int]] = [((20.0 * i, 0, 20.0 * i + 10, 10), i / 500, 0) for i in range(400)]
    assert run(boxes, max_boxes=3) == [399, 398, 397]


def test_blocks_see_what_stayed_of_those_before() -> None:
    boxes: list[tuple[Box, float, int]] = [((0, 0, 10, 10), 1 - i / 1000, 0) for i in range(300)]
    assert run(boxes) == [0]


def reference(
    xyxy: NDArray[np.float32], confidence: NDArray[np.float32], class_id: NDArray[np.int32], iou: float
) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(confidence)), key=lambda i: -confidence[i]):
        for j in kept:
            if class_id[i] != class_id[j]:
                continue
            width = max(0.0, min(xyxy[i][2], xyxy[j][2]) - max(xyxy[i][0], xyxy[j][0]))
            height = max(0.0, min(xyxy[i][3], xyxy[j][3]) - max(xyxy[i][1], xyxy[j][1]))
            areas = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (xyxy[i], xyxy[j]))
            if width * height > iou * (areas - width * height):
                break
        else:
            kept.append(i)
    return kept


@given(count=st.integers(0, 300), seed=st.integers(0, 2**32 - 1), iou=st.sampled_from([0.0, 0.25, 0.5, 0.75]))
def test_it_keeps_what_the_definition_keeps(count: int, seed: int, iou: float) -> None:
    # Whole pixels and quarters of IoU: no rounding, so both sides must agree on every tie.
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 60, (count, 2))
    xyxy = np.concatenate([corner, corner + rng.integers(0, 30, (count, 2))], axis=1).astype(np.float32)
    confidence = (rng.integers(1, 40, count) / 40).astype(np.float32)
    class_id = rng.integers(0, 3, count).astype(np.int32)
    kept = suppress(xyxy, confidence, class_id, iou, 10_000)
    assert kept.tolist() == reference(xyxy, confidence, class_id, iou)

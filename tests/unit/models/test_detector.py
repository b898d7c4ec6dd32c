"""Candidates become detections of the frame: labels, mapping, clipping, order, packing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.contracts.frames import Affine
from penstock.models.detector import Selection, map_to_frame, pack
from penstock.models.heads.head import Candidates

NAMES = ("ant", "bee", "cat")
IDENTITY = Affine(1.0, 1.0, 0.0, 0.0)


def candidates(*found: tuple[tuple[float, float, float, float], float, int]) -> Candidates:
    return Candidates(
        np.array([b for b, _, _ in found], np.float32).reshape(-1, 4),
        np.array([c for _, c, _ in found], np.float32),
        np.array([k for _, _, k in found], np.int32),
    )


def test_boxes_are_mapped_clipped_and_sorted() -> None:
    found = candidates(((10, 20, 30, 40), 0.5, 0), ((-10, 0, 50, 200), 0.75, 2))
    detections = Selection(NAMES, (), 0.25, 0.45, 300).detections(found, Affine(2.0, 1.5, -4.0, -6.0), 90, 100)
    assert [(d.xyxy, d.confidence, d.class_id, d.class_name) for d in detections.detections()] == [
        ((0.0, 0.0, 90.0, 100.0), 0.75, 2, "cat"),
        ((16.0, 24.0, 56.0, 54.0), 0.5, 0, "ant"),
    ]


@pytest.mark.parametrize(
    ("wanted", "names"), [((), ["cat", "ant", "bee"]), ((1,), ["bee"]), ((0, 2), ["cat", "ant"])], ids=str
)
def test_only_wanted_classes_stay(wanted: tuple[int, ...], names: list[str]) -> None:
    found = candidates(((0, 0, 9, 9), 0.5, 0), ((0, 0, 9, 9), 0.4, 1), ((0, 0, 9, 9), 0.6, 2))
    detections = Selection(NAMES, wanted, 0.25, 0.45, 300).detections(found, IDENTITY, 90, 100)
    assert [d.class_name for d in detections.detections()] == names


def test_boxes_outside_the_frame_are_dropped() -> None:
    found = candidates(((-20, 5, -5, 9), 0.9, 0), ((5, 100, 9, 130), 0.8, 0), ((5, 5, 9, 9), 0.7, 0))
    detections = Selection(NAMES, (), 0.25, 0.45, 300).detections(found, IDENTITY, 90, 100)
    assert [d.xyxy for d in detections.detections()] == [(5.0, 5.0, 9.0, 9.0)]


def test_no_more_than_the_limit() -> None:
    found = candidates(*(((10.0 * i, 0, 10.0 * i + 5, 5), 0.5 + i / 100, 0) for i in range(9)))
    detections = Selection(NAMES, (), 0.25, 0.45, 2).detections(found, IDENTITY, 90, 100)
    assert [round(d.confidence, 2) for d in detections.detections()] == [0.58, 0.57]


def test_nothing_found() -> None:
    assert len(Selection(NAMES, (1,), 0.25, 0.45, 300).detections(candidates(), IDENTITY, 90, 100)) == 0


@given(
    boxes=st.lists(st.tuples(*[st.floats(-500, 1500, width=32)] * 4), max_size=20),
    sx=st.floats(0.1, 10),
    tx=st.floats(-300, 300),
)
def test_detections_always_lie_within_the_frame(boxes: list[tuple[float, ...]], sx: float, tx: float) -> None:
    mapped = map_to_frame(np.array(boxes, np.float32).reshape(-1, 4), Affine(sx, sx, tx, -tx), 640, 360)
    count = len(boxes)
    packed = pack(mapped, np.full(count, 0.5, np.float32), np.zeros(count, np.int32), NAMES)
    for detection in packed.detections():
        left, top, right, bottom = detection.xyxy
        assert 0 <= left < right <= 640
        assert 0 <= top < bottom <= 360

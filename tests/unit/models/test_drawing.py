"""Boxes and letters land where they should, and never outside the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.models.drawing import draw_boxes, draw_text


def test_a_box_is_an_outline() -> None:
    picture = np.zeros((100, 100, 3), np.uint8)
    draw_boxes(picture, [((20.2, 40.4, 59.6, 80.0), 0, "")])
    coloured = picture.max(axis=2) > 0
    assert coloured[40, 20:61].all()
    assert coloured[80, 20:61].all()
    assert coloured[40:81, 20].all()
    assert coloured[40:81, 60].all()
    assert not coloured[41:80, 21:60].any()
    assert not coloured[81:].any()


def test_letters_are_legible_dots() -> None:
    picture = np.zeros((5 + 2, 7 + 2, 3), np.uint8)
    draw_text(picture, "it", 0, 0, 1)
    rows = ["".join("#" if dot else "." for dot in row) for row in picture[1:-1, 1:-1, 0] > 0]
    assert rows == ["###.###", ".#...#.", ".#...#.", ".#...#.", "###..#."]


coordinate = st.floats(-1e4, 1e4)


@pytest.mark.parametrize("size", [(1, 1), (30, 50), (480, 640)])
@given(xyxy=st.tuples(coordinate, coordinate, coordinate, coordinate), label=st.text(max_size=30))
def test_nothing_breaks_at_the_edges(size: tuple[int, int], xyxy: tuple[float, ...], label: str) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    draw_boxes(picture, [(xyxy, 7, label)])
    assert picture.any()

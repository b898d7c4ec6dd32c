"""Timecodes: read as drawn, by the readers of this project, also from what was scaled, and refused when damaged."""

import numpy as np
import pytest
from foreign_rtsp import read_timecode as read_as_foreign
from hypothesis import given
from hypothesis import strategies as st

from penstock.simulator.scene import Scene, SceneSpec
from penstock.simulator.timecode import draw_timecode, read_timecode


@given(st.integers(0, 2**64 - 1))
def test_any_number_is_read_as_it_was_drawn(number: int) -> None:
    picture = np.full((96, 512, 3), 100, np.uint8)
    draw_timecode(picture, number)
    luma = picture[..., 0]
    assert read_timecode(luma) == number
    assert read_as_foreign(luma) == number
    assert read_timecode(luma[::2, ::2], drawn_width_px=512) == number


def test_a_scene_names_its_pictures() -> None:
    scene = Scene(SceneSpec("yard", 1, timecode=True))
    for index in (0, 1, 777, 1003):
        luma = scene.render(index).mean(axis=2).astype(np.uint8)
        assert read_timecode(luma) == index % 1000
        assert read_timecode(luma[::2, ::2], drawn_width_px=640) == index % 1000


def test_a_damaged_timecode_is_refused() -> None:
    picture = np.full((96, 512, 3), 100, np.uint8)
    draw_timecode(picture, 1234)
    picture[16:32, 16:32] = 255 - picture[16:32, 16:32]
    assert read_timecode(picture[..., 0]) is None


@pytest.mark.parametrize("shape", [(8, 8), (48, 100)])
def test_a_picture_too_small_for_one_has_none(shape: tuple[int, int]) -> None:
    assert read_timecode(np.zeros(shape, np.uint8)) is None

"""What the gate calls movement, on noisy pictures like a camera's."""

from collections.abc import Callable

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from penstock.contracts.specs import GateSpec
from penstock.ingest.gate import Gate

Scene = Callable[[int], NDArray[np.float64]]
RNG = np.random.default_rng(5)
HEIGHT, WIDTH = 360, 640
SLOPE = np.linspace(60, 160, WIDTH)[None, :] + np.linspace(0, 40, HEIGHT)[:, None]
WARM_UP = 25


def frame_of(luma: NDArray[np.float64], noise: float = 2.0, colorspace: int = 1) -> av.VideoFrame:
    noisy = np.clip(luma + RNG.normal(0, noise, luma.shape), 0, 255).astype(np.uint8)
    chroma = np.full((luma.shape[0] // 2, luma.shape[1]), 128, np.uint8)
    frame = av.VideoFrame.from_ndarray(np.concatenate([noisy, chroma]), "yuv420p")
    frame.colorspace = colorspace
    return frame


def block_at(number: int, side: int = 24, contrast: float = 70.0) -> NDArray[np.float64]:
    """A bright block that goes 6 pixels a frame."""
    picture = SLOPE.copy()
    x = 40 + 6 * number
    picture[150 : 150 + side, x : x + side] += contrast
    return picture


def moved_after_warm_up(gate: Gate, scene: Scene, frames: int = 20) -> list[bool]:
    for _ in range(WARM_UP):
        gate.moved(frame_of(scene(0)))
    return [gate.moved(frame_of(scene(number))) for number in range(frames)]


@pytest.mark.parametrize(
    ("scene", "moves"),
    [
        pytest.param(lambda n: SLOPE, False, id="noise alone"),
        pytest.param(lambda n: SLOPE + 2 * n, False, id="light that changes everywhere"),
        pytest.param(lambda n: SLOPE + 25 * (n > 3), False, id="a lamp is switched on"),
        pytest.param(block_at, True, id="a person far away"),
        pytest.param(lambda n: block_at(n, side=120), True, id="a person nearby"),
        pytest.param(lambda n: block_at(n, contrast=-50), True, id="something dark"),
        pytest.param(lambda n: block_at(n) + 3 * n, True, id="movement while the light changes"),
    ],
)
def test_what_counts_as_movement(scene: Scene, moves: bool) -> None:
    seen = moved_after_warm_up(Gate(GateSpec()), scene)[1:]
    assert all(seen) if moves else not any(seen)


def test_the_first_frame_and_the_first_of_a_session_count_as_moved() -> None:
    gate = Gate(GateSpec())
    assert gate.moved(frame_of(SLOPE))
    assert not gate.moved(frame_of(SLOPE))
    gate.reset()
    assert gate.moved(frame_of(SLOPE))


def test_what_stays_becomes_background() -> None:
    gate = Gate(GateSpec())
    for _ in range(WARM_UP):
        gate.moved(frame_of(SLOPE))
    seen = [gate.moved(frame_of(block_at(10))) for _ in range(100)]
    assert seen[0]
    assert not any(seen[80:])


def test_a_gate_that_is_off_lets_everything_through() -> None:
    gate = Gate(GateSpec(enabled=False))
    assert all(gate.moved(frame_of(SLOPE)) for _ in range(5))


def test_the_threshold_is_in_levels_of_luma() -> None:
    """The score is the changed block's mean difference: 40 levels on a quarter of it make 10, at any size."""
    for height, width in ((180, 320), (720, 1280)):
        times = height // 180
        gate = Gate(GateSpec(threshold=9.0))
        picture = np.full((height, width), 100.0)
        gate.moved(frame_of(picture, noise=0))
        changed = picture.copy()
        changed[40 * times : 50 * times, 60 * times : 70 * times] += 40
        assert gate.moved(frame_of(changed, noise=0))
        assert gate.score == pytest.approx(10 * 255 / 219, rel=0.05)


@pytest.mark.parametrize("colorspace", [1, 2, 5])
def test_colour_alone_is_no_movement_whatever_the_matrix(colorspace: int) -> None:
    gate = Gate(GateSpec())
    luma = np.full((HEIGHT, WIDTH), 120, np.uint8)
    for number in range(4):
        chroma = np.full((HEIGHT // 2, WIDTH), 128, np.uint8)
        chroma[:60, 300:340] = 128 + 30 * number
        frame = av.VideoFrame.from_ndarray(np.concatenate([luma, chroma]), "yuv420p")
        frame.colorspace = colorspace
        assert gate.moved(frame) == (number == 0)


@pytest.mark.parametrize("format", ["yuv420p", "yuvj422p", "nv12", "yuv420p10le", "gray", "rgb24"])
def test_any_pixel_format_is_taken(format: str) -> None:
    gate = Gate(GateSpec())
    assert gate.moved(frame_of(SLOPE).reformat(format=format))
    assert not gate.moved(frame_of(SLOPE).reformat(format=format))
    assert gate.moved(frame_of(block_at(5)).reformat(format=format))

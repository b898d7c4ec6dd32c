"""Views: where the picture lies in them, that boxes map back, and that pixels are what plain arithmetic gives."""

from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from penstock.contracts.frames import Affine, Fit, PixelFormat, ViewSpec
from penstock.ingest.views import ViewMaker, placement

FITS = st.sampled_from([fit for fit in Fit if fit is not Fit.CENTRE_CROP])
SIDES = st.integers(1, 4096)


@given(width=SIDES, height=SIDES, view_w=st.integers(1, 1280), view_h=st.integers(1, 1280), fit=FITS)
def test_placement_maps_its_corners_back_exactly(width: int, height: int, view_w: int, view_h: int, fit: Fit) -> None:
    spec = ViewSpec(view_w, view_h, PixelFormat.BGR24, fit)
    left, top, inner_w, inner_h, back = placement(spec, width, height)
    assert left >= 0 <= top
    assert left + inner_w <= view_w
    assert top + inner_h <= view_h
    assert back.sx * left + back.tx == pytest.approx(0, abs=1e-6)
    assert back.sy * top + back.ty == pytest.approx(0, abs=1e-6)
    assert back.sx * (left + inner_w) + back.tx == pytest.approx(width)
    assert back.sy * (top + inner_h) + back.ty == pytest.approx(height)
    if fit is not Fit.STRETCH:
        assert inner_w == view_w or inner_h == view_h, "one side fits exactly"
        scale = min(view_w / width, view_h / height)
        assert abs(inner_w - width * scale) <= 1 >= abs(inner_h - height * scale)
    if fit is Fit.LETTERBOX_TOP_LEFT:
        assert (left, top) == (0, 0)
    if fit is Fit.LETTERBOX_CENTRE:
        assert abs(view_w - inner_w - 2 * left) <= 1 >= abs(view_h - inner_h - 2 * top)


@pytest.mark.parametrize(
    ("spec", "size", "expected"),
    [
        pytest.param((416, 416, Fit.LETTERBOX_TOP_LEFT), (480, 360), (0, 0, 416, 312), id="4:3, top left"),
        pytest.param((640, 640, Fit.LETTERBOX_CENTRE), (1920, 1080), (0, 140, 640, 360), id="16:9, centred"),
        pytest.param((640, 640, Fit.LETTERBOX_CENTRE), (1080, 1920), (140, 0, 360, 640), id="upright"),
        pytest.param((352, 352, Fit.STRETCH), (1920, 1080), (0, 0, 352, 352), id="stretched"),
        pytest.param((416, 416, Fit.LETTERBOX_TOP_LEFT), (77, 77), (0, 0, 416, 416), id="416 / 77 * 77 is below 416"),
        pytest.param((416, 416, Fit.LETTERBOX_TOP_LEFT), (4000, 3), (0, 0, 416, 1), id="never less than a row"),
    ],
)
def test_where_a_picture_lies(
    spec: tuple[int, int, Fit], size: tuple[int, int], expected: tuple[int, int, int, int]
) -> None:
    width, height, fit = spec
    assert placement(ViewSpec(width, height, PixelFormat.BGR24, fit), *size)[:4] == expected


@pytest.mark.parametrize(
    ("size", "crop_from_px", "expected"),
    [
        pytest.param((480, 360), 256, (-58, -16, 341, 256), id="4:3, margins of 58 and 59"),
        pytest.param((1920, 1080), 256, (-116, -16, 455, 256), id="16:9, margins of 116 and 115"),
        pytest.param((1080, 1920), 256, (-16, -116, 256, 455), id="upright"),
        pytest.param((640, 360), 0, (-87, 0, 398, 224), id="as large as fits"),
        pytest.param((360, 360), 256, (-16, -16, 256, 256), id="square"),
        pytest.param((360, 360), 112, (56, 56, 112, 112), id="smaller than the view"),
    ],
)
def test_where_the_middle_is_cut_out(
    size: tuple[int, int], crop_from_px: int, expected: tuple[int, int, int, int]
) -> None:
    spec = ViewSpec(224, 224, PixelFormat.RGB24, Fit.CENTRE_CROP, crop_from_px=crop_from_px)
    *place, back = placement(spec, *size)
    assert tuple(place) == expected
    # The middle of the view is the middle of the picture, but for the odd pixel.
    assert back.sx * 112 + back.tx == pytest.approx(size[0] / 2, abs=back.sx)
    assert back.sy * 112 + back.ty == pytest.approx(size[1] / 2, abs=back.sy)


def test_what_is_cut_out_is_the_middle_of_the_whole_picture_scaled() -> None:
    noise = np.random.default_rng(5).integers(16, 236, (360, 480)).astype(np.uint8)
    whole, *_ = made(frame_of(noise, full=True), ViewSpec(341, 256, PixelFormat.BGR24))
    crop = ViewSpec(224, 224, PixelFormat.BGR24, Fit.CENTRE_CROP, crop_from_px=256)
    pixels, *_ = made(frame_of(noise, full=True), crop)
    assert (pixels == whole[16:240, 58:282]).all()


def test_a_crop_larger_than_the_picture_is_padded() -> None:
    spec = ViewSpec(64, 32, PixelFormat.GRAY8, Fit.CENTRE_CROP, pad=7, crop_from_px=16)
    pixels, *_ = made(frame_of(np.full((48, 48), 200, np.uint8), full=True), spec)
    inside = np.zeros((32, 64), bool)
    inside[8:24, 24:40] = True
    assert (pixels[inside] == 200).all()
    assert (pixels[~inside] == 7).all()


def frame_of(
    luma: NDArray[np.uint8], blue: int = 128, red: int = 128, *, colorspace: int = 2, full: bool = False
) -> av.VideoFrame:
    height, width = luma.shape
    frame = av.VideoFrame(width, height, "yuv420p")
    values: tuple[Any, ...] = (luma, blue, red)
    for plane, value in zip(frame.planes, values, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = value
        plane.update(rows.tobytes())
    frame.colorspace = colorspace
    frame.color_range = ColorRange.JPEG if full else ColorRange.MPEG
    return frame


def made(frame: av.VideoFrame, spec: ViewSpec) -> tuple[NDArray[np.uint8], Affine, str, bool]:
    slot = bytearray(spec.nbytes + 100)
    plane, back, matrix, full = ViewMaker().make(frame, spec, memoryview(slot))
    assert (plane.offset_bytes, plane.stride_bytes) == (0, spec.width_px * spec.channels)
    assert (plane.width_px, plane.height_px) == (spec.width_px, spec.height_px)
    assert slot[spec.nbytes :] == bytes(100), "nothing is written beyond the view"
    pixels = np.frombuffer(slot, np.uint8, spec.nbytes).reshape(spec.height_px, spec.width_px, spec.channels)
    return pixels, back, matrix, full


def rgb_of(luma: int, blue: int, red: int, kr: float, kb: float, full: bool) -> list[float]:
    """ITU-R BT.601 and BT.709, by their definition."""
    y = luma / 255 if full else (luma - 16) / 219
    u, v = ((c - 128) / (255 if full else 224) for c in (blue, red))
    green = y - 2 * (1 - kb) * kb / (1 - kr - kb) * u - 2 * (1 - kr) * kr / (1 - kr - kb) * v
    return [min(255.0, max(0.0, 255 * c)) for c in (y + 2 * (1 - kr) * v, green, y + 2 * (1 - kb) * u)]


@pytest.mark.parametrize(
    ("colorspace", "matrix", "kr", "kb"),
    [
        (int(Colorspace.ITU709), "bt709", 0.2126, 0.0722),
        (int(Colorspace.ITU601), "bt601", 0.299, 0.114),
        (2, "bt601", 0.299, 0.114),
    ],
)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("colour", [(100, 90, 160), (16, 128, 128), (235, 128, 128), (180, 160, 100)])
def test_colours_are_those_of_the_standard(
    colorspace: int, matrix: str, kr: float, kb: float, full: bool, colour: tuple[int, int, int]
) -> None:
    frame = frame_of(np.full((48, 64), colour[0], np.uint8), colour[1], colour[2], colorspace=colorspace, full=full)
    expected = rgb_of(*colour, kr, kb, full)
    pixels, _, named, was_full = made(frame, ViewSpec(32, 24, PixelFormat.RGB24))
    assert (named, was_full) == (matrix, full)
    assert np.abs(pixels.astype(float) - expected).max() <= 3
    reversed_pixels, *_ = made(frame, ViewSpec(32, 24, PixelFormat.BGR24))
    assert (reversed_pixels[:, :, ::-1] == pixels).all()
    gray, *_ = made(frame, ViewSpec(32, 24, PixelFormat.GRAY8))
    luma = colour[0] if full else (colour[0] - 16) * 255 / 219
    assert np.abs(gray.astype(float) - luma).max() <= 1, "luma alone, stretched to the full range"


@pytest.mark.parametrize(
    ("width", "height", "view_w", "view_h"), [(640, 360, 160, 90), (1280, 720, 320, 180), (480, 360, 120, 90)]
)
def test_shrinking_is_the_mean_of_what_a_pixel_covers(width: int, height: int, view_w: int, view_h: int) -> None:
    noise = np.random.default_rng(3).integers(16, 236, (height, width)).astype(np.uint8)
    pixels, *_ = made(frame_of(noise, full=True), ViewSpec(view_w, view_h, PixelFormat.GRAY8))
    times_x, times_y = width // view_w, height // view_h
    expected = noise.reshape(view_h, times_y, view_w, times_x).mean(axis=(1, 3))
    difference = pixels[:, :, 0].astype(float) - expected
    assert np.abs(difference).max() <= 2
    assert abs(difference.mean()) <= 0.6


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(2, 333),
    height=st.integers(2, 333),
    view_w=st.integers(32, 200),
    view_h=st.integers(32, 200),
    fit=FITS,
    format=st.sampled_from(PixelFormat),
)
def test_any_size_fills_its_place_and_pads_the_rest(
    width: int, height: int, view_w: int, view_h: int, fit: Fit, format: PixelFormat
) -> None:
    spec = ViewSpec(view_w, view_h, format, fit, pad=7)
    pixels, *_ = made(frame_of(np.full((height, width), 200, np.uint8), full=True), spec)
    left, top, inner_w, inner_h, _ = placement(spec, width, height)
    inside = pixels[top : top + inner_h, left : left + inner_w]
    assert np.abs(inside.astype(int) - 200).max() <= 3
    outside = np.ones((view_h, view_w), bool)
    outside[top : top + inner_h, left : left + inner_w] = False
    assert (pixels[outside] == 7).all()


@pytest.mark.parametrize("fit", Fit)  # the mark lies in what a centre crop keeps
def test_a_mark_is_found_where_the_map_says(fit: Fit) -> None:
    luma = np.full((360, 642), 30, np.uint8)
    luma[200:240, 400:480] = 220
    spec = ViewSpec(416, 416, PixelFormat.GRAY8, fit, pad=0)
    pixels, back, *_ = made(frame_of(luma, full=True), spec)
    ys, xs = np.nonzero(pixels[:, :, 0] > 125)
    box = [back.sx * xs.min() + back.tx, back.sy * ys.min() + back.ty]
    box += [back.sx * (xs.max() + 1) + back.tx, back.sy * (ys.max() + 1) + back.ty]
    assert box == pytest.approx([400, 200, 480, 240], abs=max(back.sx, back.sy))


def test_a_camera_that_changes_its_size_is_followed() -> None:
    maker, spec = ViewMaker(), ViewSpec(32, 32, PixelFormat.GRAY8)
    slot = bytearray(spec.nbytes)
    for width, height, value in ((64, 48, 50), (320, 240, 90), (64, 48, 130)):
        maker.make(frame_of(np.full((height, width), value, np.uint8), full=True), spec, memoryview(slot))
        assert set(slot) == {value}


def test_a_slot_too_small_is_refused() -> None:
    spec = ViewSpec(64, 64, PixelFormat.BGR24)
    with pytest.raises(ValueError, match="a view of 64x64 needs 12288 bytes, a slot has 4096"):
        ViewMaker().make(frame_of(np.zeros((48, 64), np.uint8)), spec, memoryview(bytearray(4096)))

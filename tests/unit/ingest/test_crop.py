"""Views of parts of a picture: the pixels and colours that NumPy cuts out of the whole, mapped to their places."""

import math
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from penstock.contracts.frames import Affine, Fit, PixelFormat, ViewSpec
from penstock.contracts.messages import Box
from penstock.ingest.crop import Region, cut, region_of
from penstock.ingest.raw_picture import _PLANES, FORMATS
from penstock.ingest.views import ViewMaker, placement

OTHERS = ("yuv420p10le", "p010le", "gbrp", "yuva420p", "yuv440p", "yuv410p", "gray16be", "rgb565le", "pal8", "monow")


def noise(pixel_format: str, width_px: int, height_px: int) -> av.VideoFrame:
    """Every sample another, so that a wrong row or column shows."""
    frame = av.VideoFrame(width_px, height_px, pixel_format)
    random = np.random.default_rng(7)
    for plane in frame.planes:
        plane.update(random.integers(0, 256, plane.buffer_size, np.uint8).tobytes())
    return frame


def view(picture: av.VideoFrame, spec: ViewSpec, box: Box | None) -> tuple[NDArray[np.uint8], Affine]:
    slot = bytearray(spec.nbytes)
    _, back, *_ = ViewMaker().make(picture, spec, memoryview(slot), box)
    return np.frombuffer(slot, np.uint8).reshape(spec.height_px, spec.width_px, spec.channels), back


REGIONS: dict[str, tuple[str, tuple[int, int], Box, Region]] = {
    "as it is": ("yuv420p", (64, 48), (10, 20, 30, 40), Region(10, 20, 20, 20)),
    "to whole colour samples": ("yuv420p", (64, 48), (11, 21, 29, 39), Region(10, 20, 20, 20)),
    "every part of a pixel": ("gray", (64, 48), (10.9, 20.1, 29.1, 39.9), Region(10, 20, 20, 20)),
    "odd sides where colour has every pixel": ("rgb24", (64, 48), (11, 21, 30, 40), Region(11, 21, 19, 19)),
    "across only": ("yuv422p", (64, 48), (11, 21, 30, 40), Region(10, 21, 20, 19)),
    "within the picture": ("yuv420p", (64, 48), (-5, -5, 500, 500), Region(0, 0, 64, 48)),
    "an odd picture to its last pixel": ("yuv420p", (65, 49), (60, 40, 65, 49), Region(60, 40, 5, 9)),
    "two pixels at least": ("gray", (64, 48), (10.2, 20.2, 10.4, 20.4), Region(10, 20, 2, 2)),
    "at the edge too": ("gray", (64, 48), (63.5, 47.5, 64, 48), Region(62, 46, 2, 2)),
    "beyond the edge": ("yuv420p", (64, 48), (100, -20, 120, -10), Region(62, 0, 2, 2)),
    "the wrong way round": ("gray", (64, 48), (30, 40, 10, 20), Region(30, 40, 2, 2)),
    "without end": ("gray", (64, 48), (-math.inf, 3, math.inf, 9), Region(0, 3, 64, 6)),
    "in a picture of one pixel": ("gray", (1, 1), (0, 0, 1, 1), Region(0, 0, 1, 1)),
}


@pytest.mark.parametrize(("pixel_format", "size", "box", "region"), REGIONS.values(), ids=REGIONS)
def test_what_a_box_takes(pixel_format: str, size: tuple[int, int], box: Box, region: Region) -> None:
    assert region_of(box, av.VideoFrame(*size, pixel_format)) == region


def test_what_is_no_box() -> None:
    with pytest.raises(ValueError, match="is not four numbers"):
        region_of((0, math.nan, 5, 5), av.VideoFrame(64, 48, "yuv420p"))


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(2, 90), st.integers(2, 90)),
    box=st.tuples(*[st.floats(-20, 110, allow_nan=False)] * 4),
    pixel_format=st.sampled_from(["yuv420p", "yuv422p", "nv12", "gray", "yuv410p"]),
)
def test_a_region_holds_what_of_the_box_is_there(
    size: tuple[int, int], box: tuple[float, ...], pixel_format: str
) -> None:
    picture = av.VideoFrame(*size, pixel_format)
    region = region_of((box[0], box[1], box[2], box[3]), picture)
    for at, length, first, last, whole in (
        (region.left, region.width_px, box[0], box[2], size[0]),
        (region.top, region.height_px, box[1], box[3], size[1]),
    ):
        assert 0 <= at < at + length <= whole
        assert length >= 2
        if max(first, 0) < min(last, whole):
            assert at <= max(first, 0)
            assert at + length >= min(last, whole)
            assert length <= min(last, whole) - max(first, 0) + 10


@pytest.mark.parametrize("pixel_format", [*FORMATS, *OTHERS])
def test_every_format_is_cut_where_it_says(pixel_format: str) -> None:
    """FFmpeg's own conversion of the whole, without interpolation between colour samples, is the reference."""
    picture = noise(pixel_format, 64, 48)
    region = region_of((12, 8, 40, 36), picture)
    part = cut(picture, region)
    assert (part.width, part.height) == (region.width_px, region.height_px)
    whole = rgb(picture)
    expected = whole[region.top : region.top + region.height_px, region.left : region.left + region.width_px]
    assert np.array_equal(rgb(part), expected)


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("box", [(32, 24, 65, 49), (1, 3, 18, 30), (0, 0, 65, 49)])
def test_every_plane_of_an_odd_picture_is_cut_to_the_byte(pixel_format: str, box: Box) -> None:
    picture = noise(pixel_format, 65, 49)
    region = region_of(box, picture)
    part = cut(picture, region)
    for layout, source, target in zip(_PLANES[pixel_format], picture.planes, part.planes, strict=True):
        x0, x1 = region.left // layout.across, math.ceil((region.left + region.width_px) / layout.across)
        y0, y1 = region.top // layout.down, math.ceil((region.top + region.height_px) / layout.down)
        whole = samples(source)[y0:y1, x0 * layout.sample_bytes : x1 * layout.sample_bytes]
        assert np.array_equal(samples(target)[: y1 - y0, : whole.shape[1]], whole)


def samples(plane: Any) -> NDArray[np.uint8]:
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)


def rgb(picture: av.VideoFrame) -> NDArray[np.uint8]:
    """Nearest colour sample, 4:4:4 first: FFmpeg's quick paths to RGB differ by the width of the picture."""
    if not picture.format.is_rgb and not picture.format.has_palette and not picture.format.is_bit_stream:
        picture = picture.reformat(format="yuv444p16le", interpolation="POINT")
    return np.asarray(picture.reformat(format="gbrp", interpolation="POINT").to_ndarray(format="rgb24"), np.uint8)


@pytest.mark.parametrize("colorspace", [Colorspace.ITU709, Colorspace.ITU601])
@pytest.mark.parametrize("color_range", [ColorRange.MPEG, ColorRange.JPEG])
def test_colours_of_a_part_are_those_of_the_whole(colorspace: Any, color_range: Any) -> None:
    """One to one, so that no scaling stands between: the part is what NumPy cuts out of the view of the whole."""
    luma, blue, red = np.mgrid[0:48, 0:64][1] * 3 + 20, 60, 200
    frame = av.VideoFrame(64, 48, "yuv420p")
    for plane, value in zip(frame.planes, (luma, blue, red), strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = value
        plane.update(rows.tobytes())
    frame.colorspace, frame.color_range = int(colorspace), int(color_range)
    whole, _ = view(frame, ViewSpec(64, 48, PixelFormat.RGB24), None)
    part, back = view(frame, ViewSpec(20, 16, PixelFormat.RGB24), (12, 8, 32, 24))
    assert np.array_equal(part, whole[8:24, 12:32])
    assert back == Affine(1, 1, 12, 8)
    gray, _ = view(frame, ViewSpec(20, 16, PixelFormat.GRAY8), (12, 8, 32, 24))
    whole_gray, _ = view(frame, ViewSpec(64, 48, PixelFormat.GRAY8), None)
    assert np.array_equal(gray, whole_gray[8:24, 12:32])


def test_a_part_is_scaled_as_a_mean_of_what_its_pixels_cover() -> None:
    picture = noise("gray", 320, 192)
    picture.color_range = int(ColorRange.JPEG)
    luma = picture.to_ndarray(format="gray")
    pixels, back = view(picture, ViewSpec(40, 24, PixelFormat.GRAY8), (100, 50, 260, 146))
    expected = luma[50:146, 100:260].reshape(24, 4, 40, 4).mean(axis=(1, 3))
    assert np.abs(pixels[:, :, 0] - expected).max() <= 2
    assert back == Affine(4, 4, 100, 50)


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize(
    "box", [(380.0, 180.0, 500.0, 260.0), (391.3, 190.2, 489.9, 247.7), (300.0, 100.0, 642.0, 360.0)]
)
def test_a_mark_is_found_where_the_map_says(fit: Fit, box: Box) -> None:
    """As in the view of a whole picture, but for a box that cuts: a centre crop shows the mark's middle only."""
    luma = np.full((360, 642), 30, np.uint8)
    luma[200:240, 420:460] = 220
    picture = av.VideoFrame(642, 360, "yuvj420p")
    values: tuple[Any, ...] = (luma, 128, 128)
    for plane, value in zip(picture.planes, values, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = value
        plane.update(rows.tobytes())
    pixels, back = view(picture, ViewSpec(160, 160, PixelFormat.GRAY8, fit, pad=0), box)
    ys, xs = np.nonzero(pixels[:, :, 0] > 125)
    found = [back.sx * xs.min() + back.tx, back.sy * ys.min() + back.ty]
    found += [back.sx * (xs.max() + 1) + back.tx, back.sy * (ys.max() + 1) + back.ty]
    assert found == pytest.approx([420, 200, 460, 240], abs=max(back.sx, back.sy, 1))
    region = region_of(box, picture)
    *_, within = placement(ViewSpec(160, 160, PixelFormat.GRAY8, fit), region.width_px, region.height_px)
    assert back == Affine(within.sx, within.sy, within.tx + region.left, within.ty + region.top)


def test_parts_of_many_sizes_leave_the_scaling_of_the_whole_alone() -> None:
    maker, spec = ViewMaker(), ViewSpec(32, 24, PixelFormat.BGR24)
    picture = noise("yuv420p", 64, 48)
    expected = view(picture, spec, None)[0].tobytes()
    slot = bytearray(spec.nbytes)
    for side in range(2, 40, 3):
        maker.make(picture, spec, memoryview(slot), (3, 3, 3 + side, 3 + side))
        maker.make(picture, spec, memoryview(slot))
        assert bytes(slot) == expected

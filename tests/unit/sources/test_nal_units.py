"""NAL units in both packagings, and what their headers say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.sources import nal_units

SPS, PPS, IDR, P, B, AUD, SEI = (bytes([kind, 0x80, 0x11]) for kind in (0x67, 0x68, 0x65, 0x41, 0x01, 0x09, 0x06))
VPS, HSPS, HPPS = (bytes([kind << 1, 1, 0x22]) for kind in (32, 33, 34))
IDR_W_RADL, TRAIL_R, TRAIL_N = (bytes([kind << 1, 1, 0x33]) for kind in (19, 1, 0))


def annexb(*units: bytes, long: bool = True) -> bytes:
    return b"".join((b"\x00" if long else b"") + nal_units.START_CODE + unit for unit in units)


def prefixed(*units: bytes, size: int = 4) -> bytes:
    return b"".join(len(unit).to_bytes(size, "big") + unit for unit in units)


unit_bodies = st.binary(min_size=1, max_size=40).map(
    # What an encoder's emulation prevention sees to: no start code inside, no zero at the end.
    lambda body: b"\x41" + body.replace(b"\x00", b"\x01") + b"\x80"
)


@given(st.lists(unit_bodies, max_size=8), st.booleans())
def test_byte_stream_round_trip(bodies: list[bytes], long: bool) -> None:
    assert list(nal_units.units(annexb(*bodies, long=long))) == bodies


@given(st.lists(unit_bodies, max_size=8), st.sampled_from([1, 2, 4]))
def test_length_prefix_round_trip(bodies: list[bytes], size: int) -> None:
    assert list(nal_units.units(prefixed(*bodies, size=size), size)) == bodies


@given(st.binary(max_size=200), st.sampled_from([0, 1, 2, 4]), st.sampled_from(["h264", "hevc", "mpeg4"]))
def test_no_bytes_are_too_odd(data: bytes, size: int, codec: str) -> None:
    list(nal_units.units(data, size))
    nal_units.parameter_sets(codec, data, size)
    nal_units.is_disposable(codec, data, size)


SETS = {
    "h264 keyframe": ("h264", (AUD, SPS, PPS, SEI, IDR), (SPS, PPS)),
    "h264 picture": ("h264", (AUD, P), ()),
    "sets after the slice belong to the next": ("h264", (IDR, SPS), ()),
    "hevc keyframe": ("hevc", (VPS, HSPS, HPPS, IDR_W_RADL), (VPS, HSPS, HPPS)),
    "another codec": ("mpeg4", (SPS, PPS), ()),
}


@pytest.mark.parametrize(("codec", "units", "expected"), SETS.values(), ids=SETS.keys())
def test_parameter_sets(codec: str, units: tuple[bytes, ...], expected: tuple[bytes, ...]) -> None:
    if codec != "mpeg4":
        assert nal_units.parameter_sets(codec, annexb(*units)) == expected
        assert nal_units.parameter_sets(codec, prefixed(*units), 4) == expected
        assert nal_units.parameter_sets(codec, nal_units.byte_stream(expected)) == expected
    else:
        assert nal_units.parameter_sets(codec, annexb(*units)) == ()


DISPOSABLE = {
    "h264 B": ("h264", (AUD, B), True),
    "h264 P": ("h264", (AUD, P), False),
    "h264 IDR": ("h264", (SPS, PPS, IDR), False),
    "hevc TRAIL_N": ("hevc", (TRAIL_N,), True),
    "hevc TRAIL_R": ("hevc", (TRAIL_R,), False),
    "hevc IDR": ("hevc", (IDR_W_RADL,), False),
    "unknown codec": ("mjpeg", (B,), False),
    "no slice": ("h264", (SEI,), False),
}


@pytest.mark.parametrize(("codec", "units", "expected"), DISPOSABLE.values(), ids=DISPOSABLE.keys())
def test_disposable(codec: str, units: tuple[bytes, ...], expected: bool) -> None:
    assert nal_units.is_disposable(codec, annexb(*units)) is expected
    assert nal_units.is_disposable(codec, prefixed(*units), 4) is expected


PICTURES = {
    "delimiter alone": ("h264", (AUD,), False),
    "delimiter and parameter sets": ("h264", (AUD, SPS, PPS), False),
    "slice after a delimiter": ("h264", (AUD, P), True),
    "hevc slice": ("hevc", (TRAIL_R,), True),
    "unknown codec": ("mjpeg", (B,), True),
}


@pytest.mark.parametrize(("codec", "units", "expected"), PICTURES.values(), ids=PICTURES.keys())
def test_a_picture_has_a_slice(codec: str, units: tuple[bytes, ...], expected: bool) -> None:
    assert nal_units.has_picture(codec, annexb(*units)) is expected
    assert nal_units.has_picture(codec, prefixed(*units), 4) is expected


def test_packaging_is_told_from_the_configuration() -> None:
    assert nal_units.length_size("h264", b"") == 0
    assert nal_units.length_size("h264", annexb(SPS)) == 0
    assert nal_units.length_size("h264", b"\x01\x64\x00\x1f\xff\xe1") == 4
    assert nal_units.length_size("h264", b"\x01\x64\x00\x1f\xfd\xe1") == 2
    assert nal_units.length_size("hevc", bytes([1, *[0] * 20, 0xFF])) == 4

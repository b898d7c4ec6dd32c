"""What looks into bytes that a camera sent answers for any bytes at all, and loses none of what is whole."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.contracts.packets import StreamInfo
from penstock.sources import nal_units
from penstock.sources.codec_config import CodecConfigurations
from penstock.sources.presentation_order import KEPT, PresentationOrder

codecs = st.sampled_from(["h264", "hevc", "mjpeg", "mpeg4"])
# Noise alone hardly ever holds a start code: it is made of pieces that matter.
pieces = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"\0\0\1", b"\0\0\0\1", b"\0\0", b"\0", b"\1\x67", b"\x68", b"\x65", b"\x40\1", b"\x42\1", b"\x26\1"]
    ),
)
noise = st.lists(pieces, max_size=24).map(b"".join)
lengths = st.integers(0, 4)
# What a unit may hold: no start code within, no zero at its end, at least a byte of header.
whole_units = st.lists(
    st.tuples(st.integers(1, 255), st.binary(max_size=20)).map(
        lambda made: bytes([made[0]]) + made[1].replace(b"\0", b"\1")
    ),
    max_size=6,
)


@given(codecs, noise, lengths)
def test_any_bytes_are_looked_into_without_an_error(codec: str, data: bytes, length_bytes: int) -> None:
    units = list(nal_units.units(data, length_bytes))
    assert all(units)
    assert sum(map(len, units)) <= len(data)
    assert all(unit in data for unit in units)
    sets = nal_units.parameter_sets(codec, data, length_bytes) if codec in ("h264", "hevc") else ()
    assert set(sets) <= set(units)
    if nal_units.is_disposable(codec, data, length_bytes):
        assert nal_units.has_picture(codec, data, length_bytes)


@given(codecs, noise)
def test_any_configuration_states_a_length_of_0_to_4_bytes(codec: str, extradata: bytes) -> None:
    assert 0 <= nal_units.length_size(codec, extradata) <= 4


@given(whole_units, st.integers(1, 4))
def test_whole_units_come_out_as_they_went_in(units: list[bytes], length_bytes: int) -> None:
    assert list(nal_units.units(nal_units.byte_stream(tuple(units)))) == units
    prefixed = b"".join(len(unit).to_bytes(length_bytes, "big") + unit for unit in units)
    assert list(nal_units.units(prefixed, length_bytes)) == units
    if prefixed:
        # Of a cut access unit all but the last are there.
        assert list(nal_units.units(prefixed[:-1], length_bytes)) == units[:-1]


class _Packet:
    """What `take` asks of a packet, with any side data."""

    def __init__(self, extradata: bytes | None) -> None:
        self._extradata = extradata

    def has_sidedata(self, kind: str) -> bool:
        return kind == "new_extradata" and self._extradata is not None

    def get_sidedata(self, kind: str) -> bytes:
        assert self._extradata is not None
        return self._extradata


configurations = st.tuples(st.one_of(st.none(), noise), noise, st.booleans())


@given(codecs, noise, st.lists(configurations, max_size=12))
def test_configurations_change_only_with_what_is_new(
    codec: str, first: bytes, packets: list[tuple[bytes | None, bytes, bool]]
) -> None:
    """Whatever comes, each packet has a configuration that can be had, and the same bytes again bring no new one."""
    info = StreamInfo(codec=codec, width_px=0, height_px=0, time_base=(1, 90_000), extradata=first)
    known = CodecConfigurations(info)
    before = 0
    for extradata, data, keyframe in packets:
        packet = _Packet(extradata)
        number = known.take(packet, data, keyframe)  # type: ignore[arg-type]
        assert number in (before, before + 1)
        assert msgspec.structs.replace(known.get(number), width_px=0, height_px=0, profile="", reorder_frames=0) == (
            msgspec.structs.replace(info, extradata=known.get(number).extradata)
        )
        assert known.take(packet, data, keyframe) == number  # type: ignore[arg-type]
        before = number


@given(st.lists(st.tuples(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12)), max_size=200))
def test_capture_times_never_run_backwards_in_presentation_order(stamps: list[tuple[int, int]]) -> None:
    order = PresentationOrder()
    recent: list[tuple[int, int]] = []
    for pts_ns, time_ns in stamps:
        recent.append((pts_ns, order.place(pts_ns, time_ns)))
        recent = sorted(recent[-KEPT // 2 :], key=lambda one: one[0])
    placed = sorted(recent, key=lambda one: (one[0], one[1]))
    assert all(one[1] <= other[1] for one, other in itertools.pairwise(placed))


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_length_that_reaches_beyond_the_end_leaves_the_rest_out(codec: str) -> None:
    assert list(nal_units.units(b"\0\0\0\2\x65\1" + b"\xff\xff\xff\xff\x65", 4)) == [b"\x65\1"]
    assert nal_units.parameter_sets(codec, b"\xff\xff\xff\xff\x67", 4) == ()

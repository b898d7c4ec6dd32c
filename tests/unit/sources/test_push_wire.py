"""The words between a pushing program and ingest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.sources.push_address import name_in
from penstock.sources.push_wire import (
    CHANNELS,
    HEADER,
    LARGEST_BYTES,
    PushedHeader,
    PushProtocolError,
    decode_header,
    encode_header,
)


@given(
    st.sampled_from(sorted(CHANNELS)),
    st.integers(1, 2000),
    st.integers(1, 2000),
    st.none() | st.integers(0, 2**62),
)
def test_headers_come_back_as_they_were(name: str, width: int, height: int, captured: int | None) -> None:
    header = PushedHeader(name, width, height, captured, width * height * CHANNELS[name])
    assert decode_header(encode_header(header)) == header


@given(st.binary(min_size=HEADER.size, max_size=HEADER.size))
def test_noise_never_announces_more_than_is_taken(noise: bytes) -> None:
    try:
        header = decode_header(noise)
    except PushProtocolError:
        return
    assert 0 < header.size_bytes <= LARGEST_BYTES


@pytest.mark.parametrize("url", ["push://", "push://../x", "push://a/b", "push://.hidden", "push://" + "x" * 65])
def test_names_that_are_no_plain_names(url: str) -> None:
    with pytest.raises(ValueError, match="a name has letters"):
        name_in(url)
    assert name_in("push://crane_2.left-side") == "crane_2.left-side"

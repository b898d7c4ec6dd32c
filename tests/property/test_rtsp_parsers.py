"""Whatever bytes a client sends, parsers raise their own error or none, and keep no more than their bound."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.restream.authentication import PasswordAuthentication, Verdict
from penstock.restream.credentials import CredentialsError, parse_authorization
from penstock.restream.jpeg_image import JpegError, parse_jpeg
from penstock.restream.jpeg_transcode import for_rtp
from penstock.restream.media import Codec, MediaDescription
from penstock.restream.message import (
    LARGEST_BODY_BYTES,
    LARGEST_HEAD_BYTES,
    InterleavedFrame,
    MessageReader,
    Request,
    RtspSyntaxError,
    path_of,
)
from penstock.restream.payload import PayloadError
from penstock.restream.payload_formats import format_for
from penstock.restream.rtcp import RtcpError, goodbye, parse_compound, sender_report, source_description
from penstock.restream.transport import TransportError, acceptable, parse_transport
from penstock.testkit.film import make_film

SETUP = (
    b"SETUP rtsp://h/cam/trackID=0 RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
    b'Authorization: Digest username="a", realm="r", nonce="n", uri="rtsp://h/cam", response="0"\r\n\r\n'
)
SET = b"SET_PARAMETER rtsp://h/cam RTSP/1.0\r\nCSeq: 4\r\nContent-Length: 5\r\n\r\nhello"
FRAME = b"$\x01\x00\x04abcd"
VALID = SETUP + FRAME + SET + b"\r\n" + SETUP
REPORT = sender_report(1, 2, 3, 4, 5) + source_description(1, "name") + goodbye(1)
IMAGE = for_rtp(make_film("mjpeg", 1, width_px=32, height_px=16).packets[0].data)


@st.composite
def mutated(draw: st.DrawFn, valid: bytes) -> bytes:
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 8))
        data[at : at + length] = draw(st.binary(max_size=12))
    return bytes(data)


def everything(pieces: list[bytes]) -> list[Request | InterleavedFrame | int]:
    """What is read; the status of the refusal stands last where there was one."""
    reader = MessageReader()
    items: list[Request | InterleavedFrame | int] = []
    for piece in pieces:
        try:
            items += reader.feed(piece)
        except RtspSyntaxError as error:
            items.append(error.status)
            return items
        assert reader.buffered_bytes <= max(LARGEST_HEAD_BYTES + LARGEST_BODY_BYTES + 8, 65_535 + 4)
    return items


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_random_bytes_make_requests_frames_or_the_readers_own_error(pieces: list[bytes]) -> None:
    for item in everything(pieces):
        assert isinstance(item, Request | InterleavedFrame) or item in (400, 413, 414)


@given(mutated(VALID))
def test_mutated_requests_too(data: bytes) -> None:
    for item in everything([data]):
        if isinstance(item, Request):
            assert item.cseq is None or item.cseq >= 0
            path_of(item.uri)


@given(st.lists(st.integers(0, len(VALID)), max_size=10))
def test_how_the_bytes_are_cut_does_not_matter(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(VALID)]
    items = everything([VALID[a:b] for a, b in pairwise(at)])
    assert items == everything([VALID])
    assert len(items) == 4


@given(
    st.text(max_size=200)
    | mutated(b"RTP/AVP;unicast;client_port=4000-4001;mode=PLAY,RTP/AVP/TCP;interleaved=0-1").map(
        lambda data: data.decode("latin-1")
    )
)
def test_transport_headers(header: str) -> None:
    try:
        proposals = parse_transport(header)
    except TransportError:
        return
    for proposal in proposals:
        acceptable(proposal)
        for pair, largest in ((proposal.client_ports, 65_535), (proposal.interleaved, 255)):
            assert pair is None or (pair[0] != pair[1] and 0 <= min(pair) <= max(pair) <= largest)


@given(
    st.text(max_size=300)
    | mutated(SETUP.split(b"Authorization: ")[1].strip()).map(lambda data: data.decode("utf-8", "surrogateescape"))
)
def test_authorization_headers(header: str) -> None:
    guard = PasswordAuthentication({"a": "b"}, secret=b"0123456789abcdef")
    assert guard.check("SETUP", "rtsp://h/cam/trackID=0", header, 0) in (Verdict.WRONG, Verdict.STALE)
    try:
        parse_authorization(header)
    except CredentialsError:
        pass


@given(st.binary(max_size=200) | mutated(REPORT))
def test_rtcp(data: bytes) -> None:
    try:
        parse_compound(data)
    except RtcpError:
        pass


@given(st.text(max_size=100))
def test_addresses(uri: str) -> None:
    path = path_of(uri)
    assert path is None or path.startswith("/")


@given(st.binary(max_size=100) | mutated(IMAGE))
def test_images(data: bytes) -> None:
    try:
        parse_jpeg(data)
        for_rtp(data)
    except JpegError:
        pass


@pytest.mark.parametrize("codec", ["h264", "hevc", "mpeg4", "mjpeg"])
@given(data=st.binary(max_size=300) | mutated(IMAGE), largest_bytes=st.integers(200, 1400), keyframe=st.booleans())
def test_payloads(codec: Codec, data: bytes, largest_bytes: int, keyframe: bool) -> None:
    described = MediaDescription(codec, 32, 16, 25.0)
    try:
        payloads = format_for(codec).payloads(described, data, keyframe=keyframe, largest_bytes=largest_bytes)
    except PayloadError:
        return
    assert all(0 < len(payload) <= largest_bytes for payload in payloads)

"""Requests and frames out of a byte stream, and responses as they go out."""

import pytest

from penstock.restream.message import (
    LARGEST_BODY_BYTES,
    LARGEST_HEAD_BYTES,
    InterleavedFrame,
    MessageReader,
    Request,
    Response,
    RtspSyntaxError,
    path_of,
)


def test_requests_and_frames_come_out_as_they_become_complete() -> None:
    reader = MessageReader()
    data = (
        b"\r\nOPTIONS rtsp://h/a RTSP/1.0\r\nCSeq: 1\r\nX: 1\r\nx: 2\r\n\r\n"
        b"$\x01\x00\x03abc"
        b"SET_PARAMETER rtsp://h/a RTSP/1.0\r\nCSeq:2\r\nContent-Length: 2\r\n\r\nhi"
    )
    items = [item for byte in data for item in reader.feed(bytes([byte]))]
    assert items == [
        Request("OPTIONS", "rtsp://h/a", "RTSP/1.0", {"cseq": "1", "x": "1,2"}),
        InterleavedFrame(1, b"abc"),
        Request("SET_PARAMETER", "rtsp://h/a", "RTSP/1.0", {"cseq": "2", "content-length": "2"}, b"hi"),
    ]
    assert reader.buffered_bytes == 0


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00", 400),
        (b"hello\r\n", 400),
        (b"GET / HTTP/1.1\r\n", 400),
        (b"OPTIONS rtsp://h RTSP/1.0\r\nno colon\r\n\r\n", 400),
        (b"OPTIONS rtsp://h RTSP/1.0\r\nCSeq: 1\r\n folded\r\n\r\n", 400),
        (b"OPTIONS rtsp://h RTSP/1.0\r\nContent-Length: -1\r\n\r\n", 400),
        (b"OPTIONS rtsp://h RTSP/1.0\r\n" + b"A: b\r\n" * 65 + b"\r\n", 400),
        (b"OPTIONS rtsp://h RTSP/1.0\r\nA: " + b"x" * LARGEST_HEAD_BYTES, 400),
        (b"OPTIONS rtsp://" + b"x" * LARGEST_HEAD_BYTES, 414),
        (b"OPTIONS rtsp://h RTSP/1.0\r\nContent-Length: %d\r\n\r\n" % (LARGEST_BODY_BYTES + 1), 413),
        (b"OPTIONS rtsp://h/\xff RTSP/1.0\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(RtspSyntaxError) as caught:
        list(MessageReader().feed(data))
    assert caught.value.status == status


def test_a_response_goes_out_as_rfc_2326_has_it() -> None:
    response = Response(200, 7, (("Session", "1"),), b"v=0\r\n")
    assert response.encode() == b"RTSP/1.0 200 OK\r\nCSeq: 7\r\nSession: 1\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    assert Response(400).encode() == b"RTSP/1.0 400 Bad Request\r\n\r\n"


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("rtsp://h/a/b", "/a/b"),
        ("rtsps://u:p@h:554/a%20b/", "/a b"),
        ("rtsp://h", "/"),
        ("rtsp://h/a?x=1&y=2", "/a?x=1&y=2"),
        ("rtsp://[::1]:8554/a", "/a"),
        ("http://h/a", None),
        ("/a", None),
        ("*", None),
        ("rtsp://[h/a", None),
    ],
)
def test_paths(uri: str, path: str | None) -> None:
    assert path_of(uri) == path

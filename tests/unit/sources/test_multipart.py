"""Multipart bodies as cameras send them, in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.sources.multipart import MalformedMultipart, MultipartParser, boundary_of

PICTURE = b"\xff\xd8--not a boundary\r\n--nor this\r\n\r\n\xff\xd9"

BOUNDARIES = {
    "multipart/x-mixed-replace; boundary=frame": "frame",
    'multipart/x-mixed-replace;boundary="a b"': "a b",
    "multipart/x-mixed-replace; BOUNDARY = --x; charset=utf-8": "--x",
    "multipart/x-mixed-replace": "",
}


@pytest.mark.parametrize(("header", "boundary"), BOUNDARIES.items(), ids=BOUNDARIES)
def test_boundary(header: str, boundary: str) -> None:
    assert boundary_of(header) == boundary


def body(parts: list[bytes], eol: bytes, with_length: bool) -> bytes:
    told = [
        b"--frame"
        + eol
        + b"Content-Type: image/jpeg"
        + eol
        + (b"content-length: %d" % len(part) + eol if with_length else b"")
        + eol
        + part
        + eol
        for part in parts
    ]
    return b"".join(told) + b"--frame" + eol


@given(
    contents=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5),
    cuts=st.lists(st.integers(1, 200), min_size=1),
    eol=st.sampled_from([b"\r\n", b"\n"]),
    boundary=st.sampled_from(["frame", "--frame", ""]),
    with_length=st.booleans(),
)
def test_parts_come_out_whole_however_the_bytes_come_in(
    contents: list[bytes], cuts: list[int], eol: bytes, boundary: str, with_length: bool
) -> None:
    if not with_length:
        # Without a length a part ends at what looks like its delimiter; newlines at its end are not told apart.
        contents = [content.replace(b"--frame", b"x").rstrip(b"\r\n") or b"x" for content in contents]
    data = body(contents, eol, with_length)
    parser = MultipartParser(boundary)
    found, at, n = [], 0, 0
    while at < len(data):
        step = cuts[n % len(cuts)]
        found += parser.feed(data[at : at + step])
        at, n = at + step, n + 1
    assert [part.body for part in found] == contents
    assert {part.content_type for part in found} == {"image/jpeg"}


def test_a_part_is_given_out_with_its_last_byte_where_its_length_is_stated() -> None:
    parser = MultipartParser("frame")
    head = b"--frame\r\nContent-Length: %d\r\n\r\n" % len(PICTURE)
    assert parser.feed(head + PICTURE[:-1]) == []
    assert parser.within_part
    (part,) = parser.feed(PICTURE[-1:])
    assert part == ("", PICTURE)
    assert not parser.within_part


@given(st.binary(max_size=400), st.integers(1, 50))
def test_nonsense_is_refused_or_waited_out_but_never_grows(noise: bytes, times: int) -> None:
    parser = MultipartParser("frame", largest_bytes=1000)
    try:
        for _ in range(times):
            parser.feed(noise)
    except MalformedMultipart:
        return
    assert len(parser._buffer) <= 17 * 1024 + 400


MALFORMED = {
    "a huge part is announced": b"--frame\r\nContent-Length: 5000\r\n\r\n",
    "a part without end": b"--frame\r\n\r\nContent" + b"x" * 2000,
    "no boundary": b"x" * 20_000,
    "a header without end": b"--frame\r\n" + b"x: y\r\n" * 4000,
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_multipart_is_refused(data: bytes) -> None:
    parser = MultipartParser("frame", largest_bytes=1000)
    with pytest.raises(MalformedMultipart):
        parser.feed(data)

"""Payloads byte for byte, and put together again by an independent reading of each RFC."""

import pytest

from penstock.restream.jpeg_image import parse_jpeg
from penstock.restream.jpeg_tables import uses_typical_tables
from penstock.restream.jpeg_transcode import for_rtp
from penstock.restream.media import Codec, MediaDescription
from penstock.restream.payload import PayloadError
from penstock.restream.payload_formats import format_for
from penstock.testkit.film import make_film

START = b"\x00\x00\x00\x01"
SPS, PPS = bytes.fromhex("6742c01eaa"), bytes.fromhex("68ce3c80")
VPS5, SPS5, PPS5 = bytes.fromhex("40010c"), bytes.fromhex("420101"), bytes.fromhex("4401c1")
VOL = bytes.fromhex("000001b003000001b50900000100000001200842")


def described(codec: Codec, config: bytes = b"", width_px: int = 160) -> MediaDescription:
    return MediaDescription(codec, width_px, 96, 25.0, config)


def cut(codec: Codec, data: bytes, largest_bytes: int, *, config: bytes = b"", keyframe: bool = False) -> list[bytes]:
    return format_for(codec).payloads(described(codec, config), data, keyframe=keyframe, largest_bytes=largest_bytes)


def test_h264_small_units_travel_together_and_large_ones_in_fragments() -> None:
    data = START + SPS + START + PPS + b"\x00\x00\x01" + b"\x65" + bytes(range(1, 11)) + b"\x00\x00"
    assert [payload.hex() for payload in cut("h264", data, 100)] == [
        "7800056742c01eaa000468ce3c80",
        "650102030405060708090a",
    ]
    assert [payload.hex() for payload in cut("h264", data, 7)] == [
        "6742c01eaa",
        "68ce3c80",
        "7c850102030405",
        "7c45060708090a",
    ]


def test_h264_keyframes_without_parameter_sets_get_them_after_the_delimiter() -> None:
    config = START + SPS + START + PPS
    key = START + b"\x09\xf0" + START + b"\x65\x01"
    assert cut("h264", key, 100, config=config, keyframe=True)[0].hex() == ("78000209f000056742c01eaa000468ce3c80")
    assert cut("h264", key, 100, config=config)[0].hex() == "09f0"
    assert cut("h264", config + key, 100, config=config, keyframe=True) == cut("h264", config + key, 100)


def test_hevc_small_units_travel_together_and_large_ones_in_fragments() -> None:
    config = b"".join(START + unit for unit in (VPS5, SPS5, PPS5))
    data = START + b"\x26\x01" + bytes(range(1, 10))
    assert [payload.hex() for payload in cut("hevc", data, 100, config=config, keyframe=True)] == [
        "6001000340010c000342010100034401c1",
        "2601010203040506070809",
    ]
    assert [payload.hex() for payload in cut("hevc", data, 7)] == [
        "62019301020304",
        "62011305060708",
        "62015309",
    ]


def test_mpeg4_keyframes_bring_their_headers() -> None:
    picture = b"\x00\x00\x01\xb6" + bytes(10)
    assert b"".join(cut("mpeg4", picture, 8, config=VOL, keyframe=True)) == VOL + picture
    assert cut("mpeg4", picture, 8, config=VOL) == [picture[:8], picture[8:]]
    assert b"".join(cut("mpeg4", VOL + picture, 8, config=VOL, keyframe=True)) == VOL + picture


@pytest.mark.parametrize(
    ("codec", "config", "parameters"),
    [
        (
            "h264",
            START + SPS + START + PPS,
            "packetization-mode=1;profile-level-id=42C01E;sprop-parameter-sets=Z0LAHqo=,aM48gA==",
        ),
        ("h264", b"", "packetization-mode=1"),
        (
            "hevc",
            b"".join(START + unit for unit in (PPS5, SPS5, VPS5)),
            "sprop-vps=QAEM;sprop-sps=QgEB;sprop-pps=RAHB",
        ),
        ("hevc", b"", ""),
        ("mpeg4", VOL, f"profile-level-id=3;config={VOL.hex().upper()}"),
        ("mjpeg", b"", ""),
    ],
)
def test_what_the_sdp_says(codec: Codec, config: bytes, parameters: str) -> None:
    assert format_for(codec).parameters(described(codec, config)) == parameters


@pytest.mark.parametrize(
    ("codec", "data", "says"),
    [
        ("h264", b"no start code", "byte stream"),
        ("hevc", b"", "byte stream"),
        ("mpeg4", VOL, "video object plane"),
        ("mjpeg", b"GIF89a", "FF D8"),
        ("mjpeg", b"\xff\xd8\xff\xd9", "cut off"),
        ("mjpeg", b"\xff\xd8\xff\xc2\x00\x04ab", "SOF2"),
    ],
)
def test_what_cannot_be_sent_is_named(codec: Codec, data: bytes, says: str) -> None:
    with pytest.raises(PayloadError, match=says):
        cut(codec, data, 1400)


def test_a_description_that_cannot_be_expressed_is_named() -> None:
    with pytest.raises(PayloadError, match="2040"):
        format_for("mjpeg").parameters(described("mjpeg", width_px=4096))
    with pytest.raises(PayloadError, match="object layer"):
        format_for("mpeg4").parameters(described("mpeg4"))
    with pytest.raises(PayloadError, match="sequence parameter set"):
        format_for("h264").parameters(described("h264", START + PPS))


def rejoined_h26x(payloads: list[bytes], codec: Codec) -> list[bytes]:
    head = 1 if codec == "h264" else 2
    units: list[bytes] = []
    for payload in payloads:
        kind = payload[0] & 31 if codec == "h264" else payload[0] >> 1
        if kind == (24 if codec == "h264" else 48):
            at = head
            while at < len(payload):
                size = int.from_bytes(payload[at : at + 2], "big")
                units.append(payload[at + 2 : at + 2 + size])
                at += 2 + size
        elif kind == (28 if codec == "h264" else 49):
            flags = payload[head]
            if flags & 0x80:
                first = (payload[0] & 0x60 | flags & 31) if codec == "h264" else payload[0] & 0x81 | (flags & 63) << 1
                units.append(bytes([first]) + payload[1:head])
            units[-1] += payload[head + 1 :]
        else:
            units.append(payload)
    return units


@pytest.mark.parametrize(("encoder", "codec"), [("libx264", "h264"), ("libx265", "hevc")])
@pytest.mark.parametrize("largest_bytes", [60, 1400, 60_000])
def test_every_unit_of_a_real_film_comes_through(encoder: str, codec: Codec, largest_bytes: int) -> None:
    film = make_film(encoder, 12, b_frames=2, global_header=False)
    for packet in film.packets:
        payloads = cut(codec, packet.data, largest_bytes)
        assert max(map(len, payloads)) <= largest_bytes
        rejoined = b"".join(START + unit for unit in rejoined_h26x(payloads, codec))
        assert rejoined == packet.data.replace(START, START[1:]).replace(START[1:], START)


def test_jpeg_payloads_carry_size_tables_and_offsets() -> None:
    image = parse_jpeg(jpeg := for_rtp(make_film("mjpeg", 1).packets[0].data))
    payloads = cut("mjpeg", jpeg, 500)
    at = 0
    scan = b""
    for index, payload in enumerate(payloads):
        assert payload[:1] == b"\x00"
        assert int.from_bytes(payload[1:4], "big") == at
        assert payload[4:8] == bytes([1, 255, 160 // 8, 96 // 8])
        body = payload[8:]
        if index == 0:
            assert body[:4] == b"\x00\x00\x00\x80"
            assert body[4:132] == image.quantisation[0] + image.quantisation[image.components[1].quantisation]
            body = body[132:]
        scan += body
        at += len(body)
    assert len(payloads) > 1
    assert scan == image.scan


def test_jpeg_with_restart_markers_says_so_in_every_packet() -> None:
    jpeg = for_rtp(make_film("mjpeg", 1).packets[0].data)
    at = jpeg.index(b"\xff\xc0")
    payloads = cut("mjpeg", jpeg[:at] + bytes.fromhex("ffdd00040010") + jpeg[at:], 500)
    assert {payload[4] for payload in payloads} == {65}
    assert {payload[8:12].hex() for payload in payloads} == {"0010ffff"}


def test_optimised_huffman_tables_are_refused_here_and_replaced_by_transcoding() -> None:
    data = make_film("mjpeg", 1).packets[0].data
    assert not uses_typical_tables(parse_jpeg(data))
    with pytest.raises(PayloadError, match="transcode"):
        cut("mjpeg", data, 1400)
    assert uses_typical_tables(parse_jpeg(for_rtp(data)))

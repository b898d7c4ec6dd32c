"""Transcoding changes how coefficients are written, never what they are: decoded pictures stay the same."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from penstock.restream.jpeg_image import JpegError, parse_jpeg
from penstock.restream.jpeg_tables import uses_typical_tables
from penstock.restream.jpeg_transcode import for_rtp

WIDTH, HEIGHT = 72, 40


def encoded(pix_fmt: str, huffman: str) -> bytes:
    context = av.CodecContext.create("mjpeg", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, pix_fmt
    context.time_base = Fraction(1, 25)
    context.thread_count = 1  # libavcodec optimises its tables with one thread only
    context.options = {"huffman": huffman}
    noise = np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(noise, "rgb24").reformat(format=pix_fmt)
    frame.pts = 0
    packets = [*context.encode(frame), *context.encode(None)]
    return bytes(packets[0])


def decoded(data: bytes) -> bytes:
    decoder = av.CodecContext.create("mjpeg", "r")
    assert isinstance(decoder, VideoCodecContext)
    (frame,) = [*decoder.decode(Packet(data)), *decoder.decode(None)]
    rows = [
        np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)[:, : plane.width] for plane in frame.planes
    ]
    return b"".join(row.tobytes() for row in rows)


@pytest.mark.parametrize("pix_fmt", ["yuvj420p", "yuvj422p"])
@pytest.mark.parametrize("huffman", ["optimal", "default"])
def test_the_picture_stays_the_same(pix_fmt: str, huffman: str) -> None:
    data = encoded(pix_fmt, huffman)
    fit = for_rtp(data)
    image = parse_jpeg(fit)
    assert uses_typical_tables(image)
    assert image.sampling == (((2, 2) if pix_fmt == "yuvj420p" else (2, 1)), (1, 1), (1, 1))
    assert decoded(fit) == decoded(data)
    assert for_rtp(fit) is fit


def test_the_encoders_own_typical_tables_are_recognised() -> None:
    data = encoded("yuvj420p", "default")
    assert for_rtp(data) is data


def test_other_samplings_are_refused() -> None:
    with pytest.raises(JpegError, match="sampled"):
        for_rtp(encoded("yuvj444p", "optimal"))


def test_a_cut_off_scan_is_refused() -> None:
    data = encoded("yuvj420p", "optimal")
    with pytest.raises(JpegError, match="JPEG scan"):
        for_rtp(data[: len(data) // 2])

"""Encodes one decoded picture as a JPEG of a quality from 1 to 100.

By FFmpeg's own encoder, so that no image library is needed. Its quantiser q scales the MPEG-1 intra matrix by q / 8,
which is about half of the example table of ITU-T T.81 annex K; so q = 16 stands for the usual quality of 50.
"""

from fractions import Fraction

import av
import av.video.codeccontext
from av.video.reformatter import ColorRange, Colorspace

_BT709 = 1


def quantiser(quality: int) -> int:
    """FFmpeg's quantiser, 1 (finest) to 31, for a quality of 1 to 100; raises ValueError outside."""
    if not 1 <= quality <= 100:
        raise ValueError(f"JPEG quality is 1 to 100, not {quality}")
    scale = (200 - 2 * quality) / 100 if quality >= 50 else 50 / quality
    return min(31, max(1, round(16 * scale)))


def encode_jpeg(frame: av.VideoFrame, quality: int) -> bytes:
    """The picture as JFIF: 4:2:0, full range, BT.601 as JFIF defines, same size. Raises av.error.FFmpegError."""
    full = frame.reformat(
        format="yuvj420p",
        dst_color_range=ColorRange.JPEG,
        dst_colorspace=Colorspace.ITU601 if frame.colorspace == _BT709 else None,
        src_colorspace=Colorspace.ITU709 if frame.colorspace == _BT709 else None,
    )
    context = av.CodecContext.create("mjpeg", "w")
    assert isinstance(context, av.video.codeccontext.VideoCodecContext)
    context.width = frame.width
    context.height = frame.height
    context.pix_fmt = "yuvj420p"
    context.time_base = Fraction(1, 25)
    context.qmin = context.qmax = quantiser(quality)
    full.pts = 0
    full.time_base = Fraction(1, 25)
    return b"".join(bytes(packet) for packet in [*context.encode(full), *context.encode(None)])

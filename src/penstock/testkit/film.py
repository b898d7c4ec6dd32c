"""Draws and encodes small films, and cuts them into the packets that a camera would have sent.

Every picture differs from every other, so that a test can tell which one it sees.
"""

from dataclasses import dataclass
from fractions import Fraction

import av
import av.video.codeccontext
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.times import CaptureTime, TimeBasis

_OPTIONS = {
    "libx264": {"preset": "ultrafast", "tune": "", "x264-params": "scenecut=0"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:scenecut=0:pools=1:frame-threads=1"},
}
_CODEC_OF = {"libx264": "h264", "libx265": "hevc"}


@dataclass(frozen=True, slots=True)
class Film:
    """Packets in decode order, their configuration, and the pictures as drawn (before encoding), by frame number."""

    info: StreamInfo
    packets: tuple[EncodedPacket, ...]
    pictures: tuple[NDArray[np.uint8], ...]


def picture(i: int, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """Picture `i`: a soft slope with a bright block whose place says the number. Shape 3·height/2 × width, I420."""
    slope = np.linspace(40, 120, width_px)[None, :] + np.linspace(0, 60, height_px)[:, None]
    luma = np.clip(slope + (i * 7) % 40, 16, 235).astype(np.uint8)
    side = min(width_px, height_px) // 4
    x = (i * 5) % (width_px - side)
    y = (i * 3) % (height_px - side)
    luma[y : y + side, x : x + side] = 220
    chroma = np.full((height_px // 2, width_px), 128, dtype=np.uint8)
    return np.concatenate([luma, chroma])


def make_film(
    encoder: str = "libx264",
    frames: int = 50,
    *,
    width_px: int = 160,
    height_px: int = 96,
    fps: int = 25,
    gop: int = 10,
    b_frames: int = 0,
    global_header: bool = True,
    session: int = 1,
    camera: str = "gate",
    info_id: int = 0,
    first_capture_ns: int = 1_000_000_000_000,
    error_ns: int = 5_000_000,
    number_from: int = 0,
) -> Film:
    """Encodes `frames` pictures; capture times are exact, `1 / fps` apart in presentation order.

    `global_header` puts the codec configuration into `StreamInfo.extradata`, else it comes in-band (H.264, HEVC).
    """
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, av.video.codeccontext.VideoCodecContext)
    context.width, context.height = width_px, height_px
    context.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
    context.framerate = Fraction(fps)
    context.time_base = Fraction(1, fps)
    context.gop_size = gop
    context.max_b_frames = b_frames
    context.thread_count = 1
    context.options = {k: v for k, v in _OPTIONS.get(encoder, {}).items() if v}
    if encoder == "libx265":
        context.options = {
            **context.options,
            "x265-params": f"{context.options['x265-params']}:bframes={b_frames}:keyint={gop}:min-keyint={gop}",
        }
    if global_header:
        context.flags |= Flags.global_header
    pictures = tuple(picture(number_from + i, width_px, height_px) for i in range(frames))
    encoded = []
    for i, drawn in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(drawn, "yuv420p")
        if context.pix_fmt != "yuv420p":
            frame = frame.reformat(format=context.pix_fmt)
        frame.pts = i
        frame.time_base = context.time_base
        encoded += context.encode(frame)
    encoded += context.encode(None)
    info = StreamInfo(
        codec=_CODEC_OF.get(encoder, encoder),
        width_px=width_px,
        height_px=height_px,
        time_base=(1, 90_000),
        extradata=(context.extradata or b"") if global_header else b"",
        fps=float(fps),
        reorder_frames=2 if b_frames else 0,
    )
    stream = StreamKey("host", "boot", "run", camera, Role.DETECT, session)
    ticks = 90_000 // fps
    packets = []
    for seq, made in enumerate(encoded):
        assert made.pts is not None
        assert made.dts is not None
        capture_ns = first_capture_ns + made.pts * 1_000_000_000 // fps
        packets.append(
            EncodedPacket(
                id=FrameId(stream, seq),
                info_id=info_id,
                data=bytes(made),
                keyframe=made.is_keyframe,
                pts=made.pts * ticks,
                dts=made.dts * ticks,
                duration=ticks,
                received_ns=first_capture_ns + seq * 1_000_000_000 // fps + 50_000_000,
                capture=CaptureTime(capture_ns, TimeBasis.ARRIVAL, error_ns),
            )
        )
    return Film(info, tuple(packets), pictures)

"""Encodes raw pictures as they come, so that clips can be cut of cameras that send no packets.

libx264, its fastest preset without look-ahead: one packet for each picture, at once. A keyframe each second, as a clip
begins at one. Cost: 2 to 4 % of a core for 640×480 at 30 fps (`bench/raw_encoder.py`); a camera that can send MJPEG or
H.264 itself costs nothing here, nor does one of which nothing is recorded.
"""

from fractions import Fraction

import av
import msgspec
from av.codec.context import Flags
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from penstock.contracts.packets import EncodedPacket, StreamInfo

NS_PER_S = 1_000_000_000
KEYFRAME_EVERY_NS = NS_PER_S
TIME_BASE = (1, 90_000)
_OPTIONS = {"preset": "ultrafast", "tune": "zerolatency", "crf": "23", "x264-params": "scenecut=0"}


class RawEncoder:
    """For pictures of one size; used by one thread."""

    def __init__(self, like: av.VideoFrame, info_id: int) -> None:
        self._source_size = (like.width, like.height)
        # 4:2:0 has a colour sample for every second row and column.
        self._size = (max(2, like.width & ~1), max(2, like.height & ~1))
        self._format = like.format.name
        self._info_id = info_id
        self._scaler = VideoReformatter()
        self._codec: av.VideoCodecContext | None = None
        self._info: StreamInfo | None = None
        self._keyframe_ns: int | None = None

    def open(self) -> "RawEncoder":
        codec = av.CodecContext.create("libx264", "w")
        assert isinstance(codec, av.VideoCodecContext)
        codec.width, codec.height = self._size
        codec.pix_fmt = "yuv420p"
        codec.time_base = Fraction(*TIME_BASE)
        codec.framerate = Fraction(25)
        codec.gop_size = 100_000
        codec.max_b_frames = 0
        codec.thread_count = 1
        codec.options = dict(_OPTIONS)
        codec.flags |= Flags.global_header
        codec.open()
        self._codec = codec
        self._info = StreamInfo(
            "h264", *self._size, TIME_BASE, bytes(codec.extradata or b""), encoded_from=self._format
        )
        return self

    def fits(self, picture: av.VideoFrame) -> bool:
        return (picture.width, picture.height) == self._source_size

    def encode(self, picture: av.VideoFrame, unit: EncodedPacket) -> tuple[EncodedPacket, StreamInfo] | None:
        """`unit` with the picture's packet as its data; None where the encoder gave none."""
        assert self._codec is not None
        assert self._info is not None
        frame = self._scaler.reformat(picture, *self._size, format="yuv420p", threads=1)
        if frame is picture:
            frame = self._copy(picture)
        frame.pts, frame.time_base = unit.pts, Fraction(*TIME_BASE)
        due = self._keyframe_ns is None or unit.capture.mono_ns - self._keyframe_ns >= KEYFRAME_EVERY_NS
        frame.pict_type = PictureType.I if due else PictureType.NONE
        packets = self._codec.encode(frame)
        if len(packets) != 1:
            return None
        if packets[0].is_keyframe:
            self._keyframe_ns = unit.capture.mono_ns
        data, key = bytes(packets[0]), packets[0].is_keyframe
        return msgspec.structs.replace(unit, info_id=self._info_id, data=data, keyframe=key), self._info

    def _copy(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture is in others' hands already: its times must not change under them."""
        return av.VideoFrame.from_ndarray(picture.to_ndarray(), "yuv420p")

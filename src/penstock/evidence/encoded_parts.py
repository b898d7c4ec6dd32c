"""A part made of pictures that an MP4 cannot usefully hold (MJPEG, PNG): decoded, and encoded as H.264.

Players of MP4 know no MJPEG, and a minute of it is ten times as large. It is encoded when a clip is cut, so a camera
whose pictures nobody keeps costs nothing. The manifest says it.
"""

import dataclasses
from fractions import Fraction
from pathlib import Path

import av
import av.error
import av.video.codeccontext
import msgspec
from av.codec.context import Flags
from av.video.frame import PictureType

from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.evidence.parts import ClipFailed, FinishedPart, PartWriter

ENCODED = frozenset({"mjpeg", "png"})
"""every other codec is kept as it came, or refused by the muxer"""
KEYFRAME_EVERY_NS = 1_000_000_000
_OPTIONS = {"preset": "veryfast", "tune": "zerolatency", "crf": "20", "x264-params": "scenecut=0"}


class EncodingPartWriter(PartWriter):
    """See `PartWriter`. Pictures that do not decode are left out and counted."""

    def __init__(self, path: Path, session: int, info_id: int, info: StreamInfo) -> None:
        super().__init__(path, session, info_id, info)
        self._left_out = 0
        self._source = info
        self._decoder: av.video.codeccontext.VideoCodecContext | None = None
        self._encoder: av.video.codeccontext.VideoCodecContext | None = None
        self._keyframe_ns: int | None = None
        self._size = (0, 0)

    def open(self) -> None:
        """Opens decoder, encoder and file; raises ClipFailed where the pictures' codec is not known."""
        try:
            decoder = av.CodecContext.create(self._source.codec, "r")
            assert isinstance(decoder, av.video.codeccontext.VideoCodecContext)
            if self._source.extradata:
                decoder.extradata = self._source.extradata
            decoder.thread_count = 1
            self._decoder = decoder
            self._encoder = self._open_encoder()
        except (av.error.FFmpegError, ValueError) as error:
            raise ClipFailed(f"{self._source.codec} pictures cannot be encoded for a clip: {error}") from error
        self.info = msgspec.structs.replace(
            self._source,
            codec="h264",
            width_px=self._size[0],
            height_px=self._size[1],
            extradata=bytes(self._encoder.extradata or b""),
            reorder_frames=0,
            profile="",
            encoded_from=self._source.codec,
        )
        super().open()

    def write(self, packet: EncodedPacket) -> None:
        """Encodes the packet's picture: one in, one out, at its own time."""
        assert self._decoder is not None
        assert self._encoder is not None
        try:
            # Not Packet(data): that lends FFmpeg the bytes without the padding that its decoders read into.
            unit = av.Packet(len(packet.data))
            unit.update(packet.data)
            pictures = self._decoder.decode(unit)
        except av.error.FFmpegError:
            pictures = []
        if len(pictures) != 1 or pictures[0].is_corrupt:
            self._left_out += 1
            return
        frame = pictures[0].reformat(*self._size, format="yuv420p", threads=1)
        frame.pts, frame.time_base = self.packets, self._encoder.time_base
        capture_ns = packet.capture.mono_ns
        due = self._keyframe_ns is None or capture_ns - self._keyframe_ns >= KEYFRAME_EVERY_NS
        frame.pict_type = PictureType.I if due else PictureType.NONE
        for made in self._encoder.encode(frame):
            if made.is_keyframe:
                self._keyframe_ns = capture_ns
            super().write(msgspec.structs.replace(packet, data=bytes(made), keyframe=made.is_keyframe))

    def finish(self) -> FinishedPart:
        """Raises ClipFailed where not one picture could be decoded."""
        if not self.packets:
            raise ClipFailed(f"none of the {self._source.codec} pictures can be decoded")
        return dataclasses.replace(super().finish(), left_out=self._left_out)

    def _open_encoder(self) -> av.video.codeccontext.VideoCodecContext:
        if not self._source.width_px or not self._source.height_px:
            raise ValueError("their size is not known")
        # 4:2:0 has a colour sample for every second row and column.
        self._size = (max(2, self._source.width_px & ~1), max(2, self._source.height_px & ~1))
        encoder = av.CodecContext.create("libx264", "w")
        assert isinstance(encoder, av.video.codeccontext.VideoCodecContext)
        encoder.width, encoder.height = self._size
        encoder.pix_fmt = "yuv420p"
        # Pictures are counted, not timed: the timeline gives the true times.
        encoder.time_base = Fraction(1, 25)
        encoder.framerate = Fraction(25)
        encoder.gop_size = 100_000
        encoder.max_b_frames = 0
        encoder.thread_count = 1
        encoder.options = dict(_OPTIONS)
        encoder.flags |= Flags.global_header
        encoder.open()
        return encoder

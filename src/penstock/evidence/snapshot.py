"""Finds and decodes the very picture that a result's boxes came from.

From the keyframe at or before it, up to its access unit. Every packet is carried through the decoder, so that the
right picture comes out however many the decoder holds back or reorders; presentation times are not trusted.
"""

import av
import av.error
import av.video.codeccontext

from penstock.contracts.frames import FrameRef
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.ring import Lapped, PacketReader


class SnapshotFailed(Exception):
    """The picture could not be had; the message says why, for the event."""


def decode_frame(reader: PacketReader, frame: FrameRef) -> av.VideoFrame:
    """The decoded picture of access unit `frame.id`, at most one GOP of decoding; raises SnapshotFailed."""
    try:
        packets = _packets_up_to(reader, frame)
        info = reader.info(packets[0])
    except (Lapped, LookupError) as error:
        raise SnapshotFailed(f"the picture has left the packet ring: {error}") from error
    try:
        found = _decode(packets, info, frame.id.seq)
    except av.error.FFmpegError as error:
        raise SnapshotFailed(f"{info.codec} decoding failed: {error.strerror}") from error
    if found is None:
        raise SnapshotFailed(f"the decoder gave no picture for access unit {frame.id.seq}")
    return found


def _packets_up_to(reader: PacketReader, frame: FrameRef) -> list[EncodedPacket]:
    """The keyframe before the picture, and all packets from it to the picture's own, in decode order."""
    target = frame.id
    start = reader.keyframe_before(frame.capture.mono_ns)
    span = reader.span()
    if start is None or span is None:
        raise SnapshotFailed("the packet ring is empty")
    index = start
    # Capture times may name a keyframe that comes after the picture in decode order: go back by number.
    while (first := reader.read_nowait(index)) is not None and first.id.stream.session == target.stream.session:
        if first.keyframe and first.id.seq <= target.seq:
            break
        index -= 1
        if index < span.first_index:
            raise SnapshotFailed(f"the keyframe before access unit {target.seq} has left the packet ring")
    packets: list[EncodedPacket] = []
    while (packet := reader.read_nowait(index)) is not None:
        index += 1
        if packet.id.stream.session != target.stream.session:
            if packets:
                break
            continue  # the session before, where the picture's own has no keyframe as old
        if packet.id.seq > target.seq:
            break
        # Later keyframes do not start anew: pictures after one in decode order may still refer to before it.
        if packets or packet.keyframe:
            packets.append(packet)
            if packet.id.seq == target.seq:
                return packets
    raise SnapshotFailed(f"access unit {target.seq} is not in the packet ring")


def _decode(packets: list[EncodedPacket], info: StreamInfo, seq: int) -> av.VideoFrame | None:
    context = av.CodecContext.create(info.codec, "r")
    assert isinstance(context, av.video.codeccontext.VideoCodecContext)
    if info.extradata:
        context.extradata = info.extradata
    context.thread_count = 1
    context.copy_opaque = True
    found: av.VideoFrame | None = None
    for source in packets:
        # Not Packet(data): that lends FFmpeg the bytes without the padding that its decoders read into.
        packet = av.Packet(len(source.data))
        packet.update(source.data)
        # The packet itself, not its number: PyAV finds it by address, and small numbers share theirs.
        packet.opaque = source
        try:
            frames = context.decode(packet)
        except av.error.InvalidDataError:
            continue  # one damaged packet; the picture asked for may still come out
        found = _of(seq, frames) or found
    return found or _of(seq, context.decode(None))


def _of(seq: int, frames: list[av.VideoFrame]) -> av.VideoFrame | None:
    for frame in frames:
        source = frame.opaque
        if isinstance(source, EncodedPacket) and source.id.seq == seq:
            return frame
    return None

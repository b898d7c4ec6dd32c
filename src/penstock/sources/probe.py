"""Measures what a source is: codec, size, rates, GOP, how fast it connects, how its times are known."""

import itertools

import msgspec

from penstock.base.clock import NS_PER_S, Clock
from penstock.contracts.packets import EncodedImage, EncodedPacket, SourceItem, StreamInfo
from penstock.contracts.sources import Source, SourceError, SourceFault, SourceSession
from penstock.contracts.times import TimeBasis
from penstock.sources import image_header

_IMAGE_BASE = (1, 1_000_000)
BURST_NS = NS_PER_S // 2
"""pictures older than this at connect were cached by the camera"""


class ProbeReport(msgspec.Struct, frozen=True):
    """What one session of a source showed. Durations in ns; None or 0 where it was not seen."""

    url: str
    """redacted"""
    live: bool
    codec: str
    profile: str
    width_px: int
    height_px: int
    declared_fps: float
    measured_fps: float
    """by media time; 0 where fewer than two pictures came"""
    pictures: int
    keyframes: int
    gop_pictures: int | None
    """pictures from one keyframe to the next, the longest seen; None where no second keyframe came in time"""
    gop_ns: int | None
    b_frames: bool
    connect_ns: int
    """until the stream was open"""
    first_packet_ns: int | None
    """until the first access unit, from the same start"""
    basis: TimeBasis | None
    error_ns: int | None
    """claimed by the last picture"""
    bitrate_bps: int
    has_audio: bool
    cached_burst_ns: int
    """age of the oldest cached picture that the camera sent at connect; 0 where it sent none"""
    ended: SourceFault | None
    """why it stopped before its time, where it did"""


def wait_probe(source: Source, clock: Clock, for_ns: int) -> ProbeReport:
    """Opens a session, reads for `for_ns` after the first access unit, closes it. Raises SourceError where the
    session cannot be opened or ends before its first picture."""
    began_ns = clock.now_ns()
    session = source.wait_open()
    connect_ns = clock.now_ns() - began_ns
    packets: list[EncodedPacket] = []
    info = StreamInfo("", 0, 0, _IMAGE_BASE, b"")
    size_bytes = 0
    ended = None
    try:
        while not packets or clock.now_ns() - packets[0].received_ns < for_ns:
            try:
                item = session.wait_read()
            except SourceError as error:
                if not packets:
                    raise
                ended = error.fault
                break
            packet, info = _as_packet(item, session)
            # Only what is measured is kept: a probe of a long GOP must not hold its pictures.
            packets.append(packet)
            size_bytes += len(item.data)
    finally:
        session.close()
    base = info.time_base
    shown = sorted(packet.pts for packet in packets if packet.pts is not None)
    span_ns = (shown[-1] - shown[0]) * base[0] * NS_PER_S // base[1] if shown else 0
    keys = [index for index, packet in enumerate(packets) if packet.keyframe]
    gop = max((after - before for before, after in itertools.pairwise(keys)), default=None)
    fps = (len(shown) - 1) * NS_PER_S / span_ns if span_ns else 0.0
    ordered = [packet.pts for packet in packets if packet.pts is not None]
    return ProbeReport(
        url=source.url,
        live=source.live,
        codec=info.codec,
        profile=info.profile,
        width_px=info.width_px,
        height_px=info.height_px,
        declared_fps=info.fps,
        measured_fps=round(fps, 3),
        pictures=len(packets),
        keyframes=len(keys),
        gop_pictures=gop,
        gop_ns=round(gop / fps * NS_PER_S) if gop and fps else None,
        b_frames=any(after < before for before, after in itertools.pairwise(ordered)),
        connect_ns=connect_ns,
        first_packet_ns=packets[0].received_ns - began_ns,
        basis=packets[-1].capture.basis,
        error_ns=packets[-1].capture.error_ns,
        bitrate_bps=round(size_bytes * 8 * NS_PER_S / span_ns) if span_ns else 0,
        has_audio=info.has_audio,
        cached_burst_ns=_burst_ns([(p.pts, p.received_ns) for p in packets if p.pts is not None], base)
        if source.live
        else 0,
        ended=ended,
    )


def _as_packet(item: SourceItem, session: SourceSession) -> tuple[EncodedPacket, StreamInfo]:
    """The item's numbers in the shape of a packet, without its data, and what it is made of.

    What carries no media time gets its capture time for one.
    """
    if isinstance(item, EncodedPacket):
        return msgspec.structs.replace(item, data=b""), session.info(item.info_id)
    if isinstance(item, EncodedImage):
        width_px, height_px = image_header.size_of(item.data) or (0, 0)
        info = StreamInfo(item.mime.partition("/")[2], width_px, height_px, _IMAGE_BASE, b"")
    else:
        info = StreamInfo(f"raw {item.format}", item.width_px, item.height_px, _IMAGE_BASE, b"")
    pts = item.capture.mono_ns // 1_000
    return EncodedPacket(item.id, 0, b"", True, pts, pts, 0, item.received_ns, item.capture), info


def _burst_ns(shown: list[tuple[int, int]], base: tuple[int, int]) -> int:
    """How far the first picture lay behind the newest that could be had: its lead over arrival, at the most."""
    timed = [(pts * base[0] * NS_PER_S // base[1], at_ns) for pts, at_ns in shown]
    lead_ns = max((media_ns - timed[0][0] - (at_ns - timed[0][1]) for media_ns, at_ns in timed), default=0)
    return lead_ns if lead_ns >= BURST_NS else 0

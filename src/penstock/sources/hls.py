"""A live HLS playlist (RFC 8216), whose segments come in bursts, handed out picture by picture as each falls due.

FFmpeg fetches playlist and segments, three behind the newest, so that the next ones are there before they are needed.
Playback runs at the pace of the pictures' own times from an anchor, so its delay neither grows nor shrinks; where a
segment comes late the anchor moves back by as much, and where times jump (a discontinuity, segments that left the
playlist unread) it is set anew: both are counted. Whoever falls too far behind connects anew, at the live edge.

A playlist does not say when its pictures were taken, so they are dated by when they fall due, with an error that
covers the usual delay of HLS.
"""

from typing import NamedTuple

import msgspec
from av.packet import Packet
from av.video.stream import VideoStream

from penstock.base.clock import NS_PER_MS, NS_PER_S, Clock
from penstock.base.units import format_duration
from penstock.contracts.identity import StreamKey
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.sources import SessionStatistics, SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.sources import containers, faults, media_stream
from penstock.sources.live_session import LiveSession

PATIENCE_NS = 10 * NS_PER_S
"""least time-out of a read: a segment may take as long to come as it lasts"""
SLACK_NS = 500 * NS_PER_MS
"""a picture that comes later than this after it was due moves the anchor"""
JUMP_NS = 2 * NS_PER_S
"""media time that goes back at all beyond reordering, or ahead by more, starts a new anchor"""
MOST_BEHIND_NS = 15 * NS_PER_S
"""delay that late segments may add up to before the session is given up"""
ERROR_NS = 30 * NS_PER_S
"""claimed for every capture time: encoder, three segments of up to ten seconds"""
OPTIONS = {"analyzeduration": "1000000", "live_start_index": "-3"}


class Pace(NamedTuple):
    """When a picture is to be handed out, and when it counts as taken; both monotonic ns."""

    due_ns: int
    captured_ns: int


class HlsPacing:
    """Maps media time to the clock. Pure; fed in order of arrival."""

    def __init__(self) -> None:
        self._anchor_ns: int | None = None
        self._last_ns = 0
        self._reorder_ns = 0
        self.starved = 0
        """how often a segment came too late"""
        self.jumps = 0
        self.behind_ns = 0
        """delay added by late segments since the last jump"""

    def place(self, decoded_ns: int | None, shown_ns: int | None, now_ns: int) -> Pace:
        """Takes the picture that came at `now_ns`, with decode and presentation time as far as known."""
        media_ns = decoded_ns if decoded_ns is not None else shown_ns if shown_ns is not None else self._last_ns
        ahead_ns = max(0, shown_ns - media_ns) if shown_ns is not None else 0
        if self._anchor_ns is None:
            self._start(media_ns, ahead_ns, now_ns)
        elif not -SLACK_NS <= media_ns - self._last_ns <= JUMP_NS:
            self.jumps += 1
            self._start(media_ns, ahead_ns, now_ns)
        assert self._anchor_ns is not None
        self._last_ns = media_ns
        late_ns = now_ns - (self._anchor_ns + media_ns)
        if late_ns > SLACK_NS:
            self.starved += 1
            self.behind_ns += late_ns
            self._anchor_ns += late_ns
        due_ns = self._anchor_ns + media_ns
        captured_ns = min(due_ns, due_ns + ahead_ns - self._reorder_ns)
        return Pace(due_ns, captured_ns)

    def _start(self, media_ns: int, ahead_ns: int, now_ns: int) -> None:
        self._anchor_ns = now_ns - media_ns
        self._reorder_ns = ahead_ns
        self.behind_ns = 0


class HlsSession(LiveSession):
    """One playing of a live playlist."""

    def __init__(self, opened: containers.Opened, *, key: StreamKey, spec: StreamSpec, url: str, clock: Clock) -> None:
        super().__init__(opened, key=key, spec=spec, url=url, clock=clock)
        self._pacing = HlsPacing()

    def wait_read(self) -> EncodedPacket:
        """The next access unit, once it is due."""
        packet = super().wait_read()
        base = self.info(packet.info_id).time_base
        now_ns = self._clock.now_ns()
        pace = self._pacing.place(
            media_stream.media_ns(packet.dts, base), media_stream.media_ns(packet.pts, base), now_ns
        )
        if self._pacing.behind_ns > MOST_BEHIND_NS:
            self._over = True
            raise SourceError(
                SourceFault.STALLED,
                f"{self._url}: its segments came late, {format_duration(self._pacing.behind_ns)} in all",
                "It is connected anew at the live edge; check the server and the way to it",
            )
        while now_ns < pace.due_ns:
            if self._clock.wait(self._interruption.event, (pace.due_ns - now_ns) / NS_PER_S):
                raise faults.interrupted(self._url)
            now_ns = self._clock.now_ns()
        return msgspec.structs.replace(
            packet, received_ns=now_ns, capture=CaptureTime(pace.captured_ns, TimeBasis.MEDIA, ERROR_NS)
        )

    def statistics(self) -> SessionStatistics:
        return SessionStatistics(time_jumps=self._pacing.jumps, slips=self._pacing.starved)

    def _captured(self, packet: "Packet[VideoStream]", pts: int | None, info: StreamInfo, now_ns: int) -> CaptureTime:
        """Replaced once the picture has fallen due."""
        del packet, pts, info
        return CaptureTime(now_ns, TimeBasis.MEDIA, ERROR_NS)


def patient(spec: StreamSpec) -> StreamSpec:
    """`spec` with a stall time-out that a playlist can keep."""
    return msgspec.structs.replace(spec, stall_timeout_ns=max(spec.stall_timeout_ns, PATIENCE_NS))

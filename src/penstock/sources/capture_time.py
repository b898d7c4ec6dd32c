"""Says when each picture of a live session was taken, and never claims less error than it can have.

A receiver sees media time (PTS) and arrival. Media time advances as the sensor does, from an unknown zero; arrival
is capture plus delays. The least (arrival − media time) finds that zero up to the shortest delay there was; what
sensor, encoder and network take at the least cannot be seen from here, so `SENDER_DELAY_NS` allows for it.

- FFmpeg's parsers hand a picture out only when the next begins. So a picture's arrival is the instant at which the
  one before it was handed out: exact at any frame rate, where subtracting "one interval" would have to guess it.
- With B-pictures the anchors arrive first and promptly; the minimum is theirs, and the rest follow by media time.
- A camera may send a cached GOP at connect: the difference falls with each of its pictures. Until it has stood for
  a settling time, the claimed error is that of the longest GOP a camera may hold back.
- The true instant lies no later than arrival. So a picture that comes late claims its lateness as error: whether
  the network held it back or the sender's media clock stepped, the claim holds.
- Media time that jumps or wraps starts a new anchor: all is learnt anew, and counted.
- Where the configuration trusts the camera's clock, RTCP dates the pictures; a date that cannot be (after arrival,
  or absurdly old) is refused and counted. Where it does not, RTCP still tells a media clock that stepped from
  pictures that are late.
"""

import msgspec

from penstock.contracts.specs import ClockTrust
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.sources.offset_filter import OffsetFilter
from penstock.sources.presentation_order import PresentationOrder
from penstock.sources.sender_clock import STEP_NS, SenderClock

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

SENDER_DELAY_NS = 50 * NS_PER_MS
"""allowance for the shortest delay from exposure to arrival: sensor readout, encoder, network"""
UNSETTLED_ERROR_NS = 10 * NS_PER_S
"""claimed until the filter has settled: the longest GOP that a camera is expected to cache"""
RTCP_ERROR_NS = 20 * NS_PER_MS
"""allowance for a camera whose clock is kept by NTP in a local network"""
RTCP_OLDEST_NS = 30 * NS_PER_S
"""a picture that RTCP dates further before its arrival was dated by a wrong clock"""
JUMP_NS = NS_PER_S
JUMP_INTERVALS = 8
"""media time that moves against arrival by more than both has jumped; B-pictures move it less"""
LAG_PICTURES = 8
"""with B-pictures, so many must be late before it counts: one of them is an anchor"""
DEFAULT_INTERVAL_NS = 40 * NS_PER_MS


class CaptureStatistics(msgspec.Struct, frozen=True):
    """What the estimator of one session has learnt."""

    pictures: int
    anchors: int
    """1, and one more for each jump of media time"""
    settled: bool
    error_ns: int
    """as claimed for the last picture"""
    uncertainty_ns: int
    without_pts: int
    rtcp_seen: bool
    rtcp_refused: int
    sender_ahead_ns: int | None
    """sender's UTC minus ours, as the pictures show it; None without RTCP"""


class CaptureClock:
    """Dates the pictures of one session, fed in order of arrival. Pure.

    `handed_out_by_next`: the demuxer gives a picture out when the next begins. `interval_ns`: declared time between
    pictures, 0 where none is.
    """

    def __init__(
        self, *, handed_out_by_next: bool, interval_ns: int = 0, trust: ClockTrust = ClockTrust.ARRIVAL
    ) -> None:
        self._handed_out_by_next = handed_out_by_next
        self._interval_ns = interval_ns or DEFAULT_INTERVAL_NS
        self._trust = trust
        self._filter = OffsetFilter()
        self._order = PresentationOrder()
        self._sender = SenderClock()
        self._previous_pts_ns: int | None = None
        self._previous_began_ns: int | None = None
        self._previous_received_ns: int | None = None
        self._reorders = False
        self._pictures = 0
        self.anchors = 1
        """1, and one more for each jump of media time"""
        self.rtcp_refused = 0
        """dates by RTCP that cannot be"""
        self._error_ns = UNSETTLED_ERROR_NS
        self._without_pts = 0
        self._utc_offset_ns = 0

    def stamp(
        self,
        pts_ns: int | None,
        received_ns: int,
        *,
        sender_utc_ns: int | None = None,
        utc_offset_ns: int = 0,
    ) -> CaptureTime:
        """Capture time of the picture that was handed out at `received_ns` (never decreasing).

        `sender_utc_ns` is what RTCP says of this picture; `utc_offset_ns` is our UTC minus our monotonic clock.
        """
        self._pictures += 1
        self._utc_offset_ns = utc_offset_ns
        began_ns = self._began_ns(received_ns)
        self._previous_received_ns = received_ns
        if pts_ns is None:
            self._without_pts += 1
            return self._claim(began_ns, TimeBasis.ARRIVAL, UNSETTLED_ERROR_NS)
        if sender_utc_ns is not None:
            step_ns = self._sender.add(pts_ns, sender_utc_ns)
            if step_ns > 0 and self._filter.lag_ns(1) > STEP_NS:
                self._start_anew()
        if self._jumped(pts_ns, began_ns):
            self._start_anew()
        elif self._previous_pts_ns is not None and pts_ns < self._previous_pts_ns:
            self._reorders = True
        self._previous_pts_ns, self._previous_began_ns = pts_ns, began_ns
        if self._pictures > 1 or not self._handed_out_by_next:
            # The very first picture's beginning is only guessed; a guess must not enter the minimum.
            self._filter.add(began_ns - pts_ns, began_ns)
        offset_ns = self._filter.offset_ns
        estimate_ns = began_ns if offset_ns is None else pts_ns + offset_ns
        error_ns = UNSETTLED_ERROR_NS
        if self._filter.settled:
            lag_ns = self._filter.lag_ns(LAG_PICTURES if self._reorders else 1)
            error_ns = max(SENDER_DELAY_NS + self._filter.uncertainty_ns, lag_ns)
        basis = TimeBasis.ARRIVAL
        if self._trust is ClockTrust.RTCP and self._sender.offset_ns is not None:
            dated_ns = pts_ns + self._sender.offset_ns - utc_offset_ns
            if began_ns - RTCP_OLDEST_NS <= dated_ns <= began_ns + RTCP_ERROR_NS:
                estimate_ns, error_ns, basis = min(dated_ns, began_ns), RTCP_ERROR_NS, TimeBasis.RTCP
            else:
                self.rtcp_refused += 1
        placed_ns = self._order.place(pts_ns, estimate_ns)
        return self._claim(placed_ns, basis, error_ns + abs(placed_ns - estimate_ns))

    def statistics(self) -> CaptureStatistics:
        sender_ns, own_ns = self._sender.offset_ns, self._filter.offset_ns
        ahead_ns = None if sender_ns is None or own_ns is None else sender_ns - own_ns - self._utc_offset_ns
        return CaptureStatistics(
            pictures=self._pictures,
            anchors=self.anchors,
            settled=self._filter.settled,
            error_ns=self._error_ns,
            uncertainty_ns=self._filter.uncertainty_ns,
            without_pts=self._without_pts,
            rtcp_seen=sender_ns is not None,
            rtcp_refused=self.rtcp_refused,
            sender_ahead_ns=ahead_ns,
        )

    def _began_ns(self, received_ns: int) -> int:
        if not self._handed_out_by_next:
            return received_ns
        if self._previous_received_ns is None:
            return received_ns - self._interval_ns
        return self._previous_received_ns

    def _jumped(self, pts_ns: int, began_ns: int) -> bool:
        if self._previous_pts_ns is None or self._previous_began_ns is None:
            return False
        moved_ns = pts_ns - self._previous_pts_ns
        limit_ns = max(JUMP_NS, JUMP_INTERVALS * self._interval_ns)
        return moved_ns < -limit_ns or moved_ns - (began_ns - self._previous_began_ns) > limit_ns

    def _start_anew(self) -> None:
        self.anchors += 1
        self._filter = OffsetFilter()
        self._sender = SenderClock()
        self._order.start_anew()

    def _claim(self, mono_ns: int, basis: TimeBasis, error_ns: int) -> CaptureTime:
        self._error_ns = error_ns
        return CaptureTime(mono_ns, basis, error_ns)

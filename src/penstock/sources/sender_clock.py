"""The sender's own wall clock, as RTCP sender reports tie it to media time (RFC 3550, section 6.4.1).

FFmpeg states it per packet (producer reference time). After each report the first packets may carry the time of the
picture that follows them, for the parser moves side data along with the bytes that ended a picture; so a relation
is taken only once two packets agree on it.
"""

AGREE_NS = 5_000_000
"""two packets that differ by less state the same relation"""
STEP_NS = 100_000_000
"""a relation that moves by more between reports: the sender's media clock, or its wall clock, was set"""


class SenderClock:
    """Relation of media time to the sender's UTC; pure."""

    def __init__(self) -> None:
        self._candidate_ns: int | None = None
        self._offset_ns: int | None = None
        self.steps = 0
        """how often the relation moved by more than drift can explain"""

    @property
    def offset_ns(self) -> int | None:
        """The sender's UTC at media time 0; None until reports have come."""
        return self._offset_ns

    def add(self, pts_ns: int, sender_utc_ns: int) -> int:
        """Takes one packet's statement; returns by how much the accepted relation stepped, 0 mostly."""
        offset_ns = sender_utc_ns - pts_ns
        agreed = self._candidate_ns is not None and abs(offset_ns - self._candidate_ns) <= AGREE_NS
        self._candidate_ns = offset_ns
        if not agreed:
            return 0
        before_ns, self._offset_ns = self._offset_ns, offset_ns
        if before_ns is None or abs(offset_ns - before_ns) <= STEP_NS:
            return 0
        self.steps += 1
        return offset_ns - before_ns

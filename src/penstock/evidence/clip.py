"""Follows one camera's packet ring for one event, from the keyframe before its pre-roll to the end of its post-roll.

Packets are copied into the file as they arrive, so an event may outlast the ring. A clip that reaches `max_clip`
stops there and says so: the limit is the user's own word on how long a clip may be. Every stretch of the window
without packets becomes a gap with its cause.
"""

import enum
from dataclasses import dataclass
from pathlib import Path

from penstock.base.units import format_duration
from penstock.contracts.clips import ClipJob
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.ring import Lapped, PacketReader
from penstock.contracts.specs import RecordSpec
from penstock.evidence.encoded_parts import ENCODED, EncodingPartWriter
from penstock.evidence.parts import ClipFailed, FinishedPart, PartWriter

SILENT_GAP_NS = 2_000_000_000
"""a longer pause between two pictures of one session is stated as a gap"""
LATE_GRACE_NS = 2_000_000_000
"""how long after the end of the window packets may still arrive that belong into it"""


class GapCause(enum.StrEnum):
    """Why a stretch of the window has no packets."""

    NOT_KEPT = "not_kept"
    """before the clip's first picture: the ring did not reach back, or the camera was not connected"""
    LAPPED = "lapped"
    """the ring overwrote packets before they were read"""
    RECONNECTED = "reconnected"
    """between two sessions"""
    MISSING = "missing"
    """access units received but not in the ring"""
    SILENT = "silent"
    """the camera sent nothing"""
    STOPPED = "stopped"
    """the clip was ended before the window was"""


@dataclass(frozen=True, slots=True)
class Gap:
    """Capture times, monotonic, between which no packets are in the clip."""

    cause: GapCause
    start_ns: int
    end_ns: int


class Progress(enum.Enum):
    MORE = "more"
    """there is more to read now"""
    WAITING = "waiting"
    """the ring has nothing new yet"""
    DONE = "done"
    """the window has ended: call `finish`"""


class Clip:
    """One growing clip. `advance` until it is DONE, then `finish`; or `discard` at any time. Used by one thread.

    `advance` and `finish` raise OSError and ClipFailed; after either, `discard` removes what was written.
    """

    def __init__(self, job: ClipJob, spec: RecordSpec, reader: PacketReader, folder: Path) -> None:
        self.job = job
        self.gaps: list[Gap] = []
        self.truncated = ""
        self.record_error_ns = 0
        self.packets = 0
        self.lapped = 0
        self.sessions: set[int] = set()
        self._spec = spec
        self._reader = reader
        self._folder = folder
        self._end_ns = job.end_ns
        self._candidate: int | None = None
        self._cursor: int | None = None
        self._scan = 0
        self._scanned: EncodedPacket | None = None
        self._part: PartWriter | None = None
        self._finished: list[FinishedPart] = []
        self._last: EncodedPacket | None = None
        self._last_capture_ns: int | None = None
        self._keyframe_due = True
        self._anchor: EncodedPacket | None = None
        self._cause = GapCause.NOT_KEPT
        self._beyond = 0
        self._reorder = 0

    @property
    def window_start_ns(self) -> int:
        return self.job.start_ns - self._spec.pre_capture_ns

    @property
    def window_end_ns(self) -> int | None:
        """None while the event lasts."""
        return None if self._end_ns is None else self._end_ns + self._spec.post_capture_ns

    @property
    def end_ns(self) -> int | None:
        return self._end_ns

    def set_end(self, end_ns: int) -> None:
        """The event's end is known: the clip goes on until it plus the post-roll."""
        self._end_ns = end_ns

    def advance(self, now_ns: int, packet_budget: int) -> Progress:
        """Copies up to `packet_budget` packets that the ring has now; never waits."""
        for _ in range(packet_budget):
            try:
                packet = self._next()
            except Lapped as lapped:
                self._resume(lapped.resume_index)
                continue
            if packet is None:
                return Progress.DONE if now_ns >= self._stop_ns() + LATE_GRACE_NS else Progress.WAITING
            if self._take(packet):
                return Progress.DONE
        return Progress.MORE

    def finish(self, now_ns: int, stopped: str = "") -> list[FinishedPart]:
        """Closes the clip: its parts, still under temporary names. `stopped` says why it ends before its window.

        Raises ClipFailed where there is not one packet.
        """
        self._close_part()
        if not self._finished:
            raise ClipFailed(
                "the camera sent no packets that could be kept between "
                f"{format_duration(self._spec.pre_capture_ns)} before the event and the end of the clip"
            )
        last_ns = self._last_capture_ns or 0
        wanted_ns = self.window_end_ns
        limit_ns = self._limit_ns()
        if stopped:
            self.truncated = stopped
            asked_ns = min(limit_ns, now_ns if wanted_ns is None else wanted_ns)
            silent_until_ns = min(now_ns, asked_ns)
            if silent_until_ns - last_ns > SILENT_GAP_NS:
                # The camera was gone before the recorder was stopped: that it sent nothing is not the stop's doing.
                self.gaps.append(Gap(GapCause.SILENT, last_ns, silent_until_ns))
                last_ns = silent_until_ns
            if last_ns < asked_ns:
                self.gaps.append(Gap(GapCause.STOPPED, last_ns, asked_ns))
        else:
            if wanted_ns is None or wanted_ns > limit_ns:
                self.truncated = f"the clip reached max_clip ({format_duration(self._spec.max_clip_ns)})"
            if self._stop_ns() - last_ns > SILENT_GAP_NS:
                self.gaps.append(Gap(GapCause.SILENT, last_ns, self._stop_ns()))
        return self._finished

    def discard(self) -> None:
        """Removes everything written so far."""
        if self._part is not None:
            self._part.discard()
            self._part = None
        for part in self._finished:
            part.temporary.unlink(missing_ok=True)
        self._finished = []

    def _limit_ns(self) -> int:
        return self.window_start_ns + self._spec.max_clip_ns

    def _stop_ns(self) -> int:
        wanted_ns = self.window_end_ns
        return self._limit_ns() if wanted_ns is None else min(wanted_ns, self._limit_ns())

    def _next(self) -> EncodedPacket | None:
        if self._cursor is None:
            self._cursor = self._locate()
            if self._cursor is None:
                return None
        packet = self._reader.read_nowait(self._cursor)
        if packet is not None:
            self._cursor += 1
        return packet

    def _locate(self) -> int | None:
        """Index of the first packet to take; None until the ring has a packet within the window.

        The keyframe before the window is only right if its pictures reach the window: after an outage the ring may
        hold a keyframe from long before, and the clip starts behind the hole instead.
        """
        if self._candidate is None:
            self._candidate = self._reader.keyframe_before(self.window_start_ns)
            if self._candidate is None:
                return None
            self._scan = self._candidate
        while (packet := self._reader.read_nowait(self._scan)) is not None:
            before, self._scanned = self._scanned, packet
            if packet.capture.mono_ns >= self.window_start_ns:
                if before is None or (
                    before.id.stream.session == packet.id.stream.session
                    and packet.capture.mono_ns - before.capture.mono_ns <= SILENT_GAP_NS
                ):
                    return self._candidate
                return self._scan
            self._scan += 1
        return None

    def _resume(self, index: int) -> None:
        self.lapped += 1
        self._cause = GapCause.NOT_KEPT if self._last is None else GapCause.LAPPED
        self._keyframe_due = True
        if self._cursor is None:
            self._candidate = None
            self._scanned = None
        else:
            self._cursor = index

    def _take(self, packet: EncodedPacket) -> bool:
        """Writes `packet`, or passes over it; True where the window has ended before it."""
        part = self._part
        if part is not None and packet.id.stream.session != part.session:
            self._close_part()
            self._cause = GapCause.RECONNECTED
        elif part is not None and packet.info_id != part.info_id:
            self._close_part()
        elif self._last is not None and packet.id.seq > self._last.id.seq + 1 and self._cause is GapCause.SILENT:
            self._cause = GapCause.MISSING
        if packet.capture.mono_ns > self._stop_ns():
            # With reordering, pictures of the window may follow one from after it, and need it.
            self._beyond += 1
            if self._beyond > self._reorder:
                return True
        if self._keyframe_due:
            if not packet.keyframe:
                return False
            self._anchor = packet
        elif packet.keyframe:
            self._anchor = None
        elif self._anchor is not None and _is_shown_before(packet, self._anchor):
            # A leading picture of an open GOP refers to what is not in the clip: it could only be shown as damage.
            self._last = packet
            return False
        self._write(packet)
        return False

    def _write(self, packet: EncodedPacket) -> None:
        capture_ns = packet.capture.mono_ns
        since_ns = self.window_start_ns if self._last_capture_ns is None else self._last_capture_ns
        if capture_ns > since_ns and (self._cause is not GapCause.SILENT or capture_ns - since_ns > SILENT_GAP_NS):
            self.gaps.append(Gap(self._cause, since_ns, capture_ns))
        self._cause = GapCause.SILENT
        self._keyframe_due = False
        if self._part is None:
            self._part = self._open_part(packet)
        self._part.write(packet)
        self.packets += 1
        self.sessions.add(packet.id.stream.session)
        self.record_error_ns = max(self.record_error_ns, packet.capture.error_ns)
        self._last = packet
        self._last_capture_ns = max(capture_ns, self._last_capture_ns or capture_ns)

    def _open_part(self, packet: EncodedPacket) -> PartWriter:
        try:
            info: StreamInfo = self._reader.info(packet)
        except LookupError as error:
            raise ClipFailed(f"the codec configuration of the packets is gone: {error}") from error
        self._reorder = info.reorder_frames
        path = self._folder / f"clip-{len(self._finished) + 1}.mp4"
        writer = EncodingPartWriter if info.codec in ENCODED else PartWriter
        part = writer(path, packet.id.stream.session, packet.info_id, info)
        self._part = part  # before it opens: what fails half-way is discarded too
        part.open()
        return part

    def _close_part(self) -> None:
        self._keyframe_due = True
        if self._part is not None:
            self._finished.append(self._part.finish())
            self._part = None


def _is_shown_before(packet: EncodedPacket, keyframe: EncodedPacket) -> bool:
    if packet.pts is not None and keyframe.pts is not None:
        return packet.pts < keyframe.pts
    return packet.capture.mono_ns < keyframe.capture.mono_ns

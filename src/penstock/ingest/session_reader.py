"""Reads one session to its end: each unit is numbered in the books, kept in the ring, decoded and published."""

import logging
import threading
from collections.abc import Callable

import av

from penstock.base.clock import Clock
from penstock.contracts.fates import UnitFate
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.sources import SessionStatistics, SourceError, SourceFault, SourceSession
from penstock.contracts.specs import DecodePolicy
from penstock.framebus.ring import RingWriter
from penstock.ingest.books import UnitBooks, Word
from penstock.ingest.decode_choice import DecodeChoice
from penstock.ingest.intake import Intake, Taken
from penstock.ingest.picture_watch import PictureWatch
from penstock.ingest.policy_decoder import PolicyDecoder
from penstock.ingest.publisher import FramePublisher
from penstock.ingest.stream_load import StreamLoad
from penstock.ingest.unit_rate import UnitRate

log = logging.getLogger(__name__)


class SessionReader:
    """One stream's sessions, one after another, in the stream's thread; any thread may read the five attributes.

    `on_up(session, reason)` is called at a session's first unit, and again when pictures cease to come (`reason` says
    why) or come again ('').
    """

    def __init__(
        self,
        camera: str,
        *,
        decodes: bool,
        encodes_raw: bool,
        choice: DecodeChoice,
        books: UnitBooks,
        ring: RingWriter,
        publisher: FramePublisher,
        clock: Clock,
        stop: threading.Event,
        on_up: Callable[[int, str], None],
    ) -> None:
        self._where = {"camera": camera}
        self._decodes = decodes
        self._encodes_raw = encodes_raw
        self._choice = choice
        self._books = books
        self._ring = ring
        self._publisher = publisher
        self._clock = clock
        self._stop = stop
        self._on_up = on_up
        self._session = 0
        self._watch = PictureWatch(0)
        self._counted = SessionStatistics()
        self.info: StreamInfo | None = None
        """of the last unit; None before the first"""
        self.last: EncodedPacket | None = None
        """the last unit, of whichever session"""
        self.passed_over = False
        """whether the decode policy did not ask for it"""
        self.rate = UnitRate()
        """of a stream that is not decoded"""
        self.load = StreamLoad()

    def read(self, session: SourceSession) -> None:
        """Until `stop` is set or the session ends, which raises SourceError. Whatever it raises, afterwards every unit
        has its fate."""
        self._session = session.session
        self._watch = PictureWatch(self._clock.now_ns())
        self._counted = SessionStatistics()
        self.rate.reset()
        self._choice.begin_session()
        self.load.begin(self._clock.thread_cpu_ns())
        decoder: PolicyDecoder | None = None
        try:
            intake, info_id, up = Intake(session), -1, False
            while not self._stop.is_set():
                item = session.wait_read()
                self._books.receive(len(item.data))
                self._count(session.statistics())
                taken = intake.take(item)
                if taken.unit.info_id != info_id:
                    info_id, self.info = taken.unit.info_id, taken.info
                    decoder = self._next_decoder(decoder, taken)
                if not up:
                    up = True
                    self._on_up(self._session, "")
                self.last = taken.unit
                if not self._decodes:
                    self.rate.unit(taken.unit.received_ns)
                if taken.packet is None:
                    self._take_raw(intake, taken)
                else:
                    self._take_packet(decoder, taken.packet, taken.info)
                self.load.until(self._clock.thread_cpu_ns())
        except SourceError as error:
            if error.fault is SourceFault.ENDED and decoder is not None:
                self._drain(decoder)
            raise
        finally:
            if decoder is not None:
                decoder.close()
            # Nothing of this session is in anybody's hands any more, whatever ended it.
            self._books.close_after_crash()
            self._count(session.statistics())

    def _take_packet(self, decoder: PolicyDecoder | None, packet: EncodedPacket, info: StreamInfo) -> None:
        self._ring.write(packet, info)
        if decoder is None:
            self._books.count(Word.KEPT)
            self._books.trial_passed()
            return
        wanted = self._wants(packet)
        for unit, picture in decoder.decode(packet, wanted, self._choice.sparse):
            self._publish(unit, picture)
        self._watch_pictures(packet, wanted)

    def _take_raw(self, intake: Intake, taken: Taken) -> None:
        """Pixels are a picture already; they are encoded after they were shown, for clips and snapshots only, and not
        at all where neither will be made."""
        if not self._decodes:
            self._books.trial_passed()
            self._books.count(Word.KEPT)
        elif self._wants(taken.unit):
            assert taken.picture is not None
            self._books.settle(UnitFate.DECODED)
            self.load.decoded += 1
            self._publish(taken.unit, taken.picture)
        else:
            self._books.settle(UnitFate.SKIPPED)
        if self._encodes_raw and (encoded := intake.encoded(taken)) is not None:
            self._ring.write(*encoded)

    def _wants(self, unit: EncodedPacket) -> bool:
        """Whether the decode policy asks for it; counts it."""
        wanted = self._choice.wants(unit)
        self.passed_over = not wanted
        self.load.units += 1
        self.load.keyframes += self._choice.keyframe
        self.load.disposable += unit.disposable
        if self._choice.policy is DecodePolicy.NONE:
            # No picture will ever clear it.
            self._books.trial_passed()
        return wanted

    def _next_decoder(self, before: PolicyDecoder | None, taken: Taken) -> PolicyDecoder | None:
        """The decoder for a new configuration; what the one before it still holds is shown first."""
        if before is not None:
            self._drain(before)
            before.close()
        if not self._decodes or taken.packet is None:
            return None
        try:
            return PolicyDecoder(taken.info, self._books, self.load).open()
        except ValueError as error:
            self._books.settle(UnitFate.UNDECODABLE)
            raise SourceError(SourceFault.UNSUPPORTED, str(error), "Choose another codec in the camera") from error

    def _drain(self, decoder: PolicyDecoder) -> None:
        for unit, picture in decoder.flush():
            self._publish(unit, picture)

    def _publish(self, unit: EncodedPacket, picture: av.VideoFrame) -> None:
        self._books.trial_passed()
        if self._watch.blind:
            self._on_up(self._session, "")
        self._watch.picture(self._clock.now_ns())
        moved = self._publisher.publish(unit, picture)
        self._choice.seen(moved, unit.capture.mono_ns)

    def _watch_pictures(self, packet: EncodedPacket, wanted: bool) -> None:
        now_ns, blind = self._clock.now_ns(), self._watch.blind
        if not wanted and self._watch.passed_over(now_ns, packet.keyframe):
            if blind:
                self._on_up(self._session, "")
            return
        if told := self._watch.unit(now_ns, packet.keyframe and wanted):
            log.warning("%s", told, extra=self._where)
            self._on_up(self._session, told.partition(". ")[0])

    def _count(self, now: SessionStatistics) -> None:
        """Adds what the session has counted since it was last asked."""
        before = self._counted
        if now == before:
            return
        self._counted = now
        self._books.count(Word.TIME_JUMPS, now.time_jumps - before.time_jumps)
        self._books.count(Word.SLIPS, now.slips - before.slips)
        self._books.count(Word.LOST_PACKETS, now.lost_packets - before.lost_packets)
        self._books.count(Word.TIMES_REFUSED, now.times_refused - before.times_refused)

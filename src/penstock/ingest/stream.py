"""One stream of one camera in a thread of its own: connect, read, number, keep, decode, and connect again, for ever.

Whatever happens to this stream happens to no other. The thread never waits for the engine, except where its source is
lossless: then every frame is handed over before the next is decoded.
"""

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

import av
import msgspec

from penstock.base.clock import NS_PER_S, Clock
from penstock.base.units import format_duration
from penstock.contracts.fates import UnitFate
from penstock.contracts.frames import FrameRef
from penstock.contracts.identity import Role
from penstock.contracts.messages import CameraState
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.sources import Source, SourceError, SourceFault, SourceSession
from penstock.contracts.specs import StreamSpec
from penstock.framebus.ring import RingStatistics, RingWriter
from penstock.ingest.books import UnitBooks, UnitReading, Word
from penstock.ingest.decoder import Decoder
from penstock.ingest.gate import Gate
from penstock.ingest.intake import Intake, Taken
from penstock.ingest.newest import Newest, NewestFrame
from penstock.ingest.picture_watch import PictureWatch
from penstock.sources.backoff import Backoff

log = logging.getLogger(__name__)

_HANDOVER_CHECK_S = 0.5
_LONGEST_TRIAL_DELAY_NS = 300 * NS_PER_S


class Phase(NamedTuple):
    """Where a stream stands: one value, so that another thread never sees half of a change."""

    state: CameraState
    session: int
    since_ns: int
    reason: str


class StreamStatus(msgspec.Struct, frozen=True):
    """What a stream's thread does now."""

    camera: str
    state: CameraState
    session: int
    since_ns: int
    reason: str
    connect_ns: int
    """how long the last connection took; 0 before the first"""
    codec: str
    width_px: int
    height_px: int
    fps: float
    """pictures a second by capture time, over the last second or so"""
    capture_error_ns: int
    last_capture_ns: int
    basis: str
    gate_score: float
    units: UnitReading
    ring: RingStatistics


class StreamWorker:
    """Runs one stream. `on_news` is called from its thread after every new frame and every change of state."""

    def __init__(
        self,
        spec: StreamSpec,
        source: Source,
        *,
        books: UnitBooks,
        ring: RingWriter,
        newest: NewestFrame,
        gate: Gate,
        backoff: Backoff,
        clock: Clock,
        on_news: Callable[[], None],
    ) -> None:
        self.spec = spec
        self._where = {"camera": spec.camera}
        self.books = books
        self.newest = newest
        self.lossless = source.lossless
        self.decodes = Role.DETECT in spec.roles
        self._source = source
        self._ring = ring
        self._gate = gate
        self._backoff = backoff
        self._clock = clock
        self._on_news = on_news
        self._stop = threading.Event()
        self._handed = threading.Event()
        self._handed_index = 0
        self._thread = threading.Thread(target=self._run, name=f"stream-{spec.camera}", daemon=True)
        self._phase = Phase(CameraState.STARTING, 0, 0, "")
        self._connect_ns = 0
        self._info: StreamInfo | None = None
        self._last: FrameRef | None = None
        self._last_packet: EncodedPacket | None = None
        self._interval_ns = 0.0
        self._watch = PictureWatch(0)

    def start(self) -> None:
        self.books.close_after_crash()
        self._thread.start()

    def stop_nowait(self) -> None:
        """Asks the thread to end; a read under way is interrupted where its source can."""
        self._stop.set()
        self._handed.set()
        self._source.interrupt()

    def wait_stopped(self, timeout_s: float) -> bool:
        """False where a read under way did not end within `timeout_s`; the thread then ends with its process."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def handed_over(self, index: int) -> None:
        """Lossless streams: every lane has what it wanted of frame `index`."""
        self._handed_index = max(self._handed_index, index)
        self._handed.set()

    def phase(self) -> Phase:
        """Where the stream stands now; a frame that `newest` showed before this call is of this phase or older."""
        return self._phase

    def status(self) -> StreamStatus:
        info, last, phase = self._info, self._last, self._phase
        packet, interval_ns = self._last_packet, self._interval_ns
        return StreamStatus(
            camera=self.spec.camera,
            state=phase.state,
            session=phase.session,
            since_ns=phase.since_ns,
            reason=phase.reason,
            connect_ns=self._connect_ns,
            codec=info.codec if info else "",
            width_px=last.width_px if last else (info.width_px if info else 0),
            height_px=last.height_px if last else (info.height_px if info else 0),
            fps=1e9 / interval_ns if interval_ns else 0.0,
            capture_error_ns=packet.capture.error_ns if packet else 0,
            last_capture_ns=seen.capture.mono_ns if (seen := last if self.decodes else packet) else 0,
            basis=packet.capture.basis.value if packet else "",
            gate_score=self._gate.score,
            units=self.books.reading(),
            ring=self._ring.statistics(),
        )

    def _run(self) -> None:
        deaths = self.books.deaths_on_trial()
        if deaths:
            self._wait_after_deaths(deaths)
        while not self._stop.is_set():
            self.books.trial_begins(deaths)
            began_ns = self._clock.now_ns()
            try:
                ended = self._session_once()
            except Exception:
                # A defect in one stream must stay in it: say so, and go on as after a lost connection.
                log.exception("unexpected error, reconnecting", extra=self._where)
                self._change(CameraState.DOWN, reason="unexpected error")
                ended = self.lossless
            self.books.trial_passed()
            deaths = 0
            if ended:
                return
            delay_ns = self._backoff.failed(self._clock.now_ns() - began_ns)
            self._clock.wait(self._stop, delay_ns / NS_PER_S)

    def _wait_after_deaths(self, deaths: int) -> None:
        """The process before this one ended while this camera was being connected. FFmpeg may crash on what it sends,
        so it waits ever longer, that the cameras beside it can be seen meanwhile. Those that only happened to be
        connecting too are drawn apart from it by chance, and their next picture clears them."""
        most_ns = min(_LONGEST_TRIAL_DELAY_NS, NS_PER_S << 2 * min(deaths - 1, 9))
        delay_ns = self._backoff.between(most_ns // 4, most_ns)
        times = "once" if deaths == 1 else f"{deaths} times in a row"
        what = f"its process ended {times} while this camera was being connected"
        log.warning("%s; it is tried again in %s", what, format_duration(delay_ns), extra=self._where)
        self._change(CameraState.DOWN, reason=what)
        self._clock.wait(self._stop, delay_ns / NS_PER_S)

    def _session_once(self) -> bool:
        """Connects and reads until the session ends; True where nothing more will come.

        A lossless source is read once. Where it cannot be read, or not to its end, it stays `down`: beginning again
        would process its first pictures twice.
        """
        self._change(CameraState.CONNECTING)
        began_ns = self._clock.now_ns()
        try:
            session = self._source.wait_open()
        except SourceError as error:
            if error.fault is not SourceFault.INTERRUPTED:
                self.books.count(Word.CONNECT_FAILURES)
                log.warning("cannot connect: %s", error, extra=self._where)
                self._change(CameraState.DOWN, reason=error.what)
            return self.lossless
        self._connect_ns = self._clock.now_ns() - began_ns
        self.books.count(Word.SESSIONS)
        self._gate.reset()
        self._interval_ns = 0.0
        try:
            self._read(session)
        except SourceError as error:
            # Its last picture goes before the news that it is over: none of it is told after that.
            self.newest.clear()
            return self._after(error)
        finally:
            self.newest.clear()
            session.close()
        return False

    def _after(self, error: SourceError) -> bool:
        if error.fault is SourceFault.INTERRUPTED:
            return False
        if error.fault is SourceFault.ENDED and (self.lossless or not self._source.live):
            log.info("read to its end", extra=self._where)
            self._change(CameraState.ENDED, reason="end of file")
            return True
        if error.fault is SourceFault.STALLED:
            self.books.count(Word.STALLS)
        log.warning("connection lost: %s", error, extra=self._where)
        self._change(CameraState.DOWN, reason=error.what)
        return self.lossless

    def _read(self, session: SourceSession) -> None:
        intake = Intake(session)
        decoder: Decoder | None = None
        info_id = -1
        self._watch = PictureWatch(self._clock.now_ns())
        try:
            while not self._stop.is_set():
                item = session.wait_read()
                self.books.receive(len(item.data))
                taken = intake.take(item)
                if taken.unit.info_id != info_id:
                    info_id, self._info = taken.unit.info_id, taken.info
                    if decoder is not None:
                        decoder.close()
                    decoder = self._open_decoder(taken.info) if self.decodes and taken.packet is not None else None
                if self._phase.state is not CameraState.UP:
                    self._change(CameraState.UP, session=session.session)
                self._last_packet = taken.unit
                if taken.packet is None:
                    self._take_raw(intake, taken)
                    continue
                self._ring.write(taken.packet, taken.info)
                if decoder is None:
                    self.books.count(Word.KEPT)
                    self.books.trial_passed()
                else:
                    self._decode(decoder, taken.packet)
                    self._watch_for_pictures(taken.packet.keyframe)
        except SourceError as error:
            if error.fault is SourceFault.ENDED and decoder is not None:
                for unit, picture in decoder.flush():
                    self._publish(unit, picture)
            raise
        finally:
            if decoder is not None:
                decoder.close()
            # Nothing of this session is in anybody's hands any more, whatever ended it.
            self.books.close_after_crash()

    def _take_raw(self, intake: Intake, taken: Taken) -> None:
        """Pixels are a picture already; they are encoded after they were shown, for clips only."""
        if self.decodes:
            assert taken.picture is not None
            self.books.settle(UnitFate.DECODED)
            self._publish(taken.unit, taken.picture)
        else:
            self.books.trial_passed()
            self.books.count(Word.KEPT)
        encoded = intake.encoded(taken)
        if encoded is not None:
            self._ring.write(*encoded)

    def _open_decoder(self, info: StreamInfo) -> Decoder:
        try:
            return Decoder(info, self.books).open()
        except ValueError as error:
            self.books.settle(UnitFate.UNDECODABLE)
            raise SourceError(SourceFault.UNSUPPORTED, str(error), "Choose another codec in the camera") from error

    def _decode(self, decoder: Decoder, packet: EncodedPacket) -> None:
        for unit, picture in decoder.decode(packet):
            self._publish(unit, picture)

    def _watch_for_pictures(self, keyframe: bool) -> None:
        if told := self._watch.unit(self._clock.now_ns(), keyframe):
            log.warning("%s", told, extra=self._where)
            self._change(CameraState.UP, reason=told.partition(". ")[0])

    def _publish(self, unit: EncodedPacket, picture: av.VideoFrame) -> None:
        self.books.trial_passed()
        if self._watch.blind:
            self._change(CameraState.UP)
        self._watch.picture(self._clock.now_ns())
        frame = Newest(
            FrameRef(
                id=unit.id,
                index=self.books.next_frame_index(),
                capture=unit.capture,
                received_ns=unit.received_ns,
                decoded_ns=self._clock.now_ns(),
                width_px=picture.width,
                height_px=picture.height,
            ),
            picture,
        )
        moved = self._gate.moved(frame.picture)
        if not moved:
            self.books.count(Word.STILL)
        self._measure_interval(frame.ref)
        self.newest.publish(frame, moved)
        self._last = frame.ref
        self._on_news()
        if self.lossless:
            self._wait_handover(frame.ref.index)

    def _wait_handover(self, index: int) -> None:
        while self._handed_index < index and not self._stop.is_set():
            self._clock.wait(self._handed, _HANDOVER_CHECK_S)
            self._handed.clear()

    def _measure_interval(self, ref: FrameRef) -> None:
        if self._last is None or self._last.id.stream.session != ref.id.stream.session:
            return
        step_ns = ref.capture.mono_ns - self._last.capture.mono_ns
        if step_ns > 0:
            self._interval_ns += (step_ns - self._interval_ns) * (0.1 if self._interval_ns else 1.0)

    def _change(self, state: CameraState, reason: str = "", session: int | None = None) -> None:
        """A session is named from its first unit on, and after it until the next one's."""
        kept = self._phase.session if session is None else session
        self._phase = Phase(state, kept, self._clock.now_ns(), reason)
        self._on_news()

"""One stream of one camera in a thread of its own: connect, read to the session's end, and connect again, for ever.

Whatever happens to this stream happens to no other.
"""

import logging
import threading
from collections.abc import Callable

from penstock.base.clock import NS_PER_S, Clock
from penstock.base.units import format_duration
from penstock.contracts.identity import Role
from penstock.contracts.messages import CameraLoad, CameraState
from penstock.contracts.sources import Source, SourceError, SourceFault
from penstock.contracts.specs import DecodePolicy, StreamSpec
from penstock.framebus.ring import RingWriter
from penstock.framebus.trace_writers import IngestTrace
from penstock.ingest.books import UnitBooks, Word
from penstock.ingest.decode_choice import DecodeChoice
from penstock.ingest.failure_log import FailureLog
from penstock.ingest.gate import Gate
from penstock.ingest.newest import NewestFrame
from penstock.ingest.publisher import FramePublisher
from penstock.ingest.session_reader import SessionReader
from penstock.ingest.status import Phase, StreamStatus
from penstock.sources.backoff import Backoff

log = logging.getLogger(__name__)

_LONGEST_TRIAL_DELAY_NS = 300 * NS_PER_S
_SILENT_NS = NS_PER_S


QUIET_NS = 5 * NS_PER_S
"""nothing has moved for so long: the policy `auto` goes back to keyframes"""


class StreamWorker:
    """Runs one stream. `on_news` is called from its thread after every change of state and every new frame that is to
    be told. `decode` is its first policy; a lossless stream is always decoded whole. Without `encodes_raw` raw pictures
    are shown and leave no packets, at a fraction of the cost: the ring stays empty."""

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
        decode: DecodePolicy = DecodePolicy.ALL,
        quiet_ns: int = QUIET_NS,
        encodes_raw: bool = True,
        trace: IngestTrace | None = None,
    ) -> None:
        self.spec = spec
        self.books = books
        self.newest = newest
        self.lossless = source.lossless
        self.decodes = Role.DETECT in spec.roles
        self._where = {"camera": spec.camera}
        self._source = source
        self._ring = ring
        self._gate = gate
        self._backoff = backoff
        self._clock = clock
        self._on_news = on_news
        self._failures = FailureLog(clock)
        self._choice = DecodeChoice(DecodePolicy.ALL if source.lossless else decode, quiet_ns)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"stream-{spec.camera}", daemon=True)
        self._phase = Phase(CameraState.STARTING, 0, 0, "")
        self._connect_ns = 0
        self._publisher = FramePublisher(
            books=books, newest=newest, gate=gate, clock=clock, on_news=on_news, lossless=source.lossless, trace=trace
        )
        self._reader = SessionReader(
            spec.camera,
            decodes=self.decodes,
            encodes_raw=encodes_raw,
            choice=self._choice,
            books=books,
            ring=ring,
            publisher=self._publisher,
            clock=clock,
            stop=self._stop,
            on_up=self._up,
        )

    def start(self) -> None:
        self.books.close_after_crash()
        self._thread.start()

    def stop_nowait(self) -> None:
        """Asks the thread to end; a read under way is interrupted where its source can."""
        self._stop.set()
        self._publisher.stop_nowait()
        self._source.interrupt()

    def wait_stopped(self, timeout_s: float) -> bool:
        """False where a read under way did not end within `timeout_s`; the thread then ends with its process."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def handed_over(self, index: int) -> None:
        """Lossless streams: every lane has what it wanted of frame `index`."""
        self._publisher.handed_over(index)

    def set_decode(self, policy: DecodePolicy) -> None:
        """From any thread: holds from the next unit on."""
        if not self.lossless:
            self._choice.policy = policy

    def load(self) -> CameraLoad:
        """What the stream has taken in this process; views are not its own."""
        load = self._reader.load
        return CameraLoad(
            camera=self.spec.camera,
            units=load.units,
            keyframes=load.keyframes,
            disposable=load.disposable,
            decoded=load.decoded,
            decode_ns=load.cpu_ns,
        )

    def phase(self) -> Phase:
        """Where the stream stands now; a frame that `newest` showed before this call is of this phase or older."""
        return self._phase

    def status(self) -> StreamStatus:
        info, packet, phase = self._reader.info, self._reader.last, self._phase
        last = self._publisher.last
        # What was not asked for is no sign of a camera that shows nothing.
        seen = packet if not self.decodes or self._reader.passed_over else last
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
            fps=self._fps(phase.state),
            capture_error_ns=packet.capture.error_ns if packet else 0,
            last_capture_ns=seen.capture.mono_ns if seen else 0,
            basis=packet.capture.basis.value if packet else "",
            gate_score=self._gate.score,
            units=self.books.reading(),
            ring=self._ring.statistics(),
        )

    def _fps(self, state: CameraState) -> float:
        """What comes now: of a stream that has fallen silent, no more than its silence allows; of one away, 0."""
        if self.decodes:
            last, interval_ns = self._publisher.last, self._publisher.interval_ns
            last_ns = last.decoded_ns if last is not None else 0
        else:
            unit, per_s = self._reader.last, self._reader.rate.per_s
            last_ns = unit.received_ns if unit is not None else 0
            interval_ns = NS_PER_S / per_s if per_s else 0.0
        if not interval_ns or state not in (CameraState.UP, CameraState.ENDED):
            return 0.0
        silent_ns = self._clock.now_ns() - last_ns
        if state is CameraState.UP and not self.lossless and silent_ns > max(_SILENT_NS, 2 * interval_ns):
            return NS_PER_S / silent_ns
        return NS_PER_S / interval_ns

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
        # Why it is away stays in sight while it is tried again, which may take most of the time.
        self._change(CameraState.CONNECTING, reason=self._phase.reason)
        began_ns = self._clock.now_ns()
        try:
            session = self._source.wait_open()
        except SourceError as error:
            if error.fault is not SourceFault.INTERRUPTED:
                self.books.count(Word.CONNECT_FAILURES)
                self._tell("cannot connect", error)
                self._change(CameraState.DOWN, reason=error.what)
            return self.lossless
        self._connect_ns = self._clock.now_ns() - began_ns
        self.books.count(Word.SESSIONS)
        self._publisher.begin_session()
        try:
            self._reader.read(session)
        except SourceError as error:
            # Its last picture goes before the news that it is over: none of it is told after that.
            self._publisher.end_session()
            return self._after(error)
        finally:
            self._publisher.end_session()
            session.close()
        return False

    def _after(self, error: SourceError) -> bool:
        if error.fault is SourceFault.INTERRUPTED:
            return False
        if error.fault is SourceFault.ENDED and (self.lossless or not self._source.live or not self.spec.loop):
            log.info("read to its end", extra=self._where)
            self._change(CameraState.ENDED, reason="end of file")
            return True
        if error.fault is SourceFault.STALLED:
            self.books.count(Word.STALLS)
        self._tell("connection lost", error)
        self._change(CameraState.DOWN, reason=error.what)
        return self.lossless

    def _up(self, session: int, reason: str) -> None:
        """The first unit of a session has come; or pictures have ceased to come from it (`reason`), or come again."""
        self._change(CameraState.UP, reason, session)
        if (back := self._failures.came_back()) is not None:
            log.info("%s", back, extra=self._where)

    def _tell(self, event: str, error: SourceError) -> None:
        """Another fault is another message, however soon it comes; the same one is told now and then."""
        added = self._failures.failed((event, error.fault))
        if added is not None:
            log.warning("%s: %s%s", event, error, added, extra=self._where | {"fault": error.fault.value})

    def _change(self, state: CameraState, reason: str = "", session: int | None = None) -> None:
        """A session is named from its first unit on, and after it until the next one's."""
        kept = self._phase.session if session is None else session
        self._phase = Phase(state, kept, self._clock.now_ns(), reason)
        self._on_news()

"""Makes frames of decoded pictures: gives each its index, asks the gate, and puts it where ingest's loop finds it.

It never waits for the engine, except where the source is lossless: then a frame is handed over to every lane before
the next is decoded.
"""

import threading
from collections.abc import Callable

import av

from penstock.base.clock import Clock
from penstock.contracts.frames import FrameRef
from penstock.contracts.packets import EncodedPacket
from penstock.framebus.trace_writers import IngestTrace, IngestTraceOff
from penstock.ingest.books import UnitBooks, Word
from penstock.ingest.gate import Gate
from penstock.ingest.newest import Newest, NewestFrame

_HANDOVER_CHECK_S = 0.5
_SMOOTHING = 0.1


class FramePublisher:
    """One stream's frames over all its sessions. Used by the stream's thread, but for `handed_over`, `stop_nowait`
    and the two attributes, which any thread may read."""

    def __init__(
        self,
        *,
        books: UnitBooks,
        newest: NewestFrame,
        gate: Gate,
        clock: Clock,
        on_news: Callable[[], None],
        lossless: bool,
        trace: IngestTrace | None = None,
    ) -> None:
        self._books = books
        self._newest = newest
        self._gate = gate
        self._clock = clock
        self._on_news = on_news
        self._lossless = lossless
        self._trace = trace or IngestTraceOff()
        self._handed = threading.Event()
        self._handed_index = 0
        self._stopping = False
        self.last: FrameRef | None = None
        self.interval_ns = 0.0
        """smoothed time between frames of this session by capture time; 0 before its second"""

    def begin_session(self) -> None:
        """A new session may show another scene, at another rate."""
        self._gate.reset()
        self.interval_ns = 0.0

    def end_session(self) -> None:
        """Its last picture must not be taken for a new one. May be called again."""
        self._newest.clear()

    def publish(self, unit: EncodedPacket, picture: av.VideoFrame) -> bool:
        """`picture` was decoded from `unit`; says whether something moved in it. A lossless stream waits until
        `handed_over` or `stop_nowait`."""
        ref = FrameRef(
            id=unit.id,
            index=self._books.next_frame_index(),
            capture=unit.capture,
            received_ns=unit.received_ns,
            decoded_ns=self._clock.now_ns(),
            width_px=picture.width,
            height_px=picture.height,
        )
        self._trace.decoded(ref)
        moved = self._gate.moved(picture)
        if not moved:
            self._books.count(Word.STILL)
        self._measure_interval(ref)
        due = self._newest.publish(Newest(ref, picture), moved)
        self.last = ref
        if due:
            self._on_news()
        if self._lossless:
            self._wait_handover(ref.index)
        return moved

    def handed_over(self, index: int) -> None:
        """Every lane has what it wanted of frame `index`."""
        self._handed_index = max(self._handed_index, index)
        self._handed.set()

    def stop_nowait(self) -> None:
        """No hand-over is waited for any more."""
        self._stopping = True
        self._handed.set()

    def _wait_handover(self, index: int) -> None:
        while self._handed_index < index and not self._stopping:
            self._clock.wait(self._handed, _HANDOVER_CHECK_S)
            self._handed.clear()

    def _measure_interval(self, ref: FrameRef) -> None:
        if self.last is None or self.last.id.stream.session != ref.id.stream.session:
            return
        step_ns = ref.capture.mono_ns - self.last.capture.mono_ns
        if step_ns > 0:
            self.interval_ns += (step_ns - self.interval_ns) * (_SMOOTHING if self.interval_ns else 1.0)

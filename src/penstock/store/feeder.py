"""Brings the journal to the database and to every sink, each at its own pace: one that is away delays only itself.

Every target has its own reader, cursor, thread and back-off. A batch is delivered, then the cursor moves, so what was
under way in a crash comes again: at least once, in journal order. The database keeps its cursor in its own
transaction; a sink's is a file beside the journal, so that no sink depends on the database.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from penstock.base.clock import NS_PER_S, Clock
from penstock.contracts.sinks import Sink
from penstock.store.records import EventRecord, JournalRecord, Position
from penstock.store.segments import JournalReader

BATCH = 256
_IDLE_NS = 200_000_000
_FIRST_RETRY_NS = 100_000_000
_LAST_RETRY_NS = 10 * NS_PER_S
_REPORT_EVERY_NS = NS_PER_S

log = logging.getLogger(__name__)


class DeliveryLog(Protocol):
    """Where people look up how far each sink is: the database."""

    def wait_note_delivery(self, sink: str, position: Position, delivered: int, utc_ns: int) -> None: ...


class Target(Protocol):
    """Something that takes the journal in order and remembers how far it is. Methods raise OSError while it is away."""

    @property
    def name(self) -> str: ...

    def wait_cursor(self) -> Position:
        """Where it wants to go on; connects where it has to."""
        ...

    def wait_apply(self, records: Sequence[JournalRecord], position: Position) -> int:
        """Takes a batch; returning says that it, and the cursor at `position`, are kept. Returns how many revisions of
        events it took."""
        ...

    def stop(self) -> None: ...


class SinkTarget:
    """Makes a sink a target, with the cursor in `<folder>/<name>.cursor`: events only, and no shadow events, for those
    are of rules or models on trial and nobody is to be told of them."""

    def __init__(self, sink: Sink, folder: Path) -> None:
        self._sink = sink
        self._path = folder / f"{sink.name}.cursor"
        self._started = False

    @property
    def name(self) -> str:
        return self._sink.name

    def wait_cursor(self) -> Position:
        if not self._started:
            self._sink.start()
            self._started = True
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Position)
        except FileNotFoundError:
            return Position()
        except msgspec.DecodeError as error:
            log.warning("%s is damaged (%s); sink %s gets the whole journal again", self._path, error, self.name)
            return Position()

    def wait_apply(self, records: Sequence[JournalRecord], position: Position) -> int:
        events = [record.event for record in records if isinstance(record, EventRecord) and not record.event.shadow]
        if events:
            self._sink.deliver(events)
        # Not synced: after a power cut an older cursor only means that events come once more.
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.partial")
        temporary.write_bytes(msgspec.json.encode(position))
        temporary.replace(self._path)
        return len(events)

    def stop(self) -> None:
        if self._started:
            self._sink.stop()
            self._started = False


@dataclass(frozen=True, slots=True)
class LaneStatistics:
    """One target: cumulative counts since the start (`delivered` in revisions of events), and how far behind it is."""

    name: str
    delivered: int
    failures: int
    away: bool
    last_error: str
    position: Position
    backlog_bytes: int
    skipped_segments: int
    """expired before they were delivered: their records never come"""


class Lane:
    """The way to one target. `step` by one thread; after `start`, by its own."""

    def __init__(self, folder: Path, target: Target, clock: Clock, on_delivered: Callable[[], None]) -> None:
        self._target = target
        self._clock = clock
        self._on_delivered = on_delivered
        self._reader = JournalReader(folder)
        self._position: Position | None = None
        self._delivered = 0
        self._failures = 0
        self._away = False
        self._last_error = ""
        self._retry_ns = _FIRST_RETRY_NS
        self._reported_ns: int | None = None
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    @property
    def position(self) -> Position | None:
        """What the target has; None until it was asked."""
        return self._position

    def step(self, now_ns: int) -> int:
        """Delivers one batch; returns the instant at which to be called again. Never raises for the target."""
        try:
            if self._position is None:
                self._position = self._target.wait_cursor()
                self._reader.seek(self._position)
            records = self._reader.read_nowait(BATCH)
            if self._reader.position != self._position:
                taken = self._target.wait_apply(records, self._reader.position)
                self._position = self._reader.position
                self._delivered += taken
                self._on_delivered()
        except Exception as error:
            # Whatever a sink raises is that sink's: it must cost no other target its events.
            return self._failed(error, now_ns)
        self._away = False
        self._retry_ns = _FIRST_RETRY_NS
        return now_ns if len(records) == BATCH else now_ns + _IDLE_NS

    def wake_nowait(self) -> None:
        """There is something new in the journal."""
        self._wake.set()

    def start(self) -> None:
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"feed-{self._target.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Delivers what is there now, unless the target is away, and ends."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._target.stop()

    def statistics(self) -> LaneStatistics:
        return LaneStatistics(
            name=self._target.name,
            delivered=self._delivered,
            failures=self._failures,
            away=self._away,
            last_error=self._last_error,
            position=self._position or Position(),
            backlog_bytes=self._reader.backlog_bytes(),
            skipped_segments=self._reader.statistics().skipped_segments,
        )

    def _failed(self, error: Exception, now_ns: int) -> int:
        if self._position is not None:
            self._reader.seek(self._position)
        self._failures += 1
        self._away = True
        self._last_error = str(error) or type(error).__name__
        if self._reported_ns is None or now_ns - self._reported_ns >= _REPORT_EVERY_NS:
            self._reported_ns = now_ns
            unexpected = None if isinstance(error, OSError) else error
            log.warning(
                "%s does not take events: %s; they wait in the journal", self._target.name, self._last_error,
                exc_info=unexpected,
            )  # fmt: skip
        retry_ns = self._retry_ns
        self._retry_ns = min(2 * self._retry_ns, _LAST_RETRY_NS)
        return now_ns + retry_ns

    def _run(self) -> None:
        while True:
            stopping = self._stopping
            now_ns = self._clock.now_ns()
            wake_ns = self.step(now_ns)
            if wake_ns > now_ns:
                if stopping:
                    return
                # A target that is away is not woken by news: its back-off holds.
                waiting = self._wake if not self._away else threading.Event()
                self._wait(waiting, wake_ns)
            self._wake.clear()

    def _wait(self, event: threading.Event, wake_ns: int) -> None:
        while not self._stopping and (left_ns := wake_ns - self._clock.now_ns()) > 0:
            if self._clock.wait(event, min(left_ns / NS_PER_S, 0.2)):
                return


class Feeder:
    """All lanes of one journal. `delivered` is told how far the slowest target is."""

    def __init__(
        self, folder: Path, targets: Sequence[Target], clock: Clock, delivered: Callable[[Position], None] | None = None
    ) -> None:
        self._clock = clock
        self._delivered = delivered
        self._lanes = tuple(Lane(folder, target, clock, self._on_delivered) for target in targets)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        return self._lanes

    def start(self) -> None:
        for lane in self._lanes:
            lane.start()

    def stop(self) -> None:
        """Ends all lanes, each after one last try."""
        for lane in self._lanes:
            lane.stop()

    def wake_nowait(self) -> None:
        """Records were committed: for the journal's `on_committed`."""
        for lane in self._lanes:
            lane.wake_nowait()

    def statistics(self) -> tuple[LaneStatistics, ...]:
        return tuple(lane.statistics() for lane in self._lanes)

    def wait_note_deliveries(self, deliveries: DeliveryLog) -> None:
        """Writes down how far each target is; for now and then, and the end of a run. Raises OSError."""
        for lane in self.statistics():
            deliveries.wait_note_delivery(lane.name, lane.position, lane.delivered, self._clock.utc_ns())

    def _on_delivered(self) -> None:
        positions = [lane.position for lane in self._lanes]
        if self._delivered is not None and all(position is not None for position in positions):
            self._delivered(min(position for position in positions if position is not None))

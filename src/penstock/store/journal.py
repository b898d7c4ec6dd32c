"""Confirmed means journalled: a record is acknowledged once it is synced to disk, and found again after any crash.

Records go through a bounded queue to one writer, which commits what has gathered with a single sync (group commit).
Every start and every failed commit begins a new segment, so nothing is ever written behind a tail of which it is not
known what the disk kept (a failed fsync may have dropped pages: fsyncgate, 2018). Each segment begins with a
checkpoint of the state before it; so old ones may leave when the journal outgrows its bound.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from penstock.base.clock import NS_PER_S, Clock
from penstock.base.queues import BoundedQueue
from penstock.base.units import format_size
from penstock.store.records import JournalRecord, Position, frame_record
from penstock.store.recovery import RecoveryState, recover
from penstock.store.segment_file import SegmentFile, cut_torn_tail
from penstock.store.segments import segment_numbers, segment_path

QUEUE_BOUND = 4096
SEGMENT_BYTES = 8 * 1024 * 1024
JOURNAL_BYTES = 128 * 1024 * 1024
_BATCH = 512
_IDLE_S = 0.5
_FIRST_RETRY_NS = 50_000_000
_LAST_RETRY_NS = 5 * NS_PER_S
_REPORT_EVERY_NS = NS_PER_S

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JournalStatistics:
    """Cumulative counts since the start, and the present sizes."""

    accepted: int
    committed: int
    refused: int
    """records that came while the queue was full: lost, and the only ones"""
    oversized: int
    """records of more than 16 MiB: left out"""
    queued: int
    commits: int
    failures: int
    """commits that the disk refused; each is tried again"""
    callbacks_failed: int
    truncated_bytes: int
    """torn tail of the journal before, cut off at the start"""
    segments: int
    size_bytes: int
    retired_segments: int
    """delivered to all, and removed to keep the journal within its bound"""
    expired_segments: int
    """removed to keep the bound although not delivered to all"""
    expired_bytes: int


class JournalWriter:
    """Appends to the journal in `folder`. `start` makes the thread; without it `open`, `wait_commit`, `close` do.

    `on_committed(records, position)` is called by the writing thread after the sync, in order; it must not wait.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        on_committed: Callable[[list[JournalRecord], Position], None] | None = None,
        queue_bound: int = QUEUE_BOUND,
        segment_bytes: int = SEGMENT_BYTES,
        journal_bytes: int = JOURNAL_BYTES,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._on_committed = on_committed
        self._segment_bytes = segment_bytes
        self._journal_bytes = journal_bytes
        self._queue: BoundedQueue[JournalRecord] = BoundedQueue(queue_bound)
        self._pending: list[JournalRecord] = []
        self._state = RecoveryState()
        self._segment: SegmentFile | None = None
        self._number = 0
        self._sizes: dict[int, int] = {}
        self._delivered = Position()
        self._retry_ns = _FIRST_RETRY_NS
        self._reported_ns: int | None = None
        self._unreported = 0
        self._counts = dict.fromkeys(
            (
                *("committed", "commits", "failures", "callbacks", "oversized", "truncated"),
                *("retired", "expired", "expired_bytes"),
            ),
            0,
        )
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def recovered(self) -> RecoveryState:
        """The state at the end of the journal; right after `open`: what the engine before left."""
        return self._state

    def open(self) -> None:
        """Makes the folder, cuts off a torn tail and begins a new segment; raises OSError saying which file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        numbers = segment_numbers(self._folder)
        if numbers:
            self._counts["truncated"] += cut_torn_tail(segment_path(self._folder, numbers[-1]))
            self._state = recover(self._folder)
        self._sizes = {number: segment_path(self._folder, number).stat().st_size for number in numbers}
        self._number = numbers[-1] if numbers else 0
        self._begin_segment()

    def start(self) -> None:
        """Opens the journal, in the caller's thread so that its errors reach the user, and starts the writer."""
        self.open()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Commits what is queued, as far as the disk allows, and ends."""
        self._stopping.set()
        self._queue.close()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.close()

    def submit_nowait(self, record: JournalRecord) -> bool:
        """Queues a record; False, and counted, where the queue is full: it is not journalled."""
        return self._queue.put_nowait(record)

    def delivered_nowait(self, position: Position) -> None:
        """All consumers have what lies before `position`: segments before it may leave without loss."""
        self._delivered = max(self._delivered, position)

    def wait_commit(self, timeout_s: float) -> int:
        """Commits one batch, waiting up to `timeout_s` for its first record; the number of records, 0 on failure.

        Never raises for the disk: a batch that it refuses stays, and the next call tries again.
        """
        if not self._pending:
            first = self._queue.wait_get(timeout_s)
            if first is None:
                return 0
            self._pending.append(first)
        while len(self._pending) < _BATCH and (record := self._queue.get_nowait()) is not None:
            self._pending.append(record)
        try:
            position = self._commit(self._pending)
        except OSError as error:
            self._failed(error)
            return 0
        batch, self._pending = self._pending, []
        self._retry_ns = _FIRST_RETRY_NS
        self._counts["committed"] += len(batch)
        self._counts["commits"] += 1
        for record in batch:
            self._state.add(record)
        if self._on_committed is not None:
            try:
                self._on_committed(batch, position)
            except Exception:
                log.exception("the journal could not report %d committed records", len(batch))
                self._counts["callbacks"] += 1
        if self._segment is not None and self._segment.appended_bytes >= self._segment_bytes:
            try:
                self._begin_segment()
            except OSError as error:
                self._failed(error)
        return len(batch)

    def retry_in_ns(self) -> int:
        """How long to wait before `wait_commit` is called again after it failed."""
        return self._retry_ns

    def close(self) -> None:
        """Closes the segment; what is not committed is lost and logged."""
        left = len(self._pending) + self._queue.statistics().length
        if left:
            log.error("the journal in %s ends with %d records not written", self._folder, left)
        self._close_segment()

    def statistics(self) -> JournalStatistics:
        queue = self._queue.statistics()
        counts = self._counts
        sizes = dict(self._sizes)
        return JournalStatistics(
            accepted=queue.accepted,
            committed=counts["committed"],
            refused=queue.refused,
            oversized=counts["oversized"],
            queued=queue.length + len(self._pending),
            commits=counts["commits"],
            failures=counts["failures"],
            callbacks_failed=counts["callbacks"],
            truncated_bytes=counts["truncated"],
            segments=len(sizes),
            size_bytes=sum(sizes.values()),
            retired_segments=counts["retired"],
            expired_segments=counts["expired"],
            expired_bytes=counts["expired_bytes"],
        )

    def _run(self) -> None:
        while True:
            stopping = self._stopping.is_set()
            committed = self.wait_commit(0.0 if stopping else _IDLE_S)
            if committed == 0 and stopping:
                return  # all written, or the disk refused once more: close() says what is lost
            if committed == 0 and self._pending:
                self._clock.wait(self._stopping, self._retry_ns / NS_PER_S)

    def _commit(self, batch: list[JournalRecord]) -> Position:
        segment = self._segment or self._begin_segment()
        segment.append(b"".join(map(self._frame, batch)))
        self._sizes[segment.number] = segment.size_bytes
        return Position(segment.number, segment.size_bytes)

    def _frame(self, record: JournalRecord) -> bytes:
        try:
            return frame_record(record)
        except ValueError as error:
            log.error("a record was left out of the journal: %s", error)
            self._counts["oversized"] += 1
            return b""

    def _failed(self, error: OSError) -> None:
        """Leaves the segment for good, cut back to what was acknowledged as far as the disk lets it."""
        self._counts["failures"] += 1
        self._unreported += 1
        now_ns = self._clock.now_ns()
        if self._reported_ns is None or now_ns - self._reported_ns >= _REPORT_EVERY_NS:
            log.error(
                "the journal in %s cannot be written: %s; free space or make the folder writable. "
                "%d records wait (%d failures since the last report)",
                self._folder,
                error.strerror or error,
                len(self._pending) + self._queue.statistics().length,
                self._unreported,
            )
            self._reported_ns, self._unreported = now_ns, 0
        if self._segment is not None:
            self._segment.cut_back()
        self._close_segment()
        self._retry_ns = min(2 * self._retry_ns, _LAST_RETRY_NS)

    def _close_segment(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _begin_segment(self) -> SegmentFile:
        """The next segment, with its checkpoint; the oldest leave where there are too many."""
        self._close_segment()
        segment = SegmentFile(self._folder, self._number + 1)
        segment.create(frame_record(self._state.checkpoint()))
        self._segment = segment
        self._number = segment.number
        self._sizes[segment.number] = segment.size_bytes
        self._expire()
        return segment

    def _expire(self) -> None:
        while len(self._sizes) > 1 and sum(self._sizes.values()) > self._journal_bytes:
            oldest = min(self._sizes)
            size_bytes = self._sizes.pop(oldest)
            segment_path(self._folder, oldest).unlink(missing_ok=True)
            if Position(oldest, size_bytes) <= self._delivered:
                self._counts["retired"] += 1
                continue
            self._counts["expired"] += 1
            self._counts["expired_bytes"] += size_bytes
            log.critical(
                "journal segment %d (%s) expired before it was delivered to all: the backlog exceeds %s; "
                "see which database or sink is away, or raise the bound",
                oldest,
                format_size(size_bytes),
                format_size(self._journal_bytes),
            )

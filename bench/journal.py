"""From submitting an event to knowing that it is on disk, beside a bare write and fsync of the same bytes."""

import os
import threading
import time
from pathlib import Path

from bench.child_rig import clock_reading
from bench.records import Benchmark, Comparison, Context, Effort, Series, Taken
from penstock.base.clock import SystemClock
from penstock.contracts.events import Event, EventState, Reason, ReasonTerm, Severity, event_id
from penstock.store.journal import JournalWriter
from penstock.store.records import EventRecord, JournalRecord, Position, frame_record

JOURNAL, BARE = "journal", "write and fdatasync"
BURST = 100
_ANSWER_S = 30.0


def measure(variant: str, effort: Effort, context: Context) -> Taken:
    folder = Path(context["folder"]) / f"journal-{os.getpid()}"
    folder.mkdir()
    count = effort.pick(200, 50)
    records = [_record(number) for number in range(count)]
    if variant == BARE:
        series = {"one event": _bare(folder, [frame_record(record) for record in records])}
    else:
        series = _journal(folder, records)
    return Taken(series, {"record_bytes": len(frame_record(records[0]))})


def _bare(folder: Path, blobs: list[bytes]) -> Series:
    samples = []
    fd = os.open(folder / "bare", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        for blob in blobs:
            began_ns = time.monotonic_ns()
            os.write(fd, blob)
            os.fdatasync(fd)
            samples.append((time.monotonic_ns() - began_ns) / 1e6)
    finally:
        os.close(fd)
    return Series("ms", samples)


def _journal(folder: Path, records: list[EventRecord]) -> dict[str, Series]:
    done = threading.Semaphore(0)

    def on_committed(committed: list[JournalRecord], position: Position) -> None:
        del position
        done.release(len(committed))

    def wait(count: int) -> None:
        for _ in range(count):
            if not done.acquire(timeout=_ANSWER_S):
                raise RuntimeError(f"the journal did not commit within {_ANSWER_S:g} s")

    journal = JournalWriter(folder, SystemClock(), on_committed)
    journal.start()
    one, burst, submit = [], [], []
    try:
        for record in records:
            began_ns = time.monotonic_ns()
            journal.submit_nowait(record)
            submit.append((time.monotonic_ns() - began_ns) / 1000)
            wait(1)
            one.append((time.monotonic_ns() - began_ns) / 1e6)
        for _ in range(max(5, len(records) // 20)):
            began_ns = time.monotonic_ns()
            for number in range(BURST):
                journal.submit_nowait(records[number % len(records)])
            wait(BURST)
            burst.append((time.monotonic_ns() - began_ns) / 1e6)
    finally:
        journal.stop()
    return {
        "one event": Series("ms", one),
        f"burst of {BURST} events, until the last": Series("ms", burst),
        "submitting, without waiting": Series("µs", submit),
    }


def _record(number: int) -> EventRecord:
    now_ns = clock_reading().utc_ns
    return EventRecord(
        Event(
            event_id=event_id("0" * 64, "camera-0", 1, now_ns + number),
            revision=1,
            rule="two people",
            rule_hash="0" * 64,
            camera="camera-0",
            session=1,
            state=EventState.OPEN,
            severity=Severity.INFO,
            start_utc_ns=now_ns,
            confirmed_utc_ns=now_ns,
            end_utc_ns=None,
            start_error_ns=5_000_000,
            reason=Reason("count(person) >= 2 for 1s", (ReasonTerm("count(person) >= 2", "3", now_ns),)),
            run_id="bench",
            host_id="host",
            boot_id="boot",
            lease_epoch=1,
            frame_seq=number,
        )
    )


BENCHMARK = Benchmark(
    name="journal",
    title="an event from submission to disk",
    variants=(JOURNAL, BARE),
    measure=measure,
    rounds=3,
    comparisons=(Comparison("one event", JOURNAL, BARE),),
)

"""Real files, real SQLite, real crashes: what was acknowledged is in the journal, and from there in the database."""

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from penstock.base.clock import SystemClock
from penstock.contracts.capacity import PlanChange
from penstock.contracts.events import Event, EventState, Evidence, EvidenceKind, EvidenceState, Reason, Severity
from penstock.sinks.jsonl import JsonLinesSink
from penstock.store.database import EventStore, StoreUnavailable, sqlite_url
from penstock.store.feeder import Feeder, SinkTarget, Target
from penstock.store.journal import JournalWriter
from penstock.store.migrate import SchemaTooNew
from penstock.store.models import metadata
from penstock.store.records import CameraEntry, EventRecord, JournalRecord, PlanRecord, Position, RunEnded, RunStarted
from penstock.store.segments import JournalReader


def event(number: int, revision: int = 1, **changes: Any) -> Event:
    fields: dict[str, Any] = {
        "event_id": f"{number:032x}",
        "revision": revision,
        "rule": "two people",
        "rule_hash": "r1",
        "camera": "gate" if number % 2 else "yard",
        "session": 2**62,
        "state": EventState.OPEN,
        "severity": Severity.ALERT,
        "start_utc_ns": 1_800_000_000_000_000_000 + number // 2,
        "confirmed_utc_ns": 1_800_000_001_000_000_000 + number,
        "end_utc_ns": None,
        "start_error_ns": 40_000_000,
        "reason": Reason("count(person) >= 2", ()),
        "run_id": "run",
        "host_id": "host",
        "boot_id": "boot",
        "lease_epoch": 1,
        "frame_seq": 5,
    }
    return Event(**{**fields, **changes})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    made = EventStore(sqlite_url(tmp_path / "penstock.db"))
    made.start()
    yield made
    made.stop()


def test_migrations_make_the_tables_that_the_models_say(store: EventStore, tmp_path: Path) -> None:
    engine = create_engine(sqlite_url(tmp_path / "penstock.db"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_what_is_applied_comes_back_whole_and_a_replay_changes_nothing(store: EventStore, tmp_path: Path) -> None:
    proof = Evidence(EvidenceKind.CLIP, EvidenceState.READY, "a/clip.mp4", "a/manifest.json", "ff")
    ended = event(1, 2, state=EventState.ENDED, end_utc_ns=1_900_000_000_000_000_000, evidence=(proof,), shadow=True)
    records: list[JournalRecord] = [
        RunStarted(
            "run", "host", "boot", 7, "penstock 0", (CameraEntry("gate", "rtsp://***@gate"), CameraEntry("a", ""))
        ),
        EventRecord(event(1)),
        EventRecord(ended),
        EventRecord(event(2)),
        RunEnded("run", 9, "asked to"),
    ]

    def dump() -> list[str]:
        with sqlite3.connect(tmp_path / "penstock.db") as connection:
            lines = list(connection.iterdump())
        connection.close()
        return lines

    store.wait_apply(records, Position(1, 500))
    first = dump()
    store.wait_apply(records, Position(1, 500))
    store.wait_apply([EventRecord(event(1))], Position(1, 500))
    assert dump() == first
    assert store.wait_cursor() == Position(1, 500)

    history = store.wait_event(event(1).event_id)
    assert history is not None
    assert history.event == ended
    assert history.revisions == (event(1), ended)
    assert store.wait_event("nobody") is None
    (run,) = store.wait_runs()
    assert (run.run_id, run.cameras, run.started_utc_ns, run.ended_utc_ns, run.end_reason) == (
        "run", ("a", "gate"), 7, 9, "asked to",
    )  # fmt: skip


def plan_record(number: int, utc_ns: int | None = None, subjects: tuple[str, ...] = ("gate/m", "yard/m")) -> PlanRecord:
    change = PlanChange(9, subjects[0], "rate", f"full {number}/s", "paused", "the device is spent", "2 s/s of 1 s/s")
    return PlanRecord("run", number if utc_ns is None else utc_ns, change, subjects, left_out=3)


def test_changes_of_the_plan_are_kept_once_and_read_back(store: EventStore) -> None:
    records = [plan_record(i) for i in range(5)]
    for _ in range(2):
        assert store.wait_apply(records, Position(1, 9)) == 0
    found = store.wait_plan_changes(limit=3)
    assert [(one.utc_ns, one.change.before) for one in found] == [(4, "full 4/s"), (3, "full 3/s"), (2, "full 2/s")]
    assert found[0] == msgspec.structs.replace(
        records[4], change=msgspec.structs.replace(records[4].change, at_ns=0)
    ), "but for the monotonic instant"
    assert len(store.wait_plan_changes()) == 5


def test_only_the_newest_changes_of_the_plan_are_kept(tmp_path: Path) -> None:
    store = EventStore(sqlite_url(tmp_path / "penstock.db"), kept_plan_changes=700)
    store.start()
    try:
        for first in range(0, 2500, 250):
            records: list[JournalRecord] = [plan_record(i) for i in range(first, first + 250)]
            store.wait_apply(records, Position(1, first))
            # Looked at once per thousand.
            assert len(store.wait_plan_changes(10_000)) <= 1700
        kept = store.wait_plan_changes(10_000)
        assert [one.utc_ns for one in kept] == list(range(2499, 2499 - len(kept), -1))
        assert 700 <= len(kept) <= 1700
    finally:
        store.stop()


def test_changes_of_the_plan_are_kept_for_thirty_days(tmp_path: Path) -> None:
    day_ns = 86_400 * 10**9
    url = sqlite_url(tmp_path / "penstock.db")
    for records in ([plan_record(i, i * day_ns) for i in range(40)], [plan_record(40, 40 * day_ns)]):
        store = EventStore(url)
        store.start()
        store.wait_apply(records, Position(1, 1))
        store.stop()
    store.start()
    assert [one.utc_ns // day_ns for one in store.wait_plan_changes()] == list(range(40, 9, -1))
    store.stop()


def test_a_database_of_the_version_before_is_brought_up_to_date_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "penstock.db"
    engine = create_engine(sqlite_url(path))
    config = Config()
    config.set_main_option("script_location", str(files("penstock.store") / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    columns = msgspec.structs.asdict(event(1))
    columns |= {"reason": '{"rule_text":"x","terms":[]}', "state": "open", "severity": "alert"}
    del columns["evidence"], columns["shadow_model"]
    with contextlib.closing(sqlite3.connect(path)) as plain, plain:
        names = ", ".join(columns)
        plain.execute(
            f"insert into events ({names}) values ({', '.join('?' * len(columns))})",
            tuple(columns.values()),
        )
    store = EventStore(sqlite_url(path))
    store.start()
    (found,) = store.wait_events().events
    assert (found.event_id, found.shadow_model) == (event(1).event_id, "")
    store.wait_apply([EventRecord(event(2, shadow=True, shadow_model="trial")), plan_record(1)], Position(1, 1))
    assert {one.shadow_model for one in store.wait_events().events} == {"", "trial"}
    assert len(store.wait_plan_changes()) == 1
    store.stop()


def test_pages_walk_all_events_newest_first_without_gap_or_double(store: EventStore) -> None:
    store.wait_apply([EventRecord(event(i)) for i in range(25)], Position(1, 1))
    walked: list[Event] = []
    after = None
    while True:
        page = store.wait_events(after=after, limit=7)
        walked += page.events
        after = page.next
        if after is None:
            break
    assert walked == sorted((event(i) for i in range(25)), key=lambda e: (e.start_utc_ns, e.event_id), reverse=True)
    only = store.wait_events(camera="yard", from_utc_ns=event(4).start_utc_ns, until_utc_ns=event(10).start_utc_ns)
    assert only.events == (event(8), event(6), event(4))
    assert store.wait_events(rule="no such rule").events == ()


def test_a_batch_that_fails_leaves_nothing_of_itself(store: EventStore) -> None:
    store.wait_apply([EventRecord(event(1))], Position(1, 100))
    bad = event(3, camera=None)
    with pytest.raises(StoreUnavailable, match="NOT NULL"):
        store.wait_apply([EventRecord(event(2)), EventRecord(bad)], Position(1, 200))
    assert store.wait_cursor() == Position(1, 100)
    assert store.wait_event(event(2).event_id) is None


def test_a_database_from_a_later_version_is_refused_with_advice(store: EventStore, tmp_path: Path) -> None:
    store.stop()
    with sqlite3.connect(tmp_path / "penstock.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(SchemaTooNew, match=r"9999.*later Penstock"):
        store.start()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "is not an address"),
        ("postgresql+psycopg://me:secret@nowhere/db", "install its driver"),
        ("sqlite:////proc/no/such.db", "unable to open"),
    ],
)
def test_bad_addresses_say_what_to_do_and_never_the_password(url: str, message: str) -> None:
    with pytest.raises((ValueError, StoreUnavailable), match=message) as raised:
        EventStore(url).start()
    assert "secret" not in str(raised.value)


def test_sqlite_is_as_durable_as_promised(store: EventStore, tmp_path: Path) -> None:
    engine = store._engine
    assert engine is not None
    with engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert found == ["wal", 2]


def test_a_locked_database_delays_only_itself_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.store.sqlite.BUSY_TIMEOUT_MS", 50)
    clock = SystemClock()
    store = EventStore(sqlite_url(tmp_path / "penstock.db"))
    sink = JsonLinesSink(tmp_path / "events.jsonl")
    targets: list[Target] = [store, SinkTarget(sink, tmp_path / "cursors")]
    store.start()
    journal = JournalWriter(tmp_path / "journal", clock, lambda *_: feeder.wake_nowait())
    feeder = Feeder(tmp_path / "journal", targets, clock, journal.delivered_nowait)
    locker = sqlite3.connect(tmp_path / "penstock.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    journal.start()
    feeder.start()
    try:
        for i in range(300):
            assert journal.submit_nowait(EventRecord(event(i)))
        assert _wait_until(lambda: sink.statistics().lines == 300)
        assert _wait_until(lambda: feeder.statistics()[0].away)
        assert "locked" in feeder.statistics()[0].last_error
        locker.execute("ROLLBACK")
        assert _wait_until(lambda: feeder.statistics()[0].delivered == 300)
        feeder.wait_note_deliveries(store)
    finally:
        locker.close()
        feeder.stop()
        journal.stop()
    store.start()
    assert len(store.wait_events(limit=1000).events) == 300
    store.stop()


WRITER = """
import sys
from pathlib import Path
import msgspec
from penstock.base.clock import SystemClock
from penstock.contracts.events import Event
from penstock.store.journal import JournalWriter
from penstock.store.records import EventRecord
assert not any(name.startswith("sqlalchemy") for name in sys.modules), "the engine must not load SQLAlchemy"
template = msgspec.json.decode(sys.argv[2], type=Event)
def committed(records, position):
    sys.stdout.write("".join(f"{record.event.frame_seq}\\n" for record in records)); sys.stdout.flush()
journal = JournalWriter(Path(sys.argv[1]), SystemClock(), committed, segment_bytes=200_000)
journal.start()
seq = int(sys.argv[3])
while True:
    seq += 1
    while not journal.submit_nowait(EventRecord(msgspec.structs.replace(template, event_id=str(seq), frame_seq=seq))):
        pass
"""


def test_a_killed_writer_loses_no_record_that_it_acknowledged(tmp_path: Path) -> None:
    import msgspec

    acknowledged: list[int] = []
    sent_from = 0
    for _ in range(3):
        body = msgspec.json.encode(event(1)).decode()
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), body, str(sent_from)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        lines = [int(process.stdout.readline()) for _ in range(1500)]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.stdout.close()
        process.wait()
        lines += [int(line) for line in rest.split("\n")[:-1]]
        assert lines == list(range(sent_from + 1, sent_from + 1 + len(lines)))
        acknowledged += lines
        sent_from = lines[-1] + 100_000
    reader = JournalReader(tmp_path)
    found: list[int] = []
    while records := reader.read_nowait(1000):
        found += [record.event.frame_seq for record in records if isinstance(record, EventRecord)]
    assert found == sorted(set(found))
    assert set(acknowledged) <= set(found)
    writer = JournalWriter(tmp_path, SystemClock())
    writer.open()
    assert {e.frame_seq for e in writer.recovered.open_events()} >= set(acknowledged)
    writer.close()


def test_a_reader_beside_a_writer_sees_every_record_once_and_in_order(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path, SystemClock(), segment_bytes=20_000)
    journal.start()
    found: list[int] = []
    reader = JournalReader(tmp_path)
    done = threading.Event()

    def follow() -> None:
        while not done.is_set() or (len(found) < 3000 and reader.read_nowait(0) == []):
            for record in reader.read_nowait(7):
                if isinstance(record, EventRecord):
                    found.append(record.event.frame_seq)

    thread = threading.Thread(target=follow)
    thread.start()
    for i in range(3000):
        while not journal.submit_nowait(EventRecord(event(i, frame_seq=i, state=EventState.ENDED))):
            os.sched_yield()
    assert _wait_until(lambda: len(found) == 3000)
    done.set()
    thread.join()
    journal.stop()
    assert found == list(range(3000))
    assert journal.statistics().segments > 3


def test_a_disk_that_fills_up_and_is_freed_loses_nothing(tmp_path: Path) -> None:
    """The kernel refuses to let any file of this process grow: the journal waits, and writes on when it may."""
    committed: list[int] = []

    def on_committed(records: list[JournalRecord], _position: Position) -> None:
        committed.extend(record.event.frame_seq for record in records if isinstance(record, EventRecord))

    journal = JournalWriter(tmp_path / "journal", SystemClock(), on_committed)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    journal.start()
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
        for i in range(200):
            assert journal.submit_nowait(EventRecord(event(i, frame_seq=i)))
        assert _wait_until(lambda: journal.statistics().failures >= 2)
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert _wait_until(lambda: len(committed) == 200)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        journal.stop()
    reader = JournalReader(tmp_path / "journal")
    found = [r.event.frame_seq for r in reader.read_nowait(10_000) if isinstance(r, EventRecord)]
    assert committed == list(range(200))
    assert list(dict.fromkeys(found)) == committed


def _wait_until(condition: Any, timeout_s: float = 15.0) -> bool:
    clock = SystemClock()
    until_ns = clock.now_ns() + int(timeout_s * 1e9)
    never = threading.Event()
    while clock.now_ns() < until_ns:
        if condition():
            return True
        clock.wait(never, 0.01)
    return bool(condition())

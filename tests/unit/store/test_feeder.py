"""Targets at their own pace: one that is away loses nothing and delays nobody else."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from penstock.base.clock import SimulatedClock
from penstock.contracts.events import Event
from penstock.store.feeder import Feeder, SinkTarget
from penstock.store.journal import JournalWriter
from penstock.store.records import EventRecord, Position

MakeEvent = Callable[..., Event]


class ListSink:
    """Keeps events, and refuses them while `away`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.taken: list[int] = []
        self.away: Exception | None = None
        self.open = False

    def start(self) -> None:
        if self.away is not None:
            raise self.away
        self.open = True

    def deliver(self, events: list[Event]) -> None:
        if self.away is not None:
            raise self.away
        self.taken += [int(event.event_id, 16) for event in events]

    def stop(self) -> None:
        self.open = False


@pytest.fixture
def journal(tmp_path: Path, clock: SimulatedClock) -> JournalWriter:
    writer = JournalWriter(tmp_path / "journal", clock)
    writer.open()
    return writer


def feeder_of(tmp_path: Path, clock: SimulatedClock, *sinks: ListSink, **options: object) -> Feeder:
    targets = [SinkTarget(sink, tmp_path / "cursors") for sink in sinks]
    return Feeder(tmp_path / "journal", targets, clock, **options)  # type: ignore[arg-type]


def run_until_idle(feeder: Feeder, clock: SimulatedClock) -> None:
    for lane in feeder.lanes:
        while lane.step(clock.now_ns()) <= clock.now_ns():
            pass


def test_a_sink_that_is_away_gets_everything_later_and_delays_no_other(
    tmp_path: Path, clock: SimulatedClock, journal: JournalWriter, make_event: MakeEvent
) -> None:
    near, far = ListSink("near"), ListSink("far")
    far.away = OSError("connection refused")
    delivered: list[Position] = []
    feeder = feeder_of(tmp_path, clock, near, far, delivered=delivered.append)
    for i in range(1, 601):
        assert journal.submit_nowait(EventRecord(make_event(i)))
    while journal.wait_commit(0):
        pass
    run_until_idle(feeder, clock)
    assert near.taken == list(range(1, 601))
    assert far.taken == []
    assert delivered == []
    away = feeder.statistics()[1]
    assert (away.away, away.last_error, away.delivered) == (True, "connection refused", 0)
    assert away.backlog_bytes > 100_000

    far.away = None
    run_until_idle(feeder, clock)
    assert far.taken == list(range(1, 601))
    assert feeder.statistics()[1].backlog_bytes == 0
    assert delivered[-1] == feeder.statistics()[0].position
    journal.close()
    feeder.stop()
    assert not near.open


def test_back_off_doubles_up_to_its_cap(
    tmp_path: Path, clock: SimulatedClock, journal: JournalWriter, make_event: MakeEvent
) -> None:
    sink = ListSink("sink")
    sink.away = ConnectionError("away")
    feeder = feeder_of(tmp_path, clock, sink)
    waits_ms = []
    for _ in range(10):
        wake_ns = feeder.lanes[0].step(clock.now_ns())
        waits_ms.append((wake_ns - clock.now_ns()) // 1_000_000)
        clock.advance_to(wake_ns)
    assert waits_ms == [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]
    journal.close()


def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(
    tmp_path: Path, clock: SimulatedClock, journal: JournalWriter, make_event: MakeEvent
) -> None:
    sink = ListSink("sink")
    for i in (1, 2):
        assert journal.submit_nowait(EventRecord(make_event(i)))
    journal.wait_commit(0)
    run_until_idle(feeder_of(tmp_path, clock, sink), clock)
    assert journal.submit_nowait(EventRecord(make_event(3)))
    journal.wait_commit(0)
    sink.away = OSError("away")
    second = feeder_of(tmp_path, clock, sink)
    second.lanes[0].step(clock.now_ns())
    sink.away = None
    run_until_idle(feeder_of(tmp_path, clock, sink), clock)
    assert sink.taken == [1, 2, 3]
    journal.close()


def test_a_fault_in_a_sink_is_that_sinks_alone(
    tmp_path: Path, clock: SimulatedClock, journal: JournalWriter, make_event: MakeEvent
) -> None:
    broken, fine = ListSink("broken"), ListSink("fine")
    broken.away = ZeroDivisionError("a fault of its own")
    feeder = feeder_of(tmp_path, clock, broken, fine)
    assert journal.submit_nowait(EventRecord(make_event(9)))
    journal.wait_commit(0)
    run_until_idle(feeder, clock)
    assert fine.taken == [9]
    assert feeder.statistics()[0].last_error == "a fault of its own"
    journal.close()


def test_events_of_what_is_on_trial_reach_no_sink(
    tmp_path: Path, clock: SimulatedClock, journal: JournalWriter, make_event: MakeEvent
) -> None:
    sink = ListSink("sink")
    for i in range(1, 7):
        assert journal.submit_nowait(EventRecord(make_event(i, shadow=i % 2 == 0)))
    journal.wait_commit(0)
    feeder = feeder_of(tmp_path, clock, sink)
    run_until_idle(feeder, clock)
    assert sink.taken == [1, 3, 5]
    statistics = feeder.statistics()[0]
    assert (statistics.delivered, statistics.backlog_bytes) == (3, 0)
    journal.close()


def test_a_damaged_cursor_means_the_whole_journal_again(
    tmp_path: Path, clock: SimulatedClock, journal: JournalWriter, make_event: MakeEvent
) -> None:
    sink = ListSink("sink")
    assert journal.submit_nowait(EventRecord(make_event(1)))
    journal.wait_commit(0)
    run_until_idle(feeder_of(tmp_path, clock, sink), clock)
    (tmp_path / "cursors" / "sink.cursor").write_bytes(b"{")
    run_until_idle(feeder_of(tmp_path, clock, sink), clock)
    assert sink.taken == [1, 1]
    journal.close()


def test_how_far_each_sink_is_can_be_noted(
    tmp_path: Path, clock: SimulatedClock, journal: JournalWriter, make_event: MakeEvent
) -> None:
    noted: list[tuple[str, int, int]] = []

    class Notes:
        def wait_note_delivery(self, sink: str, position: Position, delivered: int, utc_ns: int) -> None:
            noted.append((sink, delivered, utc_ns))

    feeder = feeder_of(tmp_path, clock, ListSink("a"), ListSink("b"))
    assert journal.submit_nowait(EventRecord(make_event(1)))
    journal.wait_commit(0)
    run_until_idle(feeder, clock)
    feeder.wait_note_deliveries(Notes())
    assert noted == [("a", 1, clock.utc_ns()), ("b", 1, clock.utc_ns())]
    journal.close()


def test_the_engine_needs_no_database_library() -> None:
    """Memory of the engine: journal and recovery must not pull SQLAlchemy in."""
    import ast

    import penstock.store.journal as start

    folder = Path(start.__file__).parent
    seen: set[str] = set()
    todo: list[str] = ["journal", "recovery", "feeder"]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            module = getattr(node, "module", None) or ""
            names: Sequence[str] = [
                module,
                *(alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")),
            ]
            assert not any(n.startswith(("sqlalchemy", "alembic")) for n in names), (name, names)
            if module.startswith("penstock.store."):
                todo.append(module.removeprefix("penstock.store."))
    assert {"records", "segments"} <= seen

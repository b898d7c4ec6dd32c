"""The journal: what was acknowledged is found again, what is damaged is never taken for a record."""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.base.clock import NS_PER_S, SimulatedClock
from penstock.contracts.events import Event, EventState
from penstock.store.journal import JournalWriter
from penstock.store.records import (
    MAGIC,
    Checkpoint,
    Damaged,
    EventRecord,
    JournalRecord,
    Position,
    RunEnded,
    RunStarted,
    frame_record,
    parse_record,
)
from penstock.store.recovery import RecoveryState, recover
from penstock.store.segments import JournalReader, segment_numbers, segment_path

MakeEvent = Callable[..., Event]


def commit(writer: JournalWriter, *events: Event) -> None:
    for event in events:
        assert writer.submit_nowait(EventRecord(event))
    assert writer.wait_commit(0) == len(events)


def ids(records: list[JournalRecord]) -> list[int]:
    return [int(record.event.event_id, 16) for record in records if isinstance(record, EventRecord)]


def opened(folder: Path, clock: SimulatedClock, **options: Any) -> JournalWriter:
    writer = JournalWriter(folder, clock, **options)
    writer.open()
    return writer


def test_a_batch_is_acknowledged_after_it_can_be_read(
    tmp_path: Path, clock: SimulatedClock, make_event: MakeEvent
) -> None:
    seen: list[tuple[list[int], list[int]]] = []
    position = Position()

    def on_committed(records: list[JournalRecord], at: Position) -> None:
        nonlocal position
        position = at
        seen.append((ids(records), ids(JournalReader(tmp_path).read_nowait(100))))

    writer = opened(tmp_path, clock, on_committed=on_committed)
    commit(writer, make_event(1), make_event(2))
    commit(writer, make_event(3))
    writer.close()
    assert seen == [([1, 2], [1, 2]), ([3], [1, 2, 3])]
    assert position == Position(1, segment_path(tmp_path, 1).stat().st_size)
    assert (writer.statistics().committed, writer.statistics().commits) == (3, 2)


def test_a_full_queue_refuses_and_counts(tmp_path: Path, clock: SimulatedClock, make_event: MakeEvent) -> None:
    writer = opened(tmp_path, clock, queue_bound=2)
    assert [writer.submit_nowait(EventRecord(make_event(i))) for i in range(3)] == [True, True, False]
    assert writer.statistics().refused == 1
    assert writer.wait_commit(0) == 2
    writer.close()


def test_a_restart_begins_a_new_segment_with_what_is_still_open(
    tmp_path: Path, clock: SimulatedClock, make_event: MakeEvent
) -> None:
    writer = opened(tmp_path, clock)
    run = RunStarted("run-1", "host", "boot", 5, "penstock 0")
    assert writer.submit_nowait(run)
    commit_events = [make_event(1), make_event(2), make_event(1, revision=2, state=EventState.ENDED)]
    for event in commit_events:
        assert writer.submit_nowait(EventRecord(event))
    assert writer.wait_commit(0) == 4
    writer.close()

    again = opened(tmp_path, clock)
    assert [event.event_id for event in again.recovered.open_events()] == [make_event(2).event_id]
    assert again.recovered.last_event("r1", "gate") == make_event(2)
    assert again.recovered.open_runs() == (run,)
    assert segment_numbers(tmp_path) == [1, 2]
    segment_path(tmp_path, 1).unlink()
    assert recover(tmp_path).checkpoint() == again.recovered.checkpoint()
    again.close()


def test_a_torn_tail_is_cut_off_with_a_warning(
    tmp_path: Path, clock: SimulatedClock, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    writer = opened(tmp_path, clock)
    commit(writer, make_event(1))
    writer.close()
    whole = segment_path(tmp_path, 1).read_bytes()
    segment_path(tmp_path, 1).write_bytes(whole + frame_record(EventRecord(make_event(2)))[:-1])
    with caplog.at_level(logging.WARNING):
        again = opened(tmp_path, clock)
    assert "no whole record" in caplog.text
    assert segment_path(tmp_path, 1).read_bytes() == whole
    assert again.statistics().truncated_bytes > 0
    assert [event.event_id for event in again.recovered.open_events()] == [make_event(1).event_id]
    again.close()


def test_a_reader_behind_a_cut_tail_goes_on_in_the_next_segment(
    tmp_path: Path, clock: SimulatedClock, make_event: MakeEvent
) -> None:
    writer = opened(tmp_path, clock)
    commit(writer, make_event(1))
    writer.close()
    reader = JournalReader(tmp_path, Position(1, segment_path(tmp_path, 1).stat().st_size + 500))
    again = opened(tmp_path, clock)
    commit(again, make_event(2))
    again.close()
    assert ids(reader.read_nowait(10)) == [2]


def test_a_partial_record_is_not_there_yet(tmp_path: Path, make_event: MakeEvent) -> None:
    data = frame_record(EventRecord(make_event(1)))
    reader = JournalReader(tmp_path)
    for end in range(0, len(data), 7):
        segment_path(tmp_path, 1).write_bytes(MAGIC + data[:end])
        assert reader.read_nowait(10) == []
    segment_path(tmp_path, 1).write_bytes(MAGIC + data)
    assert ids(reader.read_nowait(10)) == [1]
    assert reader.read_nowait(10) == []


def test_records_larger_than_one_read_come_whole(tmp_path: Path, make_event: MakeEvent) -> None:
    long = make_event(1, trace_id="x" * 2_000_000)
    segment_path(tmp_path, 1).write_bytes(
        MAGIC + frame_record(EventRecord(long)) + frame_record(EventRecord(make_event(2)))
    )
    assert ids(JournalReader(tmp_path).read_nowait(10)) == [1, 2]


def test_segments_roll_by_size_and_old_ones_leave(
    tmp_path: Path, clock: SimulatedClock, make_event: MakeEvent, caplog: pytest.LogCaptureFixture
) -> None:
    writer = opened(tmp_path, clock, segment_bytes=5_000, journal_bytes=15_000)
    reader = JournalReader(tmp_path)
    for i in range(25):
        commit(writer, make_event(i, state=EventState.ENDED))
    read = ids(reader.read_nowait(100))
    writer.delivered_nowait(reader.position)
    assert read == list(range(25))
    with caplog.at_level(logging.CRITICAL):
        for i in range(25, 100):
            commit(writer, make_event(i, state=EventState.ENDED))
    statistics = writer.statistics()
    assert statistics.size_bytes <= 15_000 + 5_000
    assert statistics.retired_segments > 0
    assert statistics.expired_segments > 0
    assert "expired before it was delivered" in caplog.text
    rest = ids(reader.read_nowait(1000))
    assert rest == list(range(rest[0], 100))
    assert reader.statistics().skipped_segments == statistics.expired_segments
    writer.close()


def test_a_full_disk_keeps_records_and_reports_once_a_second(
    tmp_path: Path,
    clock: SimulatedClock,
    make_event: MakeEvent,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    writer = opened(tmp_path, clock)
    commit(writer, make_event(1))
    real_write = os.write

    def full(descriptor: int, data: bytes) -> int:
        """Half of it fits: what a disk does as it fills up."""
        real_write(descriptor, bytes(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    assert writer.submit_nowait(EventRecord(make_event(2)))
    waits = []
    with caplog.at_level(logging.ERROR):
        for _ in range(10):
            assert writer.wait_commit(0) == 0
            waits.append(writer.retry_in_ns())
            clock.advance(NS_PER_S // 4)
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3
    assert "No space left" in caplog.text
    assert waits == sorted(waits)
    assert max(waits) <= 5 * NS_PER_S
    monkeypatch.setattr(os, "write", real_write)
    assert writer.wait_commit(0) == 1
    writer.close()
    assert ids(JournalReader(tmp_path).read_nowait(10)) == [1, 2]
    assert writer.statistics().failures == 10


records = st.one_of(
    st.builds(RunEnded, run_id=st.text(max_size=20), ended_utc_ns=st.integers(0, 2**62), reason=st.text(max_size=50)),
    st.builds(
        RunStarted,
        run_id=st.text(max_size=8),
        host_id=st.text(max_size=8),
        boot_id=st.text(max_size=8),
        started_utc_ns=st.integers(0, 2**62),
        software=st.text(max_size=8),
    ),
    st.just(Checkpoint()),
)


def read_all(data: bytes) -> list[JournalRecord]:
    found: list[JournalRecord] = []
    at = 0
    while True:
        try:
            record, at = parse_record(data, at)
        except Damaged:
            return found
        found.append(record)


@given(st.lists(records, min_size=1, max_size=8), st.data())
def test_a_cut_tail_gives_all_records_before_it_and_no_other(written: list[JournalRecord], data: st.DataObject) -> None:
    frames = [frame_record(record) for record in written]
    whole = b"".join(frames)
    end = data.draw(st.integers(0, len(whole)))
    complete = sum(sum(map(len, frames[: i + 1])) <= end for i in range(len(frames)))
    zeros = data.draw(st.integers(0, 40))
    assert read_all(whole[:end] + (b"\0" * zeros if end < len(whole) else b"")) in (
        written[:complete],
        written[: complete + 1],  # the zeros may be just what was cut off
    )
    assert read_all(whole[:end]) == written[:complete]


@given(st.lists(records, min_size=1, max_size=8), st.data())
def test_a_damaged_byte_gives_all_records_before_it_and_none_that_was_not_written(
    written: list[JournalRecord], data: st.DataObject
) -> None:
    frames = [frame_record(record) for record in written]
    whole = bytearray(b"".join(frames))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    before = sum(sum(map(len, frames[: i + 1])) <= place for i in range(len(frames)))
    assert read_all(bytes(whole)) == written[:before]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.sampled_from(list(EventState))), max_size=20),
    st.integers(0, 20),
)
def test_a_checkpoint_in_between_changes_nothing(
    make_event: MakeEvent, steps: list[tuple[int, int, EventState]], cut: int
) -> None:
    events = [make_event(number, revision, state=state) for number, revision, state in steps]
    straight, halves = RecoveryState(), RecoveryState()
    for i, event in enumerate(events):
        straight.add(EventRecord(event))
        if i == cut:
            fresh = RecoveryState()
            fresh.add(halves.checkpoint())
            halves = fresh
        halves.add(EventRecord(event))
        halves.add(EventRecord(event))
    assert halves.checkpoint() == straight.checkpoint()

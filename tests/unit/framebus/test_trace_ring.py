"""Trace rings: what is wanted is written and read back whole; what is lost is counted; nothing is written unasked."""

from collections import Counter

import pytest
from traced_runs import LANES, MS, TracedProcesses

from penstock.contracts.capacity import LadderStep
from penstock.contracts.fates import Fate
from penstock.contracts.traces import (
    EventConfirmed,
    FrameAnalysed,
    FrameDecoded,
    FramesEnded,
    GrantChanged,
    Planned,
    ViewMade,
    frame_trace_id,
    span_id,
)
from penstock.framebus.regions import HeapRegions
from penstock.framebus.trace_ring import (
    BODY_BYTES,
    RECORD_BYTES,
    TraceReader,
    TraceWriter,
    format_trace,
    trace_bytes,
)
from penstock.framebus.trace_writers import UNKNOWN, EngineTraceOff, EngineTraceWriter, IngestTraceOff

AT = 5_000 * MS


def ring(records: int = 8) -> tuple[TraceWriter, TraceReader]:
    region = HeapRegions().create("trace:test", trace_bytes(records))
    format_trace(region, records)
    return TraceWriter(region), TraceReader(region)


def plans(writer: TraceWriter, first: int, count: int) -> None:
    engine = EngineTraceWriter(writer, (), (), (), lambda: 0)
    for number in range(first, first + count):
        engine.planned(number, 1, 0)


def test_every_kind_of_record_comes_back_as_it_was_written() -> None:
    processes = TracedProcesses()
    tap = processes.tap()
    tap.arm(AT * 2)
    frame = processes.decoded("front", AT)
    processes.ingests["front"].view(frame, AT + 1, AT + 2, AT + 3, views=4)
    processes.analysed(LANES[1], frame, call=77)
    processes.engine.fate("front/people", 5, 3, Fate.SHED, AT + 9)
    processes.engine.planned(AT + 10, 3_000, 2)
    processes.engine.granted('ba"ck/people', LadderStep.MOTION_ONLY, 0.25, AT + 11)
    processes.engine.confirmed("front", "two_people", frame, AT + 12)
    processes.engine.confirmed("front", "two_people", None, AT + 13)
    session = frame.id.stream.session
    assert tap.read_nowait() == [
        FrameDecoded(0, session, 7, 1, AT - 30 * MS, AT - 10 * MS, AT),
        ViewMade(0, 1, 4, AT + 1, AT + 2, AT + 3),
        FrameAnalysed(
            lane=1,
            late=False,
            call=77,
            session=session,
            seq=7,
            index=1,
            capture_ns=AT - 30 * MS,
            decoded_ns=AT,
            asked_ns=AT + 1 * MS,
            made_ns=AT + 3 * MS,
            submitted_ns=AT + 4 * MS,
            received_ns=AT + 5 * MS,
            started_ns=AT + 6 * MS,
            finished_ns=AT + 26 * MS,
            taken_ns=AT + 27 * MS,
        ),
        FramesEnded(0, 5, 3, Fate.SHED, AT + 9),
        Planned(AT + 10, 3_000, 2),
        GrantChanged(2, LadderStep.MOTION_ONLY, 0.25, AT + 11),
        EventConfirmed(0, 0, session, 7, AT + 12),
        EventConfirmed(0, 0, 0, 0, AT + 13),
    ]
    assert tap.missed() == {"engine": 0, "ingest-0": 0, "ingest-1": 0}


def test_the_largest_record_fits() -> None:
    from penstock.framebus.trace_records import ANALYSED_BODY

    assert ANALYSED_BODY.size == BODY_BYTES == RECORD_BYTES - 16


def test_nothing_is_written_before_it_is_wanted_nor_after() -> None:
    processes = TracedProcesses()
    tap = processes.tap()
    processes.step(AT)
    assert tap.read_nowait() == []
    tap.arm(AT + 50 * MS)
    processes.step(AT + 40 * MS)
    # Results are taken 27 ms after the decoding: when nobody wanted them any more.
    kinds = Counter(type(record) for record in tap.read_nowait())
    assert kinds == {FrameDecoded: 2, ViewMade: 1, FramesEnded: 2, Planned: 2}
    processes.step(AT + 80 * MS)
    assert tap.read_nowait() == []


def test_an_earlier_end_than_somebody_else_asked_for_changes_nothing() -> None:
    processes = TracedProcesses()
    first, second = processes.tap(), processes.tap()
    first.arm(AT + 100)
    second.arm(AT + 10)
    processes.engine.planned(AT + 50, 1, 0)
    assert first.read_nowait() == second.read_nowait() == [Planned(AT + 50, 1, 0)]


def test_each_reader_has_its_own_place_and_begins_with_what_comes_after_it() -> None:
    writer, reader = ring()
    reader.arm(AT)
    plans(writer, 0, 3)
    assert [record.at_ns for record in reader.read_nowait() if isinstance(record, Planned)] == [0, 1, 2]
    assert reader.read_nowait() == []


def test_a_lapped_reader_counts_what_it_missed_and_goes_on_with_the_newest_half() -> None:
    writer, reader = ring(records=8)
    reader.arm(AT)
    plans(writer, 0, 20)
    assert [record.at_ns for record in reader.read_nowait() if isinstance(record, Planned)] == [16, 17, 18, 19]
    assert reader.missed == 16
    plans(writer, 20, 7)
    assert [record.at_ns for record in reader.read_nowait() if isinstance(record, Planned)] == list(range(20, 27))
    assert reader.missed == 16


def test_a_record_overwritten_while_it_is_read_is_missed_and_never_torn() -> None:
    writer, reader = ring(records=8)
    reader.arm(AT)
    plans(writer, 0, 6)
    copy = reader._copy

    def copied_late(first: int, count: int) -> bytes:
        plans(writer, 6, 4)
        return copy(first, count)

    reader._copy = copied_late  # type: ignore[method-assign]
    # Ten are written; eight places hold the last eight, and the oldest of them may be under the writer's hand.
    assert [record.at_ns for record in reader.read_nowait() if isinstance(record, Planned)] == [3, 4, 5]
    assert reader.missed == 3


def test_a_damaged_record_is_missed() -> None:
    region = HeapRegions().create("trace:test", trace_bytes(8))
    format_trace(region, 8)
    writer, reader = TraceWriter(region), TraceReader(region)
    reader.arm(AT)
    plans(writer, 0, 3)
    at = trace_bytes(8) - 8 * RECORD_BYTES + RECORD_BYTES + 20
    region.memory[at] ^= 1
    assert [record.at_ns for record in reader.read_nowait() if isinstance(record, Planned)] == [0, 2]
    assert reader.missed == 1


def test_a_successor_goes_on_where_the_writer_before_it_stopped() -> None:
    region = HeapRegions().create("trace:test", trace_bytes(8))
    format_trace(region, 8)
    reader = TraceReader(region)
    reader.arm(AT)
    plans(TraceWriter(region), 0, 5)
    plans(TraceWriter(region), 5, 2)
    assert [record.at_ns for record in reader.read_nowait() if isinstance(record, Planned)] == list(range(7))


def test_memory_that_holds_no_ring_is_refused() -> None:
    region = HeapRegions().create("something", trace_bytes(8))
    with pytest.raises(ValueError, match="region something holds no trace ring"):
        TraceReader(region)


def test_a_fate_without_an_instant_is_given_now() -> None:
    processes = TracedProcesses()
    tap = processes.tap()
    tap.arm(AT)
    processes.now_ns = AT - 1
    processes.engine.fate("front/people", 3, 1, Fate.EXPIRED)
    processes.now_ns = AT
    processes.engine.fate("front/people", 4, 1, Fate.EXPIRED)
    assert tap.read_nowait() == [FramesEnded(0, 3, 1, Fate.EXPIRED, AT - 1)]


def test_unknown_names_end_no_run() -> None:
    processes = TracedProcesses()
    tap = processes.tap()
    tap.arm(AT)
    processes.engine.fate("nobody/nothing", 1, 1, Fate.LOST, 5)
    assert tap.read_nowait() == [FramesEnded(UNKNOWN, 1, 1, Fate.LOST, 5)]


def test_the_writers_that_are_off_have_the_shape_of_the_others() -> None:
    processes = TracedProcesses()
    frame = processes.decoded("front", AT)
    ingest, engine = IngestTraceOff(), EngineTraceOff()
    ingest.decoded(frame)
    ingest.view(frame, AT, AT, AT)
    engine.fate("front/people", 1, 1, Fate.LOST, AT)
    engine.planned(AT, 1, 1)
    engine.granted("front/people", LadderStep.FULL, 5.0, AT)
    engine.confirmed("front", "two_people", frame, AT)
    for off, real in ((ingest, processes.ingests["front"]), (engine, processes.engine)):
        public = {name for name in dir(real) if not name.startswith("_")}
        assert public == {name for name in dir(off) if not name.startswith("_")}


def test_trace_ids_hold_the_session_and_never_repeat() -> None:
    session = 0x018F_0123_4567_89AB
    ids = {frame_trace_id(session + one, seq) for one in range(10) for seq in range(1000)}
    assert len(ids) == 10_000
    assert all(len(one) == 32 and int(one[:16], 16) - session < 10 for one in ids)
    assert frame_trace_id(session, 5) == frame_trace_id(session, 5)
    spans = {span_id(frame_trace_id(session, 5), number) for number in range(1000)}
    assert len(spans) == 1000
    assert 0 not in spans

"""However reads and writes take turns, a trace ring gives each record once, in order and whole, or counts it missed."""

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.contracts.traces import Planned
from penstock.framebus.regions import HeapRegions
from penstock.framebus.trace_ring import TraceReader, TraceWriter, format_trace, trace_bytes
from penstock.framebus.trace_writers import EngineTraceWriter


@settings(max_examples=200, deadline=None)
@given(
    records=st.integers(2, 40),
    bursts=st.lists(st.tuples(st.integers(0, 60), st.booleans(), st.integers(0, 30)), max_size=25),
)
def test_read_or_missed(records: int, bursts: list[tuple[int, bool, int]]) -> None:
    region = HeapRegions().create("trace:test", trace_bytes(records))
    format_trace(region, records)
    reader = TraceReader(region)
    reader.arm(1 << 60)
    copy = reader._copy
    engine = EngineTraceWriter(TraceWriter(region), (), (), (), lambda: 0)
    written = 0
    during = 0

    def write(count: int) -> None:
        nonlocal written
        for _ in range(count):
            engine.planned(written, written * 3, written % 7)
            written += 1

    def copy_while_written(first: int, count: int) -> bytes:
        # Some before the copy and some after it: the reader must tell in both cases.
        write(during // 2)
        copied = copy(first, count)
        write(during - during // 2)
        return copied

    reader._copy = copy_while_written  # type: ignore[method-assign]
    found: list[int] = []
    for count, restarted, overtaking in bursts:
        if restarted:
            engine = EngineTraceWriter(TraceWriter(region), (), (), (), lambda: 0)
        write(count)
        during = overtaking
        for record in reader.read_nowait():
            assert isinstance(record, Planned)
            assert (record.took_ns, record.asks) == (record.at_ns * 3, record.at_ns % 7)
            found.append(record.at_ns)
    during = 0
    while more := reader.read_nowait():
        found += [record.at_ns for record in more if isinstance(record, Planned)]
    assert found == sorted(set(found))
    assert len(found) + reader.missed == written

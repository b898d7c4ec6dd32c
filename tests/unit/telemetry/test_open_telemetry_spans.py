"""Sampled frames become traces: the same ones everywhere, whole, and no more of them on their way than the bound."""

import pytest
from traced_runs import FRAME_NS, MS, SESSIONS, TracedProcesses, traced

from penstock.base.clock import NS_PER_S
from penstock.contracts.times import ClockReading
from penstock.contracts.traces import frame_trace_id
from penstock.telemetry.open_telemetry import traces_endpoint
from penstock.telemetry.open_telemetry_spans import HOLD_NS, FrameTrace, SampledFrames

BEGIN_NS = 50 * NS_PER_S
RUN = traced(ClockReading("monotonic", 0, 0))


def told(sample: float, steps: int, *, bound: int = 100, now_ns: int = 0) -> list[FrameTrace]:
    processes = TracedProcesses()
    tap = processes.tap()
    tap.arm(1 << 62)
    frames = SampledFrames(RUN, sample, bound=bound)
    for at_ns in processes.instants(BEGIN_NS, BEGIN_NS + steps * FRAME_NS):
        processes.step(at_ns)
    frames.take(tap.read_nowait())
    return frames.complete(now_ns or BEGIN_NS + steps * FRAME_NS)


def test_every_part_of_a_frames_way_is_a_span() -> None:
    # Frame 1 of the camera `front`: its lane `people` analyses it, `faces` is not due.
    trace = next(one for one in told(1.0, 1) if one.spans[0].attributes["camera"] == "front")
    assert trace.trace_id == frame_trace_id(SESSIONS["front"], 7)
    root, *rest = trace.spans
    assert (root.name, root.parent_id) == ("frame", 0)
    assert (root.begin_ns, root.end_ns) == (BEGIN_NS - 30 * MS, BEGIN_NS + 27 * MS)
    assert root.attributes == {
        "camera": "front",
        "frame.session": str(SESSIONS["front"]),
        "frame.seq": 7,
        "frame.index": 1,
    }
    assert [(note.name, note.attributes["model"], note.at_ns) for note in root.notes] == [
        ("not_due", "faces", BEGIN_NS + MS)
    ]
    decode, analyse, *stages = rest
    assert (decode.name, decode.parent_id, decode.begin_ns, decode.end_ns) == (
        "decode",
        root.span_id,
        BEGIN_NS - 30 * MS,
        BEGIN_NS,
    )
    assert (analyse.name, analyse.parent_id) == ("analyse", root.span_id)
    assert analyse.attributes == {
        "camera": "front",
        "model": "people",
        "fate": "analysed",
        "late": False,
        "age_ms": 57.0,
    }
    assert [(one.name, (one.end_ns - one.begin_ns) // MS) for one in stages] == [
        ("wait", 1),
        ("view", 2),
        ("send", 1),
        ("queue", 2),
        ("compute", 20),
        ("result", 1),
    ]
    assert {one.parent_id for one in stages} == {analyse.span_id}
    assert len({one.span_id for one in trace.spans}) == len(trace.spans)


def test_the_sampled_part_is_fair_and_the_same_every_time() -> None:
    frames = SampledFrames(RUN, 0.01)
    sampled = [seq for seq in range(100_000) if frames.is_sampled(frame_trace_id(SESSIONS["front"], seq))]
    assert sampled == [seq for seq in range(100_000) if frames.is_sampled(frame_trace_id(SESSIONS["front"], seq))]
    # A binomial count: 1000 expected, 31 its standard deviation.
    assert 850 < len(sampled) < 1150
    assert SampledFrames(RUN, 0.02).is_sampled(frame_trace_id(SESSIONS["front"], sampled[0]))


def test_opentelemetrys_own_sampler_keeps_the_same_traces() -> None:
    sampling = pytest.importorskip("opentelemetry.sdk.trace.sampling")
    theirs, ours = sampling.TraceIdRatioBased(0.03), SampledFrames(RUN, 0.03)
    for seq in range(2000):
        trace_id = frame_trace_id(SESSIONS["front"], seq)
        kept = theirs.should_sample(None, int(trace_id, 16), "frame").decision is sampling.Decision.RECORD_AND_SAMPLE
        assert kept == ours.is_sampled(trace_id)


@pytest.mark.parametrize(("sample", "count"), [(0.0, 0), (1.0, 20)])
def test_none_and_all(sample: float, count: int) -> None:
    assert len(told(sample, 10)) == count


def test_a_frame_that_a_lane_says_nothing_of_is_told_after_a_while() -> None:
    processes = TracedProcesses()
    tap = processes.tap()
    tap.arm(1 << 62)
    processes.decoded("front", BEGIN_NS)
    frames = SampledFrames(RUN, 1.0)
    frames.take(tap.read_nowait())
    assert frames.complete(BEGIN_NS + HOLD_NS) == []
    assert [len(one.spans) for one in frames.complete(BEGIN_NS + HOLD_NS + 1)] == [2]
    assert frames.complete(BEGIN_NS + 2 * HOLD_NS) == []


def test_of_more_frames_than_the_bound_the_oldest_are_told_at_once() -> None:
    processes = TracedProcesses()
    tap = processes.tap()
    tap.arm(1 << 62)
    frames = SampledFrames(RUN, 1.0, bound=3)
    for number in range(5):
        processes.decoded("front", BEGIN_NS + number)
    frames.take(tap.read_nowait())
    assert [one.spans[0].attributes["frame.index"] for one in frames.complete(BEGIN_NS + 5)] == [1, 2]


@pytest.mark.parametrize(
    ("endpoint", "meant"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://otlp.example/v1/traces", "https://otlp.example/v1/traces"),
        ("https://example.com/otel/x", "https://example.com/otel/x"),
    ],
)
def test_a_base_address_is_completed(endpoint: str, meant: str) -> None:
    assert traces_endpoint(endpoint) == meant

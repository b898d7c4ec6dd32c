"""A trace's file: every frame of its window and only those, drawn so that a viewer can show it, and whole books."""

import itertools
import json
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

import pytest
from perfetto_files import Timeline
from traced_runs import CAMERAS, FRAME_NS, LANES, MS, SESSIONS, TracedProcesses, traced

from penstock.base.clock import NS_PER_S
from penstock.contracts.fates import Fate
from penstock.contracts.times import ClockReading
from penstock.contracts.traces import FrameDecoded, FramesEnded, frame_trace_id
from penstock.telemetry.trace import TraceWindow
from penstock.telemetry.trace_recording import TraceRecording

RUN_NS = 100 * NS_PER_S
BEGIN_NS = RUN_NS + 20 * NS_PER_S
CLOCK = ClockReading("monotonic", RUN_NS, 1_700_000_000 * NS_PER_S)
RUN = traced(CLOCK)


def recorded(for_ns: int = 2 * NS_PER_S, *, kept_bytes: int = 1 << 20, records: int = 4096) -> dict[str, Any]:
    """The file of a trace of `for_ns` that begins when the run is 20 s old, taken as the server takes it."""
    processes = TracedProcesses(records=records)
    recording = TraceRecording(RUN, BEGIN_NS, BEGIN_NS + for_ns, kept_bytes=kept_bytes)
    tap = processes.tap()
    text = recording.begin()
    # Somebody else traces too, so that records from before and after the window come as well.
    tap.arm(BEGIN_NS + 60 * NS_PER_S)
    for at_ns in processes.instants(BEGIN_NS - 200 * MS, recording.window.end_ns):
        processes.step(at_ns)
        if at_ns // FRAME_NS % 3 == 0:
            text += recording.take(tap.read_nowait())
    text += recording.take(tap.read_nowait())
    text += b"".join(recording.end(tap.missed()))
    found: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return found


@pytest.fixture(scope="module")
def file() -> dict[str, Any]:
    return recorded()


@pytest.fixture(scope="module")
def timeline(file: dict[str, Any]) -> Timeline:
    return Timeline(file["traceEvents"])


def rows(file: dict[str, Any], table: str) -> list[dict[str, Any]]:
    found = file["penstock"][table]
    return [dict(zip(found["fields"], row, strict=True)) for row in found["rows"]]


def test_a_viewer_finds_nothing_wrong(timeline: Timeline) -> None:
    assert list(timeline.problems()) == []


def test_processes_and_rows_have_names_in_order(file: dict[str, Any], timeline: Timeline) -> None:
    assert list(timeline.processes.values()) == ["ingest-0", "ingest-1", "engine", "executor-cpu"]
    names = [timeline.rows[row] for row in timeline.rows if timeline.processes[row[0]] == "engine"]
    first = ["scheduling", "capacity plan", "events", "front/people", "front/faces", 'ba"ck/people']
    assert names[: len(first)] == first
    order = {
        (event["pid"], event["tid"]): event["args"]["sort_index"]
        for event in file["traceEvents"]
        if event["name"] == "thread_sort_index"
    }
    assert len(set(order.values())) == len(order) == len(timeline.rows)


def test_every_frame_decoded_in_the_window_is_there_and_no_other(timeline: Timeline, file: dict[str, Any]) -> None:
    # 200 ms at 25 fps came before it: frames 1 to 5.
    expected = list(range(6, 56))
    for camera, process in zip(CAMERAS, ("ingest-0", "ingest-1"), strict=True):
        drawn = [one for one in timeline.where(process, camera) if one.name == "frame"]
        assert [one.args["index"] for one in drawn] == expected
        assert [one.args["trace_id"] for one in drawn] == [frame_trace_id(SESSIONS[camera], i + 6) for i in expected]
        number = CAMERAS.index(camera)
        assert [row["index"] for row in rows(file, "arrivals") if row["camera"] == number] == expected
    assert file["otherData"]["frames"] == 100


def test_a_frame_is_drawn_from_its_capture_to_its_decoding(timeline: Timeline) -> None:
    whole = next(one for one in timeline.where("ingest-0", "front") if one.args.get("index") == 6)
    part = next(one for one in timeline.where("ingest-0", "front") if one.name == "decode" and one.end == whole.end)
    # Microseconds since the run began, which was 20 s before the trace.
    assert (whole.begin, whole.end) == (Decimal(20_000_000 - 30_000), Decimal(20_000_000))
    assert part.begin == whole.end - 10_000


def test_stages_follow_one_another_without_gaps(timeline: Timeline) -> None:
    lane = timeline.where("engine", "front/people")
    whole = [one for one in lane if one.name == "analysed"]
    assert len(whole) == 10
    for one in whole:
        parts = [part for part in lane if one.begin <= part.begin < one.end and part is not one]
        assert [(part.name, int(part.end - part.begin)) for part in parts] == [
            ("wait", 1000),
            ("view", 2000),
            ("send", 1000),
            ("queue", 2000),
            ("compute", 20_000),
            ("result", 1000),
        ]
        assert parts[0].begin == one.begin
        assert parts[-1].end == one.end
        assert all(a.end == b.begin for a, b in itertools.pairwise(parts))


def test_an_arrow_leads_each_analysed_frame_through_its_processes(timeline: Timeline) -> None:
    assert len(timeline.arrows) == 30
    ways = Counter(
        tuple((stop["ph"], timeline.processes[stop["pid"]]) for stop in stops) for stops in timeline.arrows.values()
    )
    assert ways == {
        (("s", ingest), ("t", ingest), ("t", "executor-cpu"), ("f", "engine")): count
        for ingest, count in (("ingest-0", 20), ("ingest-1", 10))
    }


def test_what_overlaps_has_a_row_of_its_own(timeline: Timeline) -> None:
    calls = {timeline.rows[one.row] for one in timeline.where("executor-cpu")}
    # Both cameras' first frames come at one instant; the executor has two streams.
    assert calls == {"calls", "calls #2"}


def test_fates_are_marks_on_their_lane(timeline: Timeline) -> None:
    marks = Counter(
        (timeline.rows[one["pid"], one["tid"]], one["name"]) for one in timeline.instants if "first" in one["args"]
    )
    assert marks == {
        ("front/people", "superseded"): 10,
        ("front/people", "not_due"): 30,
        ("front/faces", "not_due"): 40,
        ('ba"ck/people', "superseded"): 10,
        ('ba"ck/people', "not_due"): 30,
    }
    others = Counter(timeline.rows[one["pid"], one["tid"]] for one in timeline.instants if "first" not in one["args"])
    assert others == {"capacity plan": 2, "events": 2}


def test_the_books_of_each_lane_add_up(file: dict[str, Any]) -> None:
    lanes = file["penstock"]["lanes"]
    indexes = defaultdict(set)
    for row in rows(file, "arrivals"):
        indexes[file["penstock"]["cameras"][row["camera"]]["camera"]].add(row["index"])
    for number, lane in enumerate(lanes):
        settled = [row["index"] for row in rows(file, "analysed") if row["lane"] == number]
        for row in rows(file, "ended"):
            if row["lane"] == number:
                settled += range(row["first_index"], row["first_index"] + row["count"])
        assert len(settled) == len(set(settled)), "a frame has two fates"
        assert set(settled) == indexes[lane["camera"]]
    summary = file["otherData"]
    assert summary == {
        "frames": 100,
        "analysed": 30,
        "ended": {"superseded": 20, "not_due": 100},
        "under_way": 0,
        "missed": {},
        "not_drawn": 0,
    }


def test_the_recording_says_what_its_numbers_mean(file: dict[str, Any]) -> None:
    found = file["penstock"]
    assert found["version"] == 1
    assert found["clock"] == {"clock_id": "monotonic", "mono_ns": RUN_NS, "utc_ns": CLOCK.utc_ns}
    assert found["window"] == {"from_ns": BEGIN_NS, "until_ns": BEGIN_NS + 2 * NS_PER_S}
    assert found["cameras"][1] == {"camera": 'ba"ck', "process": "ingest-1", "lossless": False}
    assert found["lanes"][0] == {
        "lane": "front/people",
        "camera": "front",
        "model": "people",
        "executor": "cpu",
        "max_fps": 5.0,
        "min_fps": 0.0,
        "budget_ns": 300 * MS,
        "priority": 1,
        "weight": 1.0,
        "gated": True,
        "shadow": False,
        "requires": [],
        "crops_of": "",
    }
    assert found["executors"] == [{"executor": "cpu", "device": "cpu", "streams": 2, "models": ["people", "faces"]}]
    assert found["rules"] == ["two_people"]
    assert found["complete"] is True
    first = rows(file, "analysed")[0]
    assert first["finished_ns"] - first["started_ns"] == 20 * MS
    assert first["taken_ns"] - first["capture_ns"] == 57 * MS


def test_instants_keep_their_nanoseconds(file: dict[str, Any]) -> None:
    recording = TraceRecording(traced(ClockReading("monotonic", 0, 0)), 0, 1 << 62)
    odd_ns = 400 * 86_400 * NS_PER_S + 123_456_789
    event = recording.take([FrameDecoded(0, 1, 1, 1, odd_ns, odd_ns, odd_ns + 7)]).decode()
    assert f'"ts":{odd_ns // 1000}.789,"dur":0.007,' in event


def test_rows_that_outgrow_their_memory_are_left_out_and_that_is_said() -> None:
    file = recorded(kept_bytes=1)
    assert file["penstock"]["complete"] is False
    assert 0 < len(file["penstock"]["arrivals"]["rows"]) < file["otherData"]["frames"] == 100
    assert list(Timeline(file["traceEvents"]).problems()) == []


def test_what_was_overwritten_is_told() -> None:
    processes = TracedProcesses(records=64)
    recording = TraceRecording(RUN, BEGIN_NS, BEGIN_NS + NS_PER_S)
    tap = processes.tap()
    tap.arm(recording.window.end_ns)
    for at_ns in processes.instants(BEGIN_NS, BEGIN_NS + NS_PER_S):
        processes.step(at_ns)
    recording.take(tap.read_nowait())
    summary = recording.summary(tap.missed())
    # Of the engine's: 3 lanes and 2 plans a step, a grant and an event once; it keeps the newest half of 64.
    assert summary.missed == {"engine": 25 * 5 + 2 - 32}
    assert summary.frames == 50
    assert summary.under_way + summary.analysed + sum(summary.ended.values()) == 75


@pytest.mark.parametrize(
    ("first", "count", "kept"),
    [
        pytest.param(1, 5, None, id="all-before"),
        pytest.param(4, 5, (6, 3), id="some-before"),
        pytest.param(7, 2, (7, 2), id="inside"),
        pytest.param(9, 9, (9, 2), id="some-after"),
        pytest.param(11, 3, None, id="all-after"),
        pytest.param(1, 99, (6, 5), id="around"),
    ],
)
def test_a_fate_of_several_frames_counts_for_those_of_the_window(
    first: int, count: int, kept: tuple[int, int] | None
) -> None:
    window = TraceWindow(RUN, BEGIN_NS, BEGIN_NS + NS_PER_S)
    for index in range(6, 11):
        at_ns = BEGIN_NS + index * FRAME_NS
        assert window.admit(FrameDecoded(0, 1, index, index, at_ns, at_ns, at_ns)) is not None
    ended = window.admit(FramesEnded(0, first, count, Fate.NOT_DUE, BEGIN_NS))
    assert ended is None or isinstance(ended, FramesEnded)
    assert (None if ended is None else (ended.first_index, ended.count)) == kept
    assert window.summary({}).ended == ({"not_due": kept[1]} if kept else {})
    # Of the other lane of the camera nothing is known yet; the other camera's lane has no frames.
    assert window.summary({}).under_way == 10 - (kept[1] if kept else 0)


def test_lanes_that_nobody_configured_are_passed_over() -> None:
    window = TraceWindow(RUN, BEGIN_NS, BEGIN_NS + NS_PER_S)
    assert window.admit(FramesEnded(len(LANES), 0, 1, Fate.LOST, BEGIN_NS)) is None
    assert window.admit(FramesEnded(0, 0, 1, Fate.LOST, BEGIN_NS)) is not None
    assert window.admit(FramesEnded(0, 0, 1, Fate.LOST, BEGIN_NS - 1)) is None

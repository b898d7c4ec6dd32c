"""A run that the simulation recorded of itself is predicted; a recording that is none says what to do."""

from typing import Any

import msgspec
import pytest

from penstock.contracts.specs import LaneSpec
from penstock.testkit.call_costs import CallCost, ConstantCost, LogNormalCost, RaisingCost
from penstock.testkit.host_model import CameraModel, ExecutorModel, HostModel
from penstock.testkit.recording import RecordingError, load, percentile
from penstock.testkit.replay import replay
from penstock.testkit.simulated_executor import AskedView, SimulatedCall
from penstock.testkit.simulated_host import SimulatedHost
from penstock.testkit.simulated_models import CostedModel

MS = 1_000_000
S = 1_000_000_000
ZERO_NS = 1_000 * S
"""the recorded clock's reading at the simulation's 0"""
VIEW_NS = 2 * MS
HOP_NS = 300_000


class Recorder:
    """A watcher that writes down the rows of a trace."""

    def __init__(self) -> None:
        self.analysed_rows: list[list[Any]] = []
        self.view_rows: list[list[Any]] = []

    def stepped(self, now_ns: int) -> None: ...

    def started(self, start: object, call: SimulatedCall, now_ns: int) -> None: ...

    def analysed(self, view: AskedView, call: SimulatedCall, taken_ns: int) -> None:
        instants = (
            view.capture_ns,
            view.decoded_ns,
            view.asked_ns,
            view.made_ns,
            call.submitted_ns,
            call.received_ns,
            call.started_ns,
            call.end_ns,
            taken_ns,
        )
        self.analysed_rows.append([view.lane, call.work, view.index, *(ZERO_NS + at_ns for at_ns in instants)])
        camera = int(view.camera.model.name[1:])
        begun_ns = ZERO_NS + view.made_ns - VIEW_NS
        self.view_rows.append([camera, view.index, begun_ns, begun_ns, ZERO_NS + view.made_ns])


def host_model(cost: CallCost, cameras: int, lane_fps: float, streams: int = 2) -> HostModel:
    return HostModel(
        tuple(CameraModel(f"c{n}", fps=25.0, unit_ns=0) for n in range(cameras)),
        tuple(LaneSpec(f"c{n}", "m", max_fps=lane_fps, gated=False) for n in range(cameras)),
        (ExecutorModel("cpu", (CostedModel("m", cost),), streams),),
        cores=64.0,
        view_ns=VIEW_NS,
        view_sigma=0.0,
        hop_ns=HOP_NS,
        planned=False,
    )


def recorded(model: HostModel, seed: int = 1, from_s: int = 2, until_s: int = 22) -> dict[str, Any]:
    """What a trace of that run would hold under `penstock`."""
    recorder = Recorder()
    host = SimulatedHost(model, seed, watcher=recorder)
    host.run((until_s + 1) * S)
    frames = []
    for number, camera in enumerate(host.cameras.values()):
        arrivals = camera.arrivals
        for index in range(1, arrivals.newest_at(host.now_ns) + 1):
            if from_s * S <= arrivals.decoded_ns(index) < until_s * S:
                frames.append(
                    [number, index, ZERO_NS + arrivals.capture_ns(index), ZERO_NS + arrivals.decoded_ns(index)]
                )
    window = range(ZERO_NS + from_s * S, ZERO_NS + until_s * S)
    analysed = [row for row in recorder.analysed_rows if row[4] in window]
    return {
        "version": 1,
        "window": {"from_ns": window.start, "until_ns": window.stop},
        "cameras": [{"camera": camera.name, "process": "ingest-0"} for camera in model.cameras],
        "lanes": [
            {
                "lane": lane.name,
                "camera": lane.camera,
                "model": lane.model,
                "executor": "cpu",
                "max_fps": lane.max_fps,
                "budget_ns": lane.budget_ns,
                "gated": lane.gated,
            }
            for lane in model.lanes
        ],
        "executors": [{"executor": one.name, "streams": one.streams, "models": ["m"]} for one in model.executors],
        "arrivals": {"fields": ["camera", "index", "capture_ns", "decoded_ns"], "rows": frames},
        "views": {"fields": ["camera", "index", "asked_ns", "begun_ns", "made_ns"], "rows": recorder.view_rows},
        "analysed": {
            "fields": [
                "lane",
                "call",
                "index",
                "capture_ns",
                "decoded_ns",
                "asked_ns",
                "made_ns",
                "submitted_ns",
                "received_ns",
                "started_ns",
                "finished_ns",
                "taken_ns",
            ],
            "rows": analysed,
        },
        "ended": {"fields": ["lane", "first_index", "count", "fate", "at_ns"], "rows": []},
        "grants": {"fields": ["lane", "step", "fps", "at_ns"], "rows": []},
        "complete": True,
    }


def content(recording: dict[str, Any]) -> bytes:
    return msgspec.json.encode({"traceEvents": [], "penstock": recording, "otherData": {}})


@pytest.mark.parametrize(
    ("cost", "cameras", "lane_fps"),
    [
        pytest.param(ConstantCost(20 * MS), 2, 5.0, id="idle"),
        pytest.param(LogNormalCost(ConstantCost(30 * MS), 0.3), 10, 5.0, id="nearly full"),
        pytest.param(LogNormalCost(ConstantCost(40 * MS), 0.2), 16, 2.0, id="bursts"),
    ],
)
def test_a_recorded_run_is_predicted(cost: CallCost, cameras: int, lane_fps: float) -> None:
    replayed = replay(load(content(recorded(host_model(cost, cameras, lane_fps)))), seed=7)
    whole = replayed.whole
    assert whole.results > 100
    assert whole.predicted_results == pytest.approx(whole.results, rel=0.05)
    assert abs(whole.difference("p50")) < 0.1
    assert abs(whole.difference("p99")) < 0.2
    assert (replayed.skipped_ns, replayed.left_out) == (5 * S, ())


def test_what_was_granted_is_replayed() -> None:
    recording = recorded(host_model(ConstantCost(20 * MS), 2, 10.0))
    halfway = (ZERO_NS + 12 * S) - 1
    recording["grants"]["rows"] = [
        [0, "full", 10.0, recording["window"]["from_ns"]],
        [1, "full", 10.0, recording["window"]["from_ns"]],
        [1, "reduced", 1.0, halfway],
    ]
    replayed = replay(load(content(recording)))
    # 15 s of the window of 20 s are compared, of which the second lane runs 5 s in full, and then once a second.
    assert [lane.results for lane in replayed.lanes] == [150, 150]
    assert [lane.predicted_results for lane in replayed.lanes] == pytest.approx([150, 50 + 10], abs=2)


def test_failures_are_replayed_as_spans() -> None:
    recording = recorded(host_model(RaisingCost(ConstantCost(20 * MS), 12 * S, 13 * S), 2, 10.0))
    failed = [[0, 0, 1, "model_failed", ZERO_NS + at_ms * MS] for at_ms in (12_050, 12_150, 12_950)]
    recording["ended"]["rows"] = failed
    replayed = replay(load(content(recording)))
    live, predicted = replayed.whole.results, replayed.whole.predicted_results
    assert live < 280
    assert predicted == pytest.approx(live, rel=0.05)


def test_lanes_that_wait_for_others_are_left_out() -> None:
    recording = recorded(host_model(ConstantCost(20 * MS), 2, 5.0))
    recording["lanes"][1]["requires"] = ["motion"]
    replayed = replay(load(content(recording)))
    assert (replayed.left_out, [lane.lane for lane in replayed.lanes]) == (("c1/m",), ["c0/m"])
    recording["lanes"][0]["crops_of"] = "other"
    with pytest.raises(RecordingError, match="nothing to replay"):
        replay(load(content(recording)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"version": 2}, "version 2, and this program reads 1: record it anew", id="version"),
        pytest.param({"complete": False}, "record for a shorter time", id="too long"),
        pytest.param({"analysed": {"fields": [], "rows": []}}, "record for longer", id="nothing analysed"),
        pytest.param({"cameras": [{"camera": "a", "process": "b", "lossless": True}]}, "live cameras", id="lossless"),
        pytest.param({"window": None}, "not a trace that can be replayed: .*window", id="foreign"),
    ],
)
def test_what_cannot_be_replayed_says_why(change: dict[str, Any], message: str) -> None:
    recording = recorded(host_model(ConstantCost(20 * MS), 1, 5.0), until_s=4) | change
    with pytest.raises(RecordingError, match=message):
        load(content(recording))


def test_a_table_without_a_field_says_so() -> None:
    recording = recorded(host_model(ConstantCost(20 * MS), 1, 5.0), until_s=4)
    recording["views"]["fields"][3] = "begin_ns"
    with pytest.raises(RecordingError, match="no field 'begun_ns'"):
        replay(load(content(recording)))


def test_text_that_is_no_json_says_how_to_record() -> None:
    with pytest.raises(RecordingError, match="penstock trace --for 60s"):
        load(b"[]")


@pytest.mark.parametrize(("percent", "value"), [(0.0, 1), (50.0, 2), (75.0, 3), (99.0, 4), (100.0, 4)])
def test_percentiles_are_values_that_were_there(percent: float, value: int) -> None:
    assert percentile([3, 1, 4, 2], percent) == value
    assert percentile([], percent) == 0

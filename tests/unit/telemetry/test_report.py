"""The report of a run agrees with what its processes counted."""

import json

import msgspec
import pytest

from penstock.contracts.events import (
    Event,
    EventState,
    Evidence,
    EvidenceKind,
    EvidenceState,
    Reason,
    ReasonTerm,
    Severity,
)
from penstock.telemetry.report import run_report
from penstock.telemetry.statistics import ProcessStatistics, UnitBook

START_NS = 1_700_000_000_000_000_000


def event(revision: int, state: EventState, end_ns: int | None, evidence: tuple[Evidence, ...] = ()) -> Event:
    return Event(
        event_id="e1",
        revision=revision,
        rule="two",
        rule_hash="h",
        camera="front",
        session=7,
        state=state,
        severity=Severity.ALERT,
        start_utc_ns=START_NS + 4_000_000_000,
        confirmed_utc_ns=START_NS + 5_000_000_000,
        end_utc_ns=end_ns,
        start_error_ns=0,
        reason=Reason("count(person) >= 2 for 1s", (ReasonTerm("count(person)", "2", START_NS),)),
        run_id="r",
        host_id="h",
        boot_id="b",
        lease_epoch=1,
        frame_seq=10,
        decided_utc_ns=START_NS + 5_080_000_000,
        evidence=evidence,
    )


def closed(processes: list[ProcessStatistics]) -> list[ProcessStatistics]:
    """The same run at its end: nothing is under way."""
    supervisor, ingest, engine = processes
    cameras = [msgspec.structs.replace(c, units=UnitBook(100, 90, 4, 3, 3)) for c in ingest.cameras]
    lane = engine.lanes[0]
    lane = msgspec.structs.replace(lane, in_flight=0, fates={**lane.fates, "cancelled": 1})
    return [
        supervisor,
        msgspec.structs.replace(ingest, cameras=tuple(cameras)),
        msgspec.structs.replace(engine, lanes=(lane,)),
    ]


def report_of(processes: list[ProcessStatistics], events: tuple[Event, ...] = ()) -> dict[str, object]:
    return run_report(
        processes, run_id="r", started_utc_ns=START_NS, ended_utc_ns=START_NS + 10_000_000_000, events=events
    )


def test_books_that_balance(processes: list[ProcessStatistics]) -> None:
    report = report_of(closed(processes))
    assert (report["books_balanced"], report["unbalanced"]) == (True, [])


@pytest.mark.parametrize("received", [99, 101])
def test_one_access_unit_too_many_or_too_few(processes: list[ProcessStatistics], received: int) -> None:
    supervisor, ingest, engine = closed(processes)
    front = msgspec.structs.replace(ingest.cameras[0], units=UnitBook(received, 90, 4, 3, 3))
    report = report_of([supervisor, msgspec.structs.replace(ingest, cameras=(front,)), engine])
    assert (report["books_balanced"], report["unbalanced"]) == (False, ["access units of front"])


def test_a_frame_still_under_way_has_no_fate(processes: list[ProcessStatistics]) -> None:
    supervisor, ingest, _ = closed(processes)
    report = report_of([supervisor, ingest, processes[2]])
    assert report["unbalanced"] == ["frames of lane front/people"]


def test_lanes_and_ages(processes: list[ProcessStatistics]) -> None:
    lanes = report_of(closed(processes))["lanes"]
    assert isinstance(lanes, dict)
    lane = lanes["front/people"]
    assert (lane["offered"], lane["fates"]["analysed"], lane["analysed_per_s"]) == (90, 20, 2.0)
    assert lane["age_ms"]["count"] == 100
    for key, exact in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100)):
        assert lane["age_ms"][key] == pytest.approx(exact, rel=0.02)
    assert set(lane["stages_ms"]) == {"compute"}


def test_a_lanes_rate_begins_with_its_first_result(processes: list[ProcessStatistics]) -> None:
    """Not with the run, which waits for its camera and its model first."""
    supervisor, ingest, engine = closed(processes)
    (lane,) = engine.lanes
    lane = msgspec.structs.replace(lane, first_taken_ns=6_200_000_000, last_heard_ns=10_000_000_000)
    lanes = report_of([supervisor, ingest, msgspec.structs.replace(engine, lanes=(lane,))])["lanes"]
    assert isinstance(lanes, dict)
    assert lanes["front/people"]["analysed_per_s"] == 5.0


def test_the_last_revision_of_an_event_counts(processes: list[ProcessStatistics]) -> None:
    clip = Evidence(EvidenceKind.CLIP, EvidenceState.READY, "clips/e1.mp4", "clips/e1.json")
    last = event(3, EventState.ENDED, START_NS + 8_000_000_000, (clip,))
    report = report_of(processes, (event(1, EventState.OPEN, None), last, event(2, EventState.OPEN, None)))
    assert json.loads(json.dumps(report["events"])) == [
        {
            "event_id": "e1",
            "revision": 3,
            "rule": "two",
            "camera": "front",
            "state": "ended",
            "severity": "alert",
            "start_utc": "2023-11-14T22:13:24.000Z",
            "confirmed_utc": "2023-11-14T22:13:25.000Z",
            "end_utc": "2023-11-14T22:13:28.000Z",
            "lasted_s": 4.0,
            "decision_delay_ms": 80.0,
            "reason": {"count(person)": "2"},
        }
    ]
    clips = report["clips"]
    assert isinstance(clips, list)
    assert [(piece["kind"], piece["state"], piece["path"]) for piece in clips] == [("clip", "ready", "clips/e1.mp4")]


def test_processes_carry_their_restarts(processes: list[ProcessStatistics]) -> None:
    found = report_of(processes)["processes"]
    assert isinstance(found, dict)
    assert {name: process["restarts"] for name, process in found.items()} == {
        "supervisor": 0,
        "ingest-0": 0,
        "engine": 1,
    }

"""SIGKILL for each kind of process in turn, with an event open: the others go on, it is back, nothing is lost."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from aftermath import assert_books, assert_clips_play, assert_records_agree
from foreign_rtsp import ForeignRtspServer
from running import Ended, Running, is_alive

CAMERAS = ("yard", "gate")
KILLED = ("executor-motion", "recorder", "ingest-0", "engine", "api")
"""in this order: when the engine dies, its events have been open for longer than `UNKNOWN_LIMIT`"""
UNKNOWN_LIMIT = "3s"
BACK_WITHIN_S = 6.0
"""from the signal to new results of every camera, a keyframe and half a second between statistics included"""
BLOWS_S = 10.0
FRESH = 5
"""so many results beyond the last count read before a signal are of after it"""


class Blow(NamedTuple):
    """One process was killed: who else ran before and after, and how long results stayed away."""

    before: dict[str, int]
    after: dict[str, int]
    events_before: set[str]
    events_after: set[str]
    back_after_s: float


class Story(NamedTuple):
    """One run with all its blows."""

    blows: dict[str, Blow]
    hang: Blow
    hang_failed: dict[str, float]
    """frames that ended `model_failed`, by camera, while the executor hung"""
    leases_after: float
    ended: Ended
    run: Running
    report: dict[str, Any]


def config(server: ForeignRtspServer) -> dict[str, Any]:
    record = {"pre_capture": "1s", "post_capture": "1s"}
    return {
        "cameras": {name: {"url": server.url(name), "record": record} for name in CAMERAS},
        "ingest": {"groups": len(CAMERAS)},
        "executors": {"cpu": {"hang_timeout": "1500ms"}},
        "rules": {"moving": {"when": "count(motion) >= 1 for 500ms", "unknown_limit": UNKNOWN_LIMIT}},
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignRtspServer]:
    with ForeignRtspServer(tmp_path_factory.mktemp("rtsp")) as running:
        for name in CAMERAS:
            running.add_timecode(name, fps=10, gop_frames=10)
        yield running


def ids(run: Running) -> set[str]:
    return {event["event_id"] for event in run.events()}


def state_of(run: Running, event_id: str) -> str:
    return max((line["revision"], str(line["state"])) for line in run.events() if line["event_id"] == event_id)[1]


def strike(run: Running, name: str, number: signal.Signals) -> Blow:
    """Sends the signal and waits until every camera has results again from a process of that name that is new."""
    before, known = run.children(), run.metrics()
    events = ids(run)
    began_s = time.monotonic()
    pid = run.send(number, name)
    run.wait_for(f"another {name}", lambda: run.children().get(name) not in (None, pid), 10)
    run.wait_analysing(*CAMERAS, beyond={c: known.analysed(c) + FRESH for c in CAMERAS}, timeout_s=15)
    took_s = time.monotonic() - began_s
    return Blow(before, run.children(), events, ids(run), took_s)


@pytest.fixture(scope="module")
def story(server: ForeignRtspServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with Running(tmp_path_factory.mktemp("crashes"), config(server)) as run:
        for camera in CAMERAS:
            run.wait_event("moving", camera)
        blows = {name: strike(run, name, signal.SIGKILL) for name in KILLED}
        failed = {camera: run.metrics().fate(camera, "model_failed") for camera in CAMERAS}
        hang = strike(run, "executor-motion", signal.SIGSTOP)
        failed = {camera: run.metrics().fate(camera, "model_failed") - failed[camera] for camera in CAMERAS}
        leases = run.wait_for("all leases back", lambda: run.metrics().total("pool_leased") == 0, 5)
        ended = run.stop()
        run.assert_nothing_left()
        for name, blow in {**blows, "hang of executor-motion": hang}.items():
            print(f"{name}: results of every camera again after {blow.back_after_s:.1f} s")
        print(f"stopped within {ended.took_s:.2f} s")
        yield Story(blows, hang, failed, leases, ended, run, run.report())


@pytest.mark.parametrize("name", KILLED)
def test_the_others_go_on_and_it_is_back_within_seconds(story: Story, name: str) -> None:
    blow = story.blows[name]
    assert set(blow.after) == set(blow.before)
    assert {other: pid for other, pid in blow.after.items() if other != name} == {
        other: pid for other, pid in blow.before.items() if other != name
    }
    assert blow.after[name] != blow.before[name]
    assert blow.back_after_s < BACK_WITHIN_S


@pytest.mark.parametrize("name", KILLED)
def test_no_event_is_lost_and_none_is_opened_twice(story: Story, name: str) -> None:
    blow = story.blows[name]
    assert len(blow.events_before) == len(CAMERAS)
    assert blow.events_after == blow.events_before


def test_an_executor_that_hangs_is_replaced_and_its_lanes_say_so(story: Story) -> None:
    hang = story.hang
    assert {name for name in hang.before if hang.after[name] != hang.before[name]} == {"executor-motion"}
    # 1.5 s to find out; a process that merely ended would not be missed for that long.
    assert 1.5 < hang.back_after_s < BACK_WITHIN_S
    assert all(count >= 1 for count in story.hang_failed.values()), story.hang_failed
    assert "executor-motion is replaced: a call has been running for 1.5 s" in story.run.log()


def test_books_balance_and_every_process_is_accounted_for(story: Story) -> None:
    assert story.ended.code == 0
    assert_books(story.report)
    restarts = {name: process["restarts"] for name, process in story.report["processes"].items()}
    assert restarts == {"supervisor": 0, "ingest-1": 0, "executor-motion": 2} | dict.fromkeys(KILLED[1:], 1)
    assert all(camera["state"] == "up" for camera in story.report["cameras"].values())
    # The engine's frames in flight when it was killed are few, and have their name.
    assert sum(lane["fates"]["lost"] for lane in story.report["lanes"].values()) <= 8


def test_every_clip_plays_and_the_events_last_from_first_to_last(story: Story) -> None:
    manifests = assert_clips_play(story.run.data)
    events = assert_records_agree(story.run)
    assert {event.camera for event in events.values()} == set(CAMERAS)
    assert len(events) == len(manifests) == len(CAMERAS)
    assert {event.state.value for event in events.values()} == {"interrupted"}
    for manifest in manifests:
        assert not manifest.failure
        assert manifest.result is not None, "the result that confirmed it was lost with the engine"
        assert manifest.snapshot is not None
        assert manifest.delivered is not None
        assert manifest.delivered.end is not None
        # Over the recorder's death and all others: from before the event to the end of the run.
        assert manifest.delivered.start.utc_ns <= manifest.event.start.utc_ns
        assert manifest.delivered.end.utc_ns - manifest.delivered.start.utc_ns > 10 * 10**9
    gaps = {gap.cause for manifest in manifests for gap in manifest.gaps}
    assert gaps <= {"not_kept", "reconnected", "stopped"}


def test_all_children_end_with_a_killed_supervisor_and_the_next_run_closes_its_events(
    server: ForeignRtspServer, tmp_path: Path
) -> None:
    with Running(tmp_path, config(server)) as run:
        event = run.wait_event("moving")
        run.wait_for("an event on each camera", lambda: {line["camera"] for line in run.events()} == set(CAMERAS))
        run.wait_for("a clip that grows", run.temporaries)
        run.note_resources()
        children = run.children()
        began_s = time.monotonic()
        run.send(signal.SIGKILL)
        while (left := [name for name, pid in children.items() if is_alive(pid)]) and time.monotonic() < began_s + 5:
            time.sleep(0.01)
        took_s = time.monotonic() - began_s
        assert not left
        assert took_s < 2
        print(f"all children gone {took_s:.2f} s after their supervisor")
    before = ids(run)
    assert run.temporaries()

    with Running(tmp_path, config(server)) as run:
        run.wait_for("the old event's end", lambda: state_of(run, event["event_id"]) == "interrupted")
        run.wait_analysing(*CAMERAS)
        assert run.stop().code == 0
        run.assert_nothing_left()
    events = assert_records_agree(run)
    assert {piece.state.value for piece in events[event["event_id"]].evidence} <= {"ready", "failed"}
    # What was journalled and not yet delivered when all were killed comes now; and the rules' cooldowns outlive the
    # crash, so that the new run opens nothing of its own.
    assert before <= events.keys()
    assert {one.run_id for one in events.values()} == {events[event["event_id"]].run_id}
    assert_books(run.report())


def test_a_service_manager_that_signals_every_process_loses_nothing(server: ForeignRtspServer, tmp_path: Path) -> None:
    with Running(tmp_path, config(server)) as run:
        run.wait_event("moving")
        run.wait_for("a clip that grows", run.temporaries)
        for pid in run.children().values():
            os.kill(pid, signal.SIGTERM)
        ended = run.stop()
        run.assert_nothing_left()
    assert ended.code == 0
    assert ended.took_s < 5
    assert_books(run.report())
    assert assert_records_agree(run)
    assert all(manifest.parts for manifest in assert_clips_play(run.data))
    assert {process["last_exit"] for process in run.report()["processes"].values()} == {"", "exit code 0"}


def test_a_run_that_ends_while_its_processes_are_away_finishes_what_they_had(
    server: ForeignRtspServer, tmp_path: Path
) -> None:
    """They would come back a moment later; the end does not wait for that, and does not do without them."""
    with Running(tmp_path, config(server)) as run:
        run.wait_event("moving")
        run.wait_for("a clip that grows", run.temporaries)
        run.note_resources()
        for name in ("recorder", "engine", "api"):
            run.send(signal.SIGKILL, name)
        ended = run.stop()
        run.assert_nothing_left()
    print(f"stopped within {ended.took_s:.2f} s")
    assert ended.code == 0
    assert ended.took_s < 5
    assert_books(run.report())
    events = assert_records_agree(run)
    assert {event.state.value for event in events.values()} == {"interrupted"}
    assert all(manifest.parts for manifest in assert_clips_play(run.data))


def test_random_blows_cost_no_event_and_no_frame_its_fate(server: ForeignRtspServer, tmp_path: Path) -> None:
    """Whatever dies while whatever else is just coming back, up to the last moment."""
    random = Random(11)
    with Running(tmp_path, config(server)) as run:
        run.wait_event("moving")
        run.note_resources()
        seen: set[str] = set()
        until_s = time.monotonic() + BLOWS_S
        while time.monotonic() < until_s:
            time.sleep(random.uniform(0.05, 0.8))
            if children := run.children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(children[random.choice(sorted(children))], signal.SIGKILL)
            seen |= ids(run)
        ended = run.stop()
        run.assert_nothing_left()
    assert ended.code == 0
    assert ended.took_s < 5
    assert_books(run.report())
    events = assert_records_agree(run)
    assert seen <= events.keys()
    assert {event.state.value for event in events.values()} <= {"ended", "interrupted"}
    assert not [event for event in events.values() if event.awaits_evidence]
    assert_clips_play(run.data)
    assert "Traceback" not in run.log()

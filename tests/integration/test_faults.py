"""Cameras that die, stall, are held up, away at first or refuse us: each is its own trouble and nobody else's."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aftermath import assert_books, assert_records_agree
from foreign_rtsp import ForeignRtspServer
from network import HoldingProxy, SilentHost
from running import Ended, Running
from watching import Watch

BUDGET_MS = 800
HEARD_MS = 20
STALL_S = 5.0
HELD_S = 1.4
"""less than `stall_timeout`: the connection lives on, and all that was held arrives at once"""
SECRET = "Tr0ub4dor"
FPS = 5


def camera(url: str) -> dict[str, Any]:
    return {
        "inputs": [{"path": url, "open_timeout": "2s", "stall_timeout": "2s"}],
        "detect": {"fps": FPS, "budget": f"{BUDGET_MS}ms"},
        "record": {"pre_capture": "1s", "post_capture": "1s"},
    }


class Story(NamedTuple):
    """One run with all its troubles."""

    states: dict[str, list[dict[str, Any]]]
    """by trouble: what /health said of the camera, each time it said something else"""
    away_at_first: dict[str, Any]
    refused: dict[str, Any]
    sessions: dict[str, float]
    back_after_s: dict[str, float]
    watch: Watch
    public: str
    """all that /metrics and /health said"""
    ended: Ended
    run: Running
    report: dict[str, Any]


class Trouble:
    """Follows one camera through one trouble."""

    def __init__(self, run: Running, name: str) -> None:
        self._run = run
        self._name = name
        self._analysed = run.metrics().analysed(name)
        self.states: list[dict[str, Any]] = []

    def look(self) -> dict[str, Any]:
        found = self._run.camera(self._name)
        if not self.states or (found["state"], found["fault"]) != (self.states[-1]["state"], self.states[-1]["fault"]):
            self.states.append(found)
        return found

    def wait_state(self, state: str) -> None:
        self._run.wait_for(f"{self._name} {state}", lambda: self.look()["state"] == state)

    def wait_back(self) -> float:
        """Until the camera has results again; how long that took."""
        began_s = time.monotonic()
        self._analysed = self._run.metrics().analysed(self._name)
        self.wait_state("up")
        self._run.wait_analysing(self._name, beyond={self._name: self._analysed + 1})
        return time.monotonic() - began_s


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    def folder(name: str) -> Path:
        return tmp_path_factory.mktemp(name)

    with (
        ForeignRtspServer(folder("a")) as steady,
        ForeignRtspServer(folder("b")) as frail,
        ForeignRtspServer(folder("c")) as late,
        ForeignRtspServer(folder("d"), user="operator", password=SECRET) as guarded,
        HoldingProxy(steady.port) as network,
    ):
        for server, mount in ((steady, "yard"), (frail, "gate"), (late, "attic"), (guarded, "vault")):
            server.add_timecode(mount, fps=10, gop_frames=10)
        late.kill()
        settings = {
            "cameras": {
                "yard": camera(steady.url("yard")),
                "gate": camera(frail.url("gate")),
                "porch": camera(f"rtsp://127.0.0.1:{network.port}/yard"),
                "attic": camera(late.url("attic")),
                "vault": camera(guarded.url("vault", user="operator", password=f"{SECRET}-wrong")),
            },
            "rules": {"moving": "count(motion) >= 1 for 500ms"},
        }
        with Running(folder("run"), settings) as run:
            yield played(run, frail, late, network)


def played(run: Running, frail: ForeignRtspServer, late: ForeignRtspServer, network: HoldingProxy) -> Story:
    states: dict[str, list[dict[str, Any]]] = {}
    back: dict[str, float] = {}
    sessions: dict[str, float] = {"first": 1}
    run.wait_analysing("yard", "gate", "porch")
    run.wait_for("attic and vault to be given up", lambda: all(run.camera(c)["fault"] for c in ("attic", "vault")))
    away_at_first, refused = run.camera("attic"), run.camera("vault")
    watch = Watch(run, "yard")
    watch.start()

    def sessions_of_gate() -> float:
        seen = run.metrics()
        return seen.total("camera_up", camera="gate") and seen.total("camera_sessions_total", camera="gate")

    def ended(trouble: Trouble, name: str) -> None:
        back[name] = trouble.wait_back()
        states[name] = trouble.states
        sessions[name] = run.wait_for("its session in the metrics", sessions_of_gate)

    trouble = Trouble(run, "gate")
    trouble.look()
    frail.kill()
    trouble.wait_state("down")
    run.wait_for("an attempt to come back", lambda: "refuses the connection" in trouble.look()["fault"])
    frail.restart()
    ended(trouble, "died")

    trouble = Trouble(run, "gate")
    trouble.look()
    frail.stall("gate", on=True)
    began_s = time.monotonic()
    trouble.wait_state("down")
    run.wait_for("the stall to last", lambda: trouble.look() and time.monotonic() - began_s > STALL_S)
    frail.stall("gate", on=False)
    ended(trouble, "stalled")

    trouble = Trouble(run, "porch")
    trouble.look()
    network.hold()
    began_s = time.monotonic()
    run.wait_for("the network to hold", lambda: trouble.look() and time.monotonic() - began_s > HELD_S)
    network.release()
    ended(trouble, "held")

    late.restart()
    run.wait_event("moving", "attic")
    watch.stop()
    public = run.metrics().text + str(run.health())
    stop = run.stop()
    run.assert_nothing_left()
    for name, took_s in back.items():
        print(f"{name}: results again {took_s:.1f} s after the camera was able to send")
    print(f"{watch}, as metrics show it")
    print(f"stopped within {stop.took_s:.2f} s")
    return Story(states, away_at_first, refused, sessions, back, watch, public, stop, run, run.report())


def test_a_camera_that_dies_goes_down_and_comes_up_in_a_new_session(story: Story) -> None:
    states = [state["state"] for state in story.states["died"]]
    assert (states[0], states[-1]) == ("up", "up")
    assert "down" in states
    assert story.sessions["died"] == story.sessions["first"] + 1
    assert story.back_after_s["died"] < 7


def test_a_camera_that_stalls_is_found_out_and_connected_anew(story: Story) -> None:
    faults = [state["fault"] for state in story.states["stalled"] if state["state"] == "down"]
    assert any("nothing came for 2 s" in fault for fault in faults), faults
    assert story.report["cameras"]["gate"]["stalls"] >= 1
    assert story.sessions["stalled"] > story.sessions["died"]


def test_a_backlog_from_the_network_is_not_worked_off(story: Story) -> None:
    """What was held is decoded at once, and only its newest pictures are looked at."""
    assert {state["state"] for state in story.states["held"]} == {"up"}
    porch = story.report["cameras"]["porch"]
    assert (porch["sessions"], porch["stalls"], porch["time_jumps"]) == (1, 0, 0)
    # Ten pictures a second were held, and came; the lane was due for five a second, and had none of them.
    fates = story.report["lanes"]["porch/motion"]["fates"]
    yard = story.report["lanes"]["yard/motion"]["fates"]
    assert fates["superseded"] + fates["expired"] > yard["superseded"] + yard["expired"] + HELD_S * FPS / 2


def test_no_result_is_older_than_its_budget(story: Story) -> None:
    for lane in story.report["lanes"].values():
        assert lane["late"] == 0, lane
        # Ended in time, and heard of a moment later: that is when ages are taken.
        assert lane["age_ms"]["max"] <= BUDGET_MS + HEARD_MS, lane


def test_the_other_camera_never_notices(story: Story) -> None:
    # Statistics come twice a second and answers are reused for 0.2 s: that much of a gap is only how it is seen.
    assert story.watch.longest_gap_s() < 1.3
    assert story.watch.per_s() > 0.95 * FPS
    yard = story.report["cameras"]["yard"]
    assert (yard["sessions"], yard["stalls"], yard["open_failures"]) == (1, 0, 0)
    assert story.report["lanes"]["yard/motion"]["age_ms"]["p99"] < 300


def test_a_camera_that_was_away_at_first_is_used_when_it_comes(story: Story) -> None:
    assert story.away_at_first["state"] == "down"
    assert "refuses the connection" in story.away_at_first["fault"]
    assert story.report["cameras"]["attic"]["state"] == "up"
    assert story.report["cameras"]["attic"]["open_failures"] >= 1
    assert story.report["lanes"]["attic/motion"]["fates"]["analysed"] >= 1


def test_a_wrong_password_is_told_and_shown_nowhere(story: Story) -> None:
    assert story.refused["state"] == "down"
    assert "the camera refused the user name or password" in story.refused["fault"]
    assert "Check them (special characters are written as %XX)" in story.run.log()
    assert SECRET not in story.public
    assert "***@127.0.0.1" in story.public
    told = [path for path in story.run.folder.rglob("*") if path.is_file() and path.name != "penstock.yaml"]
    assert {"log.txt", "report.json", "penstock.db", "events.jsonl"} <= {path.name for path in told}
    assert [path for path in told if SECRET.encode() in path.read_bytes()] == []


def test_books_balance_and_events_are_everywhere_the_same(story: Story) -> None:
    assert story.ended.code == 0
    assert story.ended.took_s < 5
    assert_books(story.report)
    assert {event.camera for event in assert_records_agree(story.run).values()} == {"yard", "gate", "porch", "attic"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_stops_within_5_s_whatever_its_cameras_do(tmp_path: Path, number: signal.Signals) -> None:
    with ForeignRtspServer(tmp_path) as server, SilentHost() as silent:
        server.add_timecode("yard", fps=10, gop_frames=10)
        server.add_timecode("gate", fps=10, gop_frames=10)
        cameras = {
            "yard": server.url("yard"),
            "stalled": server.url("gate"),
            "unreachable": f"rtsp://127.0.0.1:{silent.port}/",
        }
        settings = {
            "cameras": {name: {"url": url} for name, url in cameras.items()},
            "rules": {"moving": "count(motion) >= 1 for 500ms"},
        }
        with Running(tmp_path / "run", settings) as run:
            run.wait_event("moving", "yard")
            run.wait_analysing("stalled")
            server.stall("gate", on=True)
            assert run.camera("unreachable")["state"] == "connecting"
            run.wait_for("the stall to begin", lambda: run.camera("stalled")["last_frame_age_s"] > 1)
            ended = run.stop(number)
            run.assert_nothing_left()
        print(f"{number.name}: stopped within {ended.took_s:.2f} s")
        assert ended.code == 0
        assert ended.took_s < 5
        report = run.report()
        assert_books(report)
        assert report["cameras"].keys() == cameras.keys()
        assert report["cameras"]["unreachable"]["frames"] == 0
        assert {event["state"] for event in report["events"]} == {"interrupted"}
        assert {piece["state"] for piece in report["clips"]} == {"ready"}
        assert_records_agree(run)

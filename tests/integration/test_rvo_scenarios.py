"""RVO's twelve end-to-end scenarios by their names, through cameras, dispatch, models, signals, rules and evidence.

All of it is the real thing but for the cameras, the executor's process and time, which are simulated: so every count
and instant is stated exactly. Cameras send frame `seq` at 1 s + seq / fps. Each scenario's comment says why its numbers
are what they are.
"""

from collections.abc import Iterable
from pathlib import Path

import pytest

from penstock.base.clock import NS_PER_S, SimulatedClock
from penstock.contracts.clips import ClipEnd, ClipJob, ClipResult
from penstock.contracts.events import EvidenceState
from penstock.contracts.results import Detection
from penstock.contracts.specs import RecordSpec, Requirement
from penstock.contracts.times import ClockReading
from penstock.evidence.manifest import read_manifest
from penstock.evidence.recorder import CameraFeed, Recorder
from penstock.rules.decisions import Ended, Opened
from penstock.testkit.chained import ChainedModel
from penstock.testkit.film import make_film
from penstock.testkit.models import FailingModel, LatencyModel, ScriptedModel
from penstock.testkit.pipeline import EventSeen, Pipeline
from penstock.testkit.rings import ListRing

PERSON = Detection((10.0, 10.0, 50.0, 90.0), 0.9, 0, "person")
CAR = Detection((60.0, 10.0, 90.0, 40.0), 0.8, 1, "car")
UNSEEN = 10**9
"""a frame that never comes: it makes the model know both classes"""


def sees(name: str, people: Iterable[int] = (), cars: Iterable[int] = ()) -> ScriptedModel:
    """A model that finds a person, or a car, on those frames."""
    script: dict[int, tuple[Detection, ...]] = {UNSEEN: (PERSON, CAR)}
    for seq in people:
        script[seq] = (PERSON,)
    for seq in cars:
        script[seq] = (*script.get(seq, ()), CAR)
    return ScriptedModel(name, script)


def event(rule: str, start_s: float, confirmed_s: float, end_s: float | None) -> EventSeen:
    return EventSeen(rule, "door", start_s, confirmed_s, end_s)


def test_happy_path_event_fires_after_duration() -> None:
    # A person from frame 10 (2.0 s) to frame 40 (5.0 s); frame 41 is the first without.
    pipeline = Pipeline().camera("door").model(sees("m", range(10, 41)))
    run = pipeline.rule("seen", "count(person) >= 1 for 1s").run(8.05)
    assert run.events == [event("seen", 2.0, 3.0, 5.1)]
    # 1.0 to 8.0 s are 71 frames at 10 fps.
    assert (run.fates("door/m"), run.in_flight("door/m")) == ({"analysed": 71}, 0)


@pytest.mark.parametrize(
    ("last", "events"),
    [
        pytest.param(19, [], id="0.9 s"),
        pytest.param(20, [event("seen", 2.0, 3.0, 3.1)], id="1.0 s"),
    ],
)
def test_duration_not_met_emits_no_event(last: int, events: list[EventSeen]) -> None:
    pipeline = Pipeline().camera("door").model(sees("m", range(10, last + 1)))
    assert pipeline.rule("seen", "count(person) >= 1 for 1s").run(8.05).events == events


def test_signal_break_resets_state_machine() -> None:
    # 0.8 s, one frame without, then 1.7 s: the time before the break does not count.
    pipeline = Pipeline().camera("door").model(sees("m", [*range(10, 18), *range(19, 36)]))
    run = pipeline.rule("seen", "count(person) >= 1 for 1s").run(8.05)
    assert run.events == [event("seen", 2.9, 3.9, 4.6)]


def test_cooldown_is_enforced() -> None:
    # Three visits of 2 s: the second lies within the 5 s after the first one's end at 4.0 s, the third begins at 9.0 s.
    visits = [*range(10, 30), *range(40, 60), *range(80, 100)]
    pipeline = Pipeline().camera("door").model(sees("m", visits))
    run = pipeline.rule("seen", "count(person) >= 1 for 1s", cooldown_s=5.0).run(14.05)
    assert run.events == [event("seen", 2.0, 3.0, 4.0), event("seen", 9.0, 10.0, 11.0)]


def test_multi_event_definitions_fire_independently() -> None:
    pipeline = Pipeline().camera("door").model(sees("m", range(10, 41), range(20, 31)))
    pipeline.rule("visitor", "count(person) >= 1 for 1s").rule("visitor stays", "count(person) >= 1 for 3s")
    run = pipeline.rule("parked", "count(car) >= 1 for 500ms").run(8.05)
    assert run.events == [
        event("visitor", 2.0, 3.0, 5.1),
        event("parked", 3.0, 3.5, 4.1),
        event("visitor stays", 2.0, 5.0, 5.1),
    ]


def test_all_condition_requires_both_signals() -> None:
    # Person 2.0 to 5.0 s, car 3.0 to 6.0 s: both from 3.0 to 5.0 s.
    pipeline = Pipeline().camera("door").model(sees("m", range(10, 41), range(20, 51)))
    run = pipeline.rule("both", "(count(person) >= 1 and count(car) >= 1) for 1s").run(8.05)
    assert run.events == [event("both", 3.0, 4.0, 5.1)]


def test_any_condition_fires_on_first_match() -> None:
    # A car alone confirms it; the person that comes before the car has gone carries the same event on.
    pipeline = Pipeline().camera("door").model(sees("m", range(25, 41), range(10, 31)))
    run = pipeline.rule("any", "(count(person) >= 1 or count(car) >= 1) for 1s").run(8.05)
    assert run.events == [event("any", 2.0, 3.0, 5.1)]


def test_dependency_gating_allows_chained_detector() -> None:
    # Something moves on frames 20 to 39 (3.0 to 4.9 s). The chained lane hears of a frame before `motion` has analysed
    # it, so it begins one frame later; and it takes one more, 5.0 s, until `motion` has said that it is over.
    motion = ScriptedModel("motion", {}, {seq: {"motion": 0.2 if 20 <= seq < 40 else 0.0} for seq in range(100)})
    chained = ChainedModel(sees("m", range(100)), lambda ns: 3 * NS_PER_S <= ns <= 5 * NS_PER_S)
    pipeline = Pipeline().camera("door").model(motion, executor="watch")
    run = pipeline.model(chained, requires=[Requirement("motion")]).rule("seen", "count(person) >= 1 for 1s").run(8.05)
    assert [ns // 100_000_000 for ns in chained.captures_ns] == list(range(31, 51))
    assert run.fates("door/m") == {"analysed": 20, "dependency_stale": 51}
    assert run.fates("door/motion") == {"analysed": 71}
    # The lane states nothing more after 5.0 s; its last word is valid for two of its intervals and its budget.
    assert run.events == [event("seen", 3.1, 4.1, None)]


def test_load_shedding_produces_skips() -> None:
    # One stream, 40 frames a second, a 1 ms model before a 50 ms model that is worth nothing below 20 a second. Nothing
    # is measured at first: both are taken for 30 ms, so the first is held to 30 a second for the 4 s until its grant
    # may rise, and the second is shed. Then the second is tried for a second, turns out to need 50 ms, of which the
    # stream has room for 17 a second, and is shed for good. In that second each of its calls costs the other one frame.
    clock = SimulatedClock()
    dear = LatencyModel(sees("dear"), clock, 0.05)
    pipeline = Pipeline(planned=True).camera("door", fps=40).model(sees("cheap"), max_fps=40, priority=10)
    run = pipeline.model(dear, clock=clock, max_fps=40, min_fps=20).run(21.0)
    assert run.fates("door/cheap") == {"analysed": 750, "not_due": 30, "superseded": 20}
    assert run.fates("door/dear") == {"analysed": 20, "not_due": 1, "superseded": 18, "shed": 761}
    assert run.balanced()


def test_failed_health_disables_detector() -> None:
    # Calls 1 to 6 raise. Two in a row are tolerated; from the third on the model is left alone for 1, 2, 4, 8 s, each
    # wait ended by one probe: calls at 1.0, 1.1, 1.2, 2.3, 4.4 and 8.5 s fail, and the one at 16.6 s, the first frame
    # after the last wait, succeeds. 16.6 to 21.0 s are 45 frames.
    failing = FailingModel(sees("bad"), range(1, 7), RuntimeError("no such layer"))
    pipeline = Pipeline().camera("door").model(sees("good"), executor="a").model(failing, executor="b")
    run = pipeline.run(21.05)
    assert run.fates("door/bad") == {"analysed": 45, "model_failed": 156}
    assert run.fates("door/good") == {"analysed": 201}


def test_frame_drops_under_camera_pressure() -> None:
    # 100 frames a second against a 50 ms model on one stream: the view of the next frame is asked for shortly before
    # the call ends, so a call follows the other every 50 ms, and of each five frames one is analysed and four are
    # replaced. 1.0 to 2.99 s are 200 frames; one is in the model at the end, and one waits.
    clock = SimulatedClock()
    slow = LatencyModel(sees("slow"), clock, 0.05)
    run = Pipeline().camera("door", fps=100).model(slow, clock=clock).run(3.0)
    assert run.fates("door/slow") == {"analysed": 38, "superseded": 160}
    assert (run.offered("door/slow"), run.in_flight("door/slow")) == (200, 2)


def test_post_roll_frames_are_captured(tmp_path: Path) -> None:
    # The event of the happy path, and the same camera's packets, 10 a second with a keyframe each second: the clip is
    # asked for from 2.0 − 1.0 to 5.1 + 2.0 s, and so holds the frames from 1.0 to 7.1 s.
    pipeline = Pipeline().camera("door").model(sees("m", range(10, 41)))
    decided = pipeline.rule("seen", "count(person) >= 1 for 1s").run(8.05).host.rules.decided
    film = make_film(frames=100, width_px=64, height_px=48, fps=10, gop=10, camera="door", first_capture_ns=NS_PER_S)
    ring = ListRing()
    ring.declare(film.packets[0].id.stream.session, 0, film.info)
    clock = SimulatedClock()
    results: list[ClipResult] = []
    spec = RecordSpec(pre_capture_ns=NS_PER_S, post_capture_ns=2 * NS_PER_S, snapshot=False)
    recorder = Recorder(tmp_path, {"door": CameraFeed(spec, ring, ring)}, clock, results.append, "penstock 0")
    recorder.prepare()
    reading = ClockReading("simulated", 0, clock.utc_ns())
    waiting = list(decided)
    fed = 0
    for step_ns in range(0, 11 * NS_PER_S, NS_PER_S // 20):
        clock.advance_to(step_ns)
        while fed < len(film.packets) and film.packets[fed].capture.mono_ns <= step_ns:
            ring.append(film.packets[fed])
            fed += 1
        while waiting and waiting[0].at_ns <= step_ns:
            match waiting.pop(0).decision:
                case Opened() as opened:
                    job = ClipJob("event", "seen", "door", opened.start_ns, opened.confirmed_ns, None, reading, "run")
                    assert recorder.submit_nowait(job)
                case Ended() as ended:
                    recorder.end_nowait(ClipEnd("event", ended.end_ns))
        recorder.step(step_ns)
    recorder.close()
    clip = results[-1].evidence[0]
    assert clip.state is EvidenceState.READY
    manifest = read_manifest(tmp_path / clip.manifest)
    assert (manifest.gaps, manifest.truncated, len(manifest.parts)) == ((), "", 1)
    assert manifest.parts[0].packets == 62
    assert manifest.delivered is not None
    assert manifest.delivered.start.utc_ns == reading.utc_ns + NS_PER_S
    assert manifest.delivered.end is not None
    assert manifest.delivered.end.utc_ns >= reading.utc_ns + 7_100_000_000

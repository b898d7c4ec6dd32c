"""The path behind a result, on a simulated clock and a real journal: shadow events, plan changes, what was last so."""

import array
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from penstock.base.clock import NS_PER_S, SimulatedClock
from penstock.contracts.capacity import PlanChange
from penstock.contracts.events import Event, Evidence, EvidenceKind, EvidenceState
from penstock.contracts.frames import PixelFormat, ViewSpec
from penstock.contracts.messages import CameraState, Message, OpenClip
from penstock.contracts.results import Detections, Result
from penstock.contracts.specs import CameraSpec, LaneSpec, Requirement, RuleSpec, RunSpec
from penstock.contracts.times import ClockReading
from penstock.contracts.work import ModelDescription
from penstock.runtime.decisions import DecisionPath, journal_folder
from penstock.signals.holding import Holding
from penstock.store.records import EventRecord, JournalRecord, PlanRecord
from penstock.store.segments import records_in, segment_numbers, segment_path
from penstock.telemetry.statistics import ProcessStatistics
from penstock.testkit.views import frame_ref

MS = 1_000_000
VIEW = ViewSpec(64, 64, PixelFormat.BGR24)
T0_NS = 1_000 * NS_PER_S


class Harness:
    """A decision path without processes: what it sent, and what its journal holds after `stop`."""

    def __init__(
        self, data_dir: Path, clock: SimulatedClock, lease_epoch: int = 1, when: str = "count(person) >= 1 for 1s"
    ) -> None:
        self.data_dir = data_dir
        self.clock = clock
        self.sent: list[Message] = []
        spec = RunSpec(
            host_id="host",
            boot_id="boot",
            run_id="run",
            clock=ClockReading("monotonic", T0_NS, clock.utc_ns()),
            data_dir=str(data_dir),
            cameras=(CameraSpec("door", ()),),
            executors=(),
            lanes=(
                LaneSpec("door", "yolox", max_fps=5.0),
                LaneSpec("door", "trial", max_fps=5.0, shadow=True),
                LaneSpec("door", "face", requires=(Requirement("person"),)),
            ),
            rules=(RuleSpec("people", when, cooldown_ns=0),),
            ingest_groups=(),
        )
        self.decisions = DecisionPath(
            spec,
            lease_epoch=lease_epoch,
            data_dir=data_dir,
            clock=clock,
            send_to_recorder=self._send,
            wake=lambda: None,
        )

    def begin(self) -> None:
        self.decisions.start()
        classes = {"yolox": ("person",), "trial": ("person",), "face": ("face",)}
        models = {name: ModelDescription(name, VIEW, "", "", known, "cpu") for name, known in classes.items()}
        assert self.decisions.configure(models) is None
        self.decisions.camera_state("door", CameraState.UP, 1, T0_NS)

    def seen(self, model: str, at_ms: int, *names: str) -> None:
        frame = frame_ref("door", seq=at_ms, capture_ns=T0_NS + at_ms * MS)
        boxes = Detections(
            xyxy=array.array("f", [0, 0, 9, 9] * len(names)).tobytes(),
            confidence=array.array("f", [0.5] * len(names)).tobytes(),
            class_id=array.array("i", [0] * len(names)).tobytes(),
            class_names=("person",),
        )
        now_ns = max(self.clock.now_ns(), T0_NS + at_ms * MS)
        self.clock.advance_to(now_ns)
        self.decisions.result("door", f"door/{model}", Result(model, "", frame, boxes), now_ns)

    def tick(self, at_ms: int) -> None:
        self.clock.advance_to(T0_NS + at_ms * MS)
        self.decisions.tick("door", self.clock.now_ns())

    def records(self) -> list[JournalRecord]:
        folder = journal_folder(self.data_dir)
        return [
            record
            for number in segment_numbers(folder)
            for record, _ in records_in(segment_path(folder, number))
        ]  # fmt: skip

    def events(self) -> list[Event]:
        return [record.event for record in self.records() if isinstance(record, EventRecord)]

    def _send(self, message: Message) -> bool:
        self.sent.append(message)
        return True


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Harness]:
    made = Harness(tmp_path, SimulatedClock(T0_NS))
    made.begin()
    yield made
    made.decisions.stop()


def test_a_shadow_event_is_journalled_and_told_to_nobody_but_the_recorder(path: Harness) -> None:
    for at_ms in (0, 500, 1000):
        path.seen("trial", at_ms, "person")
        path.seen("yolox", at_ms)
    path.decisions.stop()
    (event,) = path.events()
    assert (event.rule, event.shadow, event.shadow_model) == ("people", True, "trial")
    assert event.evidence == (Evidence(EvidenceKind.SNAPSHOT, EvidenceState.PENDING),)
    path.decisions.take_committed()
    assert path.decisions.recent_events() == ()
    (told,) = path.sent
    assert isinstance(told, OpenClip)
    assert (told.job.event_id, told.job.clip) == (event.event_id, False)
    real, twin = path.decisions.rule_statistics()
    assert [(one.shadow, one.shadow_lane, one.confirmed) for one in (real, twin)] == [
        (False, "", 0),
        (True, "door/trial", 1),
    ]


def test_results_are_valid_as_long_as_what_is_granted_asks_for(tmp_path: Path) -> None:
    """At 5/s a result holds for 0.9 s; at 1/s, from the next one on, for 2.5 s."""
    path = Harness(tmp_path, SimulatedClock(T0_NS), when="count(person) >= 1")
    path.begin()
    path.seen("yolox", 0)
    path.decisions.set_granted("door/yolox", 1.0)
    path.tick(2_500)
    real = path.decisions.rule_statistics()[0]
    assert (real.known_ns, real.blind_ns) == (900 * MS + 1, 1100 * MS - 1), "the older one is not given more"
    path.seen("yolox", 3_000)
    path.decisions.still("door", "door/yolox", T0_NS + 4_000 * MS)
    path.decisions.set_granted("door/yolox", 0.0)
    path.decisions.still("door", "door/yolox", T0_NS + 5_000 * MS)
    path.tick(9_500)
    real = path.decisions.rule_statistics()[0]
    assert real.known_ns == 900 * MS + 1 + 4_500 * MS + 1, "from 3 s to 2.5 s after 5 s"
    assert real.blind_ns + real.known_ns == 9_000 * MS
    path.decisions.stop()


def test_what_lanes_require_was_last_so_by_real_lanes_alone(path: Harness) -> None:
    assert path.decisions.holding("door", "person") is None
    path.seen("trial", 0, "person")
    assert path.decisions.holding("door", "person") is None
    path.seen("yolox", 100, "person")
    assert path.decisions.holding("door", "person") == Holding(T0_NS + 100 * MS, T0_NS + 1_000 * MS)
    path.decisions.still("door", "door/yolox", T0_NS + 500 * MS)
    path.seen("yolox", 700)
    assert path.decisions.holding("door", "person") == Holding(T0_NS + 100 * MS, T0_NS + 700 * MS - 1)
    assert path.decisions.holding("door", "cat") is None, "nobody requires it"


def test_floors_are_of_real_and_shadow_lanes(path: Harness) -> None:
    assert path.decisions.floors() == {"door/yolox": 2.0, "door/trial": 2.0}


def change(lane: str, before: str, after: str) -> PlanChange:
    return PlanChange(T0_NS, lane, "rate", before, after, "the device is spent", "2 s/s of 1 s/s")


def test_changes_of_the_plan_are_journalled_together_and_not_too_often(path: Harness) -> None:
    path.decisions.plan_changed([change("door/yolox", "full", "paused"), change("door/face", "full", "paused")])
    path.tick(1_000)
    path.decisions.plan_changed([change("door/yolox", "paused", "full")])
    path.tick(4_999)
    path.decisions.plan_changed([change("door/yolox", "full", "reduced 2/s")])
    path.tick(5_000)
    path.decisions.plan_changed([change("door/yolox", "reduced 2/s", "full")])
    path.decisions.stop()
    records = [record for record in path.records() if isinstance(record, PlanRecord)]
    assert [(one.subjects, one.change.before, one.change.after, one.left_out) for one in records] == [
        (("door/yolox", "door/face"), "full", "paused", 0),
        (("door/yolox",), "paused", "reduced 2/s", 1),
        (("door/yolox",), "reduced 2/s", "full", 0),
    ]
    assert {one.run_id for one in records} == {"run"}


def test_an_engine_after_a_crash_counts_on(path: Harness) -> None:
    path.seen("yolox", 0)
    path.tick(1_000)
    published = ProcessStatistics("engine", rules=path.decisions.rule_statistics())
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(published), type=ProcessStatistics)
    path.decisions.stop()
    second = Harness(path.data_dir, path.clock, lease_epoch=2)
    second.decisions.go_on_from(read)
    second.clock.advance_to(T0_NS + 3_000 * MS)
    second.begin()
    second.seen("yolox", 4_000)
    second.tick(5_000)
    real, twin = second.decisions.rule_statistics()
    second.decisions.stop()
    # Counted to 0.5 s by the first; a result at 4 s; the tick at 5 s settles what was before 4.5 s.
    assert (real.known_ns, real.blind_ns) == (1_000 * MS, 3_500 * MS)
    assert (twin.known_ns, twin.blind_ns) == (0, 4_500 * MS)

"""Measurements become a plan, and the plan becomes what the scheduler, the rules and ingest go by."""

import logging
from collections.abc import Iterable

import pytest

from penstock.contracts.capacity import LadderStep, LaneGrant, PlanChange
from penstock.contracts.messages import CameraLoad, Load, Message, ModelLoad, SetDecode
from penstock.contracts.specs import CameraSpec, DecodePolicy, ExecutorSpec, LaneSpec, ModelSpec, RunSpec, StreamSpec
from penstock.contracts.times import ClockReading
from penstock.contracts.work import OutcomeStatus
from penstock.framebus.counters import WORD_BYTES, CounterBlock
from penstock.runtime.admission_picture import picture_of
from penstock.runtime.capacity_loop import CapacityLoop
from penstock.runtime.cost_book import CostBook
from penstock.runtime.host_load import HostLoad
from penstock.runtime.model_identity import HostFacts
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.lane import Lane
from penstock.scheduling.ledger import WORDS_PER_LANE, LaneLedger
from penstock.scheduling.scheduler import Scheduler

S, MS = 1_000_000_000, 1_000_000
CAMERAS = 20
CALL_MS = 30


class Decisions:
    """Who is told."""

    def __init__(self) -> None:
        self.granted: dict[str, float] = {}
        self.changes: list[PlanChange] = []

    def set_granted(self, lane: str, fps: float) -> None:
        self.granted[lane] = fps

    def plan_changed(self, changes: Iterable[PlanChange]) -> None:
        self.changes += changes


class Rig:
    """One host with one device of one stream; the model waits and uses no processor unless `busy` says so."""

    def __init__(self, kind: str = "python", cameras: int = CAMERAS, **lane: float) -> None:
        names = [f"c{number:02}" for number in range(cameras)]
        self.lanes = [LaneSpec(name, "m", **lane) for name in names]  # type: ignore[arg-type]
        self.spec = RunSpec(
            host_id="h",
            boot_id="b",
            run_id="r",
            clock=ClockReading("simulated", 0, 0),
            data_dir="",
            cameras=tuple(CameraSpec(name, (StreamSpec(name, "none"),)) for name in names),
            executors=(ExecutorSpec("x", "cpu", (ModelSpec("m", kind=kind),)),),
            lanes=tuple(self.lanes),
            rules=(),
            ingest_groups=(tuple(names),),
        )
        words = len(names) * WORDS_PER_LANE
        ledger = CounterBlock(memoryview(bytearray(words * WORD_BYTES)), words)
        self.scheduler = Scheduler(
            [Lane(n, lane, "x", 0, LaneLedger(ledger, n)) for n, lane in enumerate(self.lanes)],
            [ExecutorState("x", 1, ["m"], 10 * S)],
        )
        self.scheduler.model_ready("m", {})
        self.decisions = Decisions()
        self.sent: list[tuple[str, Message]] = []
        self.link_full = False
        self.up = set(names)
        self.lossless: set[str] = set()
        self.loop = CapacityLoop(
            self.spec,
            self.scheduler,
            self.decisions,
            is_up=self.up.__contains__,
            is_lossless=self.lossless.__contains__,
            send_to=self.send,
            host_load=HostLoad(lambda _: ""),
        )
        self.loop.begin(picture_of(self.spec, CostBook(HostFacts("cpu", 2)), {}, cores=2.0))
        self.second = 0
        self.index = 0
        self.busy_ns = 0
        self.cpu_ns = 0
        self.views = 0

    def send(self, peer: str, message: Message) -> bool:
        if not self.link_full:
            self.sent.append((peer, message))
        return not self.link_full

    def run(self, seconds: int, call_ms: int = CALL_MS, on_processor: float = 0.0) -> None:
        """Frames at 25 a second, calls as the scheduler asks for them, a plan every second."""
        for _ in range(seconds):
            end_ns = (self.second + 1) * S
            now_ns = self.second * S
            while now_ns < end_ns:
                self.index += 1
                for lane in self.lanes:
                    if lane.camera in self.up:
                        self.scheduler.offered(lane.camera, self.index, now_ns, True, now_ns)
                step_end_ns = now_ns + 40 * MS
                while now_ns < step_end_ns:
                    plan = self.scheduler.plan(now_ns)
                    start = None
                    for ask in plan.ask:
                        start = self.scheduler.arrived(ask.ticket, self.index, self.index * 40 * MS - 40 * MS, now_ns)
                    if start is None:
                        now_ns = step_end_ns
                        break
                    now_ns += call_ms * MS
                    self.scheduler.finished(start.work, OutcomeStatus.DONE, now_ns)
                    self.busy_ns += call_ms * MS
                    self.cpu_ns += round(call_ms * MS * on_processor)
                    self.views += 1
                now_ns = max(now_ns, step_end_ns)
            self.second += 1
            self.loop.loads.heard(
                "executor-x",
                Load(self.second * S, self.cpu_ns, (ModelLoad("m", self.views, self.busy_ns),)),
            )
            self.loop.tick(0, self.second * S)


def test_more_than_there_is_time_for_is_shared_and_everybody_is_told() -> None:
    rig = Rig()
    rig.run(8)
    # 20 lanes × 5/s × 30 ms = 3 s/s of 0.9.
    grants = {lane.name: rig.loop.grant(lane.name) for lane in rig.lanes}
    assert {grant.step for grant in grants.values()} == {LadderStep.REDUCED}
    assert {grant.limited_by for grant in grants.values()} == {"device:x"}
    (fps,) = {grant.fps for grant in grants.values()}
    assert fps == pytest.approx(0.9 / 0.03 / CAMERAS, rel=0.15)
    assert rig.decisions.granted == dict.fromkeys(grants, fps)
    assert {change.subject for change in rig.decisions.changes} == set(grants)
    statistics = rig.loop.statistics()
    assert statistics.changes["reduced"] >= CAMERAS
    assert len(statistics.recent) <= 32
    before = len(rig.decisions.changes)
    rig.run(20)
    assert len(rig.decisions.changes) == before, "constant load: settled"


def test_nothing_is_refused_for_a_cost_that_was_only_assumed() -> None:
    rig = Rig(min_fps=5.0)
    assert not rig.loop.picture.models[0].measured
    plan = rig.loop.tick(0, S)
    assert {grant.step for grant in plan.lanes} == {LadderStep.FULL}


def test_what_limits_a_model_on_the_processor_is_its_processor_time() -> None:
    rig = Rig(cameras=4)
    # A third of the time in a call is spent with a core: the rest it waited for one.
    rig.run(6, call_ms=60, on_processor=1 / 3)
    (model,) = rig.loop.picture.models
    assert model.measured
    assert model.stream_ns == pytest.approx(20 * MS)
    waits = Rig(cameras=4)
    waits.run(6, call_ms=60, on_processor=0.01)
    assert waits.loop.picture.models[0].stream_ns == pytest.approx(60 * MS, rel=0.05)


def test_a_camera_that_is_away_takes_nothing() -> None:
    rig = Rig()
    rig.run(6)
    rig.up.clear()
    rig.up.update({"c00", "c01"})
    rig.run(8)
    assert rig.loop.grant("c00/m").step is LadderStep.FULL


def test_rules_set_floors_that_a_rate_can_meet_and_warn_of_others(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig(min_fps=0.5)
    with caplog.at_level(logging.WARNING):
        rig.loop.set_floors({"c00/m": 2.0, "c01/m": 20.0})
    assert [rig.loop.floor_fps(name) for name in ("c00/m", "c01/m", "c02/m")] == [2.0, 0.5, 0.5]
    (record,) = caplog.records
    assert "they need 20 analyses a second, and 5 are asked for" in record.getMessage()
    rig.run(6)
    assert rig.loop.grant("c00/m").fps == pytest.approx(2.0)
    assert rig.loop.grant("c01/m").fps < 2.0


def test_ingest_is_told_how_to_decode_until_it_has_heard() -> None:
    rig = Rig(cameras=8)
    frames = {f"c{number:02}": 0 for number in range(8)}

    def loads(second: int) -> None:
        cameras = tuple(CameraLoad(name, 25 * second, second, 0, 25 * second, 25 * second * 20 * MS) for name in frames)
        rig.loop.loads.heard("ingest-0", Load(second * S, 4 * second * S, cameras=cameras))

    rig.link_full = True
    for second in range(1, 6):
        loads(second)
        rig.loop.tick(0, second * S)
    assert rig.sent == []
    rig.link_full = False
    rig.loop.tick(0, 6 * S)
    told = {message.camera: message.policy for _, message in rig.sent if isinstance(message, SetDecode)}
    # 8 cameras × 25/s × 20 ms = 4 s/s of two cores: most are not decoded whole.
    assert told
    assert all(policy is not DecodePolicy.ALL for policy in told.values())
    count = len(rig.sent)
    rig.loop.tick(0, 7 * S)
    assert len(rig.sent) == count, "told once"
    rig.loop.ingest_attached("ingest-0")
    assert len(rig.sent) == 2 * count, "a new life of ingest has heard nothing"


def test_a_thousand_lanes_are_told_of_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    with caplog.at_level(logging.INFO):
        rig.run(4)
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("rate of")]
    assert len(lines) == 1
    assert "c00/m, c01/m, c02/m, c03/m, c04/m and 15 more: reduced" in lines[0]
    assert "device x is short" in lines[0]


def test_nothing_of_what_is_read_without_loss_is_left_out() -> None:
    rig = Rig(min_fps=1.0)
    rig.lossless.update({"c03", "c07"})
    rig.run(8)
    for name in ("c03/m", "c07/m"):
        assert rig.loop.grant(name) == LaneGrant(name, LadderStep.FULL, 5.0)
    assert rig.loop.grant("c00/m").step is LadderStep.REDUCED
    assert not {"c03/m", "c07/m", "c03", "c07"} & {change.subject for change in rig.decisions.changes}


def test_ingest_tells_of_frames_again_when_a_lane_is_to_run_more_often() -> None:
    rig = Rig()
    rig.run(8)
    rig.sent.clear()
    rig.link_full = True
    rig.up.clear()
    rig.up.add("c00")
    rig.run(6)
    assert rig.loop.grant("c00/m").step is LadderStep.FULL
    rig.link_full = False
    rig.run(1)
    assert SetDecode("c00", DecodePolicy.ALL) in [message for _, message in rig.sent]
    rig.sent.clear()
    rig.run(1)
    assert rig.sent == [], "told once"

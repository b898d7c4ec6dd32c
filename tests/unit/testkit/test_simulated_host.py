"""One simulated host, on exact numbers: what takes how long, what is counted, and who pays for faults."""

import msgspec
import pytest

from penstock.contracts.specs import CropSpec, LaneSpec, RuleSpec
from penstock.testkit.call_costs import CallCost, ConstantCost, LogNormalCost, SlowerCost, StuckCost
from penstock.testkit.host_model import CameraModel, ExecutorModel, HostModel
from penstock.testkit.simulated_executor import AskedView, SimulatedCall
from penstock.testkit.simulated_host import SimulatedHost
from penstock.testkit.simulated_models import CostedModel, SeesMovement

MS = 1_000_000
S = 1_000_000_000


class Ages(list[int]):
    def record(self, value_ns: int) -> None:
        self.append(value_ns)


class Notes:
    """A watcher that writes down each analysis."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, int, int, int, int]] = []
        """capture, asked, made, started, taken; all in microseconds"""

    def stepped(self, now_ns: int) -> None: ...

    def started(self, start: object, call: SimulatedCall, now_ns: int) -> None: ...

    def analysed(self, view: AskedView, call: SimulatedCall, taken_ns: int) -> None:
        instants = (view.capture_ns, view.asked_ns, view.made_ns, call.started_ns, taken_ns)
        self.taken.append(tuple(at_ns // 1000 for at_ns in instants))  # type: ignore[arg-type]


def host_model(
    cost: CallCost,
    cameras: int = 1,
    *,
    fps: float = 10.0,
    lane_fps: float = 10.0,
    streams: int = 1,
    cores: float = 64.0,
    planned: bool = False,
    camera: CameraModel | None = None,
    max_batch: int = 1,
    hang_timeout_ns: int = 10 * S,
) -> HostModel:
    """Cameras without jitter, 20 ms from capture to decoded, views of 2 ms, hops of 1 ms."""
    plain = camera or CameraModel("c", fps=fps, jitter_ns=0, phase_ns=0, latency_sigma=0.0, unit_ns=0)
    return HostModel(
        tuple(msgspec.structs.replace(plain, name=f"c{n}") for n in range(cameras)),
        tuple(LaneSpec(f"c{n}", "m", max_fps=lane_fps) for n in range(cameras)),
        (
            ExecutorModel(
                "cpu", (CostedModel("m", cost, max_batch=max_batch),), streams, hang_timeout_ns=hang_timeout_ns
            ),
        ),
        cores=cores,
        fixed=0.0,
        contention=0.0,
        view_ns=2 * MS,
        view_sigma=0.0,
        hop_ns=MS,
        control_ns=0,
        planned=planned,
    )


def books(host: SimulatedHost) -> dict[str, int]:
    """All lanes' fates, those that occurred; they must add up."""
    total: dict[str, int] = {}
    for lane in host.lanes:
        fates = host.fates(lane.number)
        assert lane.ledger.offered == sum(fates.values()) + lane.in_flight
        for name, count in fates.items():
            total[name] = total.get(name, 0) + count
    return {name: count for name, count in total.items() if count}


def test_one_frame_takes_the_sum_of_its_stages() -> None:
    notes = Notes()
    host = SimulatedHost(host_model(ConstantCost(30 * MS)), watcher=notes)
    host.run(150 * MS)
    # Captured 0, decoded 20, told 21; asked 21, begun 22, made 24, submitted 25, started 26, ended 56, taken 57.
    assert notes.taken == [(0, 21_000, 24_000, 26_000, 57_000)]
    host.run(S)
    assert [taken[4] - taken[0] for taken in notes.taken] == [57_000] * 10


def test_frames_that_nobody_is_due_for_are_counted_and_cost_nothing() -> None:
    host = SimulatedHost(host_model(ConstantCost(MS), fps=100.0, lane_fps=1.0))
    host.run(60 * S + 21 * MS + 500_000)
    # A lane takes frames up to 10 ms before they are due: the first, and those of 0.99, 1.99, … 59.99 s.
    assert books(host) == {"analysed": 61, "not_due": 5939}
    assert host.events < 60 * 10


def test_calls_wait_for_a_stream_and_share_the_cores() -> None:
    ages = [Ages(), Ages()]
    model = host_model(ConstantCost(50 * MS), 2, lane_fps=1.0, streams=2, cores=1.0)
    host = SimulatedHost(model, ages=lambda lane: ages[int(lane.camera[1:])])
    host.run(900 * MS)
    # The first call starts at 26 ms (see above). News of the second camera waits until the first view is made, so its
    # call is submitted at 29: until then the first is alone, then both share one core. The first ends at 29 + 2 × 47,
    # which the engine hears at 124; the second, begun at 30, has had 47 ms by then, and ends 3 ms later.
    assert [age[0] // MS for age in ages] == [29 + 2 * 47 + 1, 124 + 3 + 1]
    assert books(host)["analysed"] == 2


def test_a_call_that_becomes_slow_while_others_join_ends_later() -> None:
    notes = Notes()
    model = host_model(ConstantCost(50 * MS), 2, lane_fps=1.0, streams=1, cores=1.0)
    host = SimulatedHost(model, watcher=notes)
    host.run(900 * MS)
    first, second = notes.taken
    assert (first[4] - first[3], second[4] - second[3]) == (51_000, 51_000)
    # The second was asked for while the first ran, and waited for its stream: it began when the first ended.
    assert second[3] == first[4] - 1000


def test_processor_time_that_is_short_makes_frames_late() -> None:
    camera = CameraModel("c", fps=10.0, jitter_ns=0, phase_ns=0, latency_sigma=0.0, unit_ns=200 * MS)
    host = SimulatedHost(host_model(ConstantCost(MS), camera=camera, cores=1.0))
    host.run(5 * S)
    # Decoding alone wants two cores of one; 10 views of 2 ms come to 0.02 more; 10 calls hold one for 5 ms each.
    assert host.processor.speed == pytest.approx(1 / 2.02)
    assert host.processor.decode_short_ns == 5 * S
    assert host.cameras["c0"].arrivals.lag_ns == pytest.approx(200 * MS * 1.07, rel=0.01)


def test_a_stuck_call_costs_its_executor_and_nobody_else() -> None:
    base = host_model(StuckCost(ConstantCost(10 * MS), 2 * S, 3 * S), hang_timeout_ns=S)
    well = CostedModel("well", ConstantCost(10 * MS))
    model = msgspec.structs.replace(
        base,
        lanes=(*base.lanes, LaneSpec("c0", "well", max_fps=10.0)),
        executors=(*base.executors, ExecutorModel("other", (well,))),
    )
    host = SimulatedHost(model)
    host.run(10 * S + 50 * MS)
    fates = [{name: count for name, count in host.fates(number).items() if count} for number in (0, 1)]
    assert fates[1] == {"analysed": 101}
    # Submitted at 2.025 s, given up at 3.025, back at 5.025; the model's own wait of 1 s is over by then. Of the frames
    # that came meanwhile (2.1 to 3.0) the last one waits when it is given up: it fails with the one that hung, and with
    # those of 3.1 to 5.0 s.
    assert fates[0] == {"analysed": 20 + 50, "superseded": 9, "model_failed": 1 + 1 + 20}


def test_a_camera_that_goes_and_comes_back_keeps_its_books() -> None:
    camera = CameraModel(
        "c",
        fps=10.0,
        jitter_ns=0,
        phase_ns=0,
        latency_sigma=0.0,
        unit_ns=0,
        outages=((2 * S, 3 * S), (5 * S, 10 * S)),
    )
    host = SimulatedHost(host_model(ConstantCost(10 * MS), camera=camera))
    host.run(12 * S + 50 * MS)
    # 0 to 1.9, 3.0 to 4.9 and 10.0 to 12.0 s. The second outage was another session, the first was not.
    assert books(host) == {"analysed": 20 + 20 + 21}
    assert host.cameras["c0"].session == 1


def test_flapping_cameras_lose_nothing_from_the_books() -> None:
    flaps = tuple((n * S, n * S + 700 * MS) for n in range(1, 60))
    camera = CameraModel("c", fps=25.0, outages=flaps, stall_timeout_ns=300 * MS)
    host = SimulatedHost(host_model(LogNormalCost(ConstantCost(80 * MS)), 6, camera=camera, streams=2))
    host.run(60 * S)
    host.finish()
    counted = books(host)
    assert counted["analysed"] > 500
    assert counted["cancelled"] > 6
    assert all(lane.in_flight == 0 for lane in host.lanes)
    assert {host.cameras[f"c{n}"].session for n in range(6)} == {59}


def test_still_cameras_are_analysed_seldom() -> None:
    camera = CameraModel(
        "c", fps=10.0, jitter_ns=0, phase_ns=0, latency_sigma=0.0, unit_ns=0, script=((20 * S, 22 * S),)
    )
    host = SimulatedHost(host_model(ConstantCost(10 * MS), camera=camera))
    host.run(40 * S + 50 * MS)
    # The first picture counts as movement, so the second is analysed too; then 5.1, 10.1, 15.1; all frames from 20.0 to
    # 22.0, since which there is movement in the last one's news; the first still one, 22.1; then 27.1, 32.1, 37.1.
    assert books(host) == {"analysed": 2 + 3 + 21 + 1 + 3, "gated": 401 - 30}


def test_batches_are_one_call() -> None:
    model = host_model(ConstantCost(20 * MS, 2 * MS), 8, lane_fps=10.0, max_batch=8)
    host = SimulatedHost(model)
    host.run(20 * S)
    executor = host.executors["cpu"]
    assert books(host)["analysed"] == host.analyses
    assert host.analyses > 1.9 * executor.calls
    # One by one, one stream could do 50 a second at most; the eight lanes want 80.
    assert host.analyses > 75 * 20


def test_second_models_look_at_what_first_ones_found() -> None:
    model = host_model(ConstantCost(10 * MS))
    first = CostedModel("m", ConstantCost(10 * MS), answers=SeesMovement(label="person", boxes=3))
    second = CostedModel("faces", ConstantCost(5 * MS))
    lane = LaneSpec("c0", "faces", max_fps=10.0, crops=CropSpec("m", limit=2))
    camera = msgspec.structs.replace(model.cameras[0], script=((0, 5 * S),))
    ages = Ages()
    host = SimulatedHost(
        msgspec.structs.replace(
            model,
            cameras=(camera,),
            lanes=(msgspec.structs.replace(model.lanes[0], gated=False), lane),
            executors=(ExecutorModel("cpu", (first, second), 1),),
        ),
        ages=lambda spec: ages if spec.model == "faces" else Ages(),
    )
    host.run(10 * S + 100 * MS)
    assert host.fates(1)["analysed"] == 50
    assert host.fates(1)["dependency_stale"] == 101 - 50
    # The first result is 37 ms old; then ask, two views of 2 ms, back, to the executor, 2 × 5 ms, and the result.
    assert set(ages) == {(37 + 1 + 4 + 1 + 1 + 10 + 1) * MS}


def test_rules_are_fed_what_the_models_say() -> None:
    answers = CostedModel("m", ConstantCost(10 * MS), answers=SeesMovement())
    model = host_model(ConstantCost(10 * MS))
    camera = msgspec.structs.replace(model.cameras[0], script=((2 * S, 6 * S),))
    host = SimulatedHost(
        msgspec.structs.replace(
            model,
            cameras=(camera,),
            executors=(ExecutorModel("cpu", (answers,)),),
            rules=(RuleSpec("moves", "seen > 0 for 3s", cooldown_ns=0),),
        )
    )
    host.run(10 * S)
    assert [(one.decision.start_ns // MS, one.at_ns // MS) for one in host.rules.decided] == [
        (2000, 5037),
        (2000, 6037),
    ]
    assert host.rules.floors() == {"c0/m": pytest.approx(2 / 3)}


def test_the_plan_follows_a_model_that_becomes_slower() -> None:
    cost = SlowerCost(ConstantCost(20 * MS), 20 * S, 40 * S, 5.0)
    host = SimulatedHost(host_model(cost, 4, lane_fps=5.0, fps=25.0, planned=True))
    host.run(60 * S)
    assert host.plan is not None
    steps = [(change.at_ns // S, change.after.split()[0]) for change in host.plan.changes if change.subject == "c0/m"]
    assert steps[0][0] in range(20, 25)
    assert {step for at_s, step in steps if at_s < 40} == {"reduced"}
    assert steps[-1][1] == "full"
    assert steps[-1][0] in range(41, 50)
    fps = host.plan.granted_fps(60 * S)
    assert fps["c0/m"] == pytest.approx(5.0 * (40 / 60) + 2.25 * (20 / 60), rel=0.1)


@pytest.mark.parametrize("planned", [False, True])
def test_the_same_seed_is_the_same_run(planned: bool) -> None:
    model = host_model(LogNormalCost(ConstantCost(60 * MS)), 6, streams=2, planned=planned)
    camera = CameraModel("c", fps=25.0, moving=0.5, moving_ns=2 * S)
    model = msgspec.structs.replace(
        model, cameras=tuple(msgspec.structs.replace(camera, name=f"c{n}") for n in range(6))
    )
    ages = []
    for seed in (1, 1, 2):
        taken = Ages()
        host = SimulatedHost(model, seed, ages=lambda lane, taken=taken: taken)  # type: ignore[misc]
        host.run(20 * S)
        ages.append((taken, books(host), host.events))
    assert ages[0] == ages[1]
    assert ages[0] != ages[2]

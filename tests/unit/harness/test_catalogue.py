"""The catalogue has RVO's thirteen by name, ours, and a plain answer to a wrong name."""

from pathlib import Path

import pytest

from penstock.base.clock import SimulatedClock
from penstock.contracts.specs import RunSpec
from penstock.harness.catalogue import GROUPS, SCENARIOS, UnknownScenario, chosen
from penstock.harness.overload_scenarios import COSTS_MS, DEVICE, FLEETS
from penstock.harness.rvo_scenarios import THIRTEEN
from penstock.harness.scenario import Kind, Scenario, Spin
from penstock.harness.workload import Place, Wanted, synthetic_run

RVO = [
    "baseline",
    "inproc_low",
    "blocking_1ms",
    "blocking_3ms",
    "blocking_10ms",
    "blocking_50ms",
    "load_shed",
    "overload_threshold",
    "overload_moderate",
    "overload_severe",
    "fps_1000",
    "fps_2000",
    "fps_5000",
]
RVO_FPS = {"overload_threshold": 120, "overload_moderate": 300, "overload_severe": 600}
OURS = [
    "cameras64_models3_load05",
    "cameras64_models3_load1",
    "cameras64_models3_load2",
    "cameras64_models3_load4",
    "motion_burst",
    "slow_among_fast",
    "ten_times_slower",
    "raising_model",
    "stuck_backend",
    "flapping_camera",
    "openvino_1x",
    "openvino_4x",
    "age_against_load",
    "memory_flat",
]


def test_rvos_thirteen_are_there_with_its_rates_and_sleeps() -> None:
    assert [scenario.name for scenario in THIRTEEN] == RVO
    for scenario in THIRTEEN:
        rate = RVO_FPS.get(scenario.name, int(scenario.name[4:]) if scenario.name.startswith("fps_") else 30)
        assert scenario.input_fps == rate
    assert [scenario.detector_sleep_ms for scenario in THIRTEEN] == [0, 0, 1, 3, 10, 50, 50, 5, 5, 5, 0, 0, 0]


def test_beside_each_of_them_a_thread_spins() -> None:
    spinning = chosen(["spinning"])
    in_harness = [s.name for s in spinning if s.spin is Spin.HARNESS]
    in_model = [s.name for s in spinning if s.spin is Spin.MODEL]
    assert in_harness == [f"{name}_spin_harness" for name in RVO]
    assert in_model == [f"{name}_spin_model" for name in RVO if name != "baseline"]


def test_ours_are_there_and_each_is_in_a_known_group_and_claims_something() -> None:
    assert set(OURS) <= set(SCENARIOS)
    assert {scenario.group for scenario in SCENARIOS.values()} == set(GROUPS)
    assert [s.name for s in SCENARIOS.values() if not s.claims] == ["age_against_load"]
    assert all(s.faulty for s in SCENARIOS.values() if s.compared)


@pytest.mark.parametrize(
    ("names", "everything", "expected"),
    [
        (["inproc_low", "baseline"], False, ["baseline", "inproc_low"]),
        (["rvo", "baseline"], False, RVO),
        ([], True, [name for name in SCENARIOS if name != "memory_flat"]),
        (["memory_flat"], False, ["memory_flat"]),
        ([], False, []),
    ],
)
def test_names_and_groups_choose_each_scenario_once(names: list[str], everything: bool, expected: list[str]) -> None:
    assert [scenario.name for scenario in chosen(names, everything=everything)] == expected


def test_a_wrong_name_is_answered_with_those_that_are_like_it() -> None:
    with pytest.raises(UnknownScenario, match=r"no scenario 'blocking_5ms'.*blocking_50ms.*--list"):
        chosen(["blocking_5ms"])


def run(scenario: Scenario, clock: SimulatedClock, *, faults: bool = True) -> tuple[RunSpec, Wanted]:
    return synthetic_run(scenario, Place(Path("/run"), 2, 20.0), clock, faults=faults)


def test_a_fleet_asks_for_its_multiple_of_one_device() -> None:
    for scenario in FLEETS:
        spec, wanted = run(scenario, SimulatedClock())
        assert (len(spec.cameras), len(spec.lanes), [e.name for e in spec.executors]) == (64, 192, [DEVICE])
        asked = sum(lane.max_fps * COSTS_MS[lane.model] / 1000 for lane in spec.lanes)
        assert asked == pytest.approx(scenario.load)
        assert sorted({priority for _, priority in wanted.values()}) == [0, 5, 10]


def test_a_wanted_rate_is_never_above_that_of_the_camera() -> None:
    spec, wanted = run(SCENARIOS["blocking_10ms"], SimulatedClock())
    assert spec.lanes[0].max_fps == 10_000
    assert wanted == {("cam1", "slow"): (30.0, 0)}


def test_every_model_has_a_process_of_its_own_unless_it_names_a_device() -> None:
    spec, _ = run(SCENARIOS["load_shed"], SimulatedClock())
    assert [executor.name for executor in spec.executors] == ["python-cheap", "python-slow"]
    spec, _ = run(SCENARIOS["stuck_backend"], SimulatedClock())
    assert [executor.name for executor in spec.executors] == [DEVICE, "python-stuck"]


def test_the_run_without_the_fault_is_the_same_run_without_it() -> None:
    scenario = SCENARIOS["ten_times_slower"]
    with_fault, wanted = run(scenario, SimulatedClock())
    without, same = run(scenario, SimulatedClock(), faults=False)
    assert wanted == same
    assert with_fault.lanes == without.lanes
    parameters = [model.parameters for executor in with_fault.executors for model in executor.models]
    plain = [model.parameters for executor in without.executors for model in executor.models]
    assert [p for p in parameters if "slower" in p] == [
        {**plain[3], "slower": 10.0, "slower_from_s": 5.0, "slower_until_s": 10.0}
    ]
    assert not [p for p in plain if "slower" in p]
    flapping = SCENARIOS["flapping_camera"]
    told = [
        [camera.streams[0].options["flap"] for camera in run(flapping, SimulatedClock(), faults=faults)[0].cameras]
        for faults in (True, False)
    ]
    assert told == [["0.0/0.0"] * 7 + ["2.0/1.0"], ["0.0/0.0"] * 8]


def test_scenarios_that_are_not_synthetic_have_no_cameras_of_their_own() -> None:
    assert [s.name for s in SCENARIOS.values() if s.kind is not Kind.SYNTHETIC] == [
        "openvino_1x",
        "openvino_4x",
        "age_against_load",
    ]

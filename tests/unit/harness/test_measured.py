"""A measurement is the difference of two readings, and its summary row has RVO's columns exactly."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.base.clock import NS_PER_MS, NS_PER_S
from penstock.contracts.capacity import LadderStep
from penstock.contracts.messages import CameraState
from penstock.harness.comparison import loss_rows, losses
from penstock.harness.fairness import jain
from penstock.harness.measured import Measured, Reading, changes, measured
from penstock.harness.rvo_scenarios import THIRTEEN
from penstock.harness.scenario import Scenario
from penstock.harness.series import series_rows
from penstock.harness.summary import (
    COLUMNS,
    RVO_COLUMNS,
    camera_rates,
    fairness_by_priority,
    high_priority_share,
    over_budget_share,
    refused_fps,
    summary_row,
)
from penstock.telemetry.analysis_statistics import (
    EngineStatistics,
    LaneStatistics,
    ModelStatistics,
    PlanStatistics,
    RuleStatistics,
)
from penstock.telemetry.histogram import Histogram, HistogramRecord
from penstock.telemetry.statistics import CameraStatistics, ChildStatistics, ProcessStatistics, UnitBook

WANTED = {("cam1", "fast"): (10.0, 5), ("cam2", "fast"): (10.0, 0)}


def histogram(*values_ns: int) -> HistogramRecord:
    made = Histogram()
    for value_ns in values_ns:
        made.record(value_ns)
    return made.to_record()


def lane(
    camera: str, analysed: int, superseded: int, ages_ms: tuple[int, ...], granted_fps: float = 10.0
) -> LaneStatistics:
    return LaneStatistics(
        camera=camera,
        model="fast",
        offered=analysed + superseded,
        fates={"analysed": analysed, "superseded": superseded},
        max_fps=10.0,
        granted_fps=granted_fps,
        budget_ns=500 * NS_PER_MS,
        stages={"age": histogram(*(age * NS_PER_MS for age in ages_ms))},
    )


def reading(at_s: float, analysed: int, superseded: int, ages_ms: tuple[int, ...], lost: int = 0) -> Reading:
    at_ns = round(at_s * NS_PER_S)
    cameras = tuple(
        CameraStatistics(
            name,
            state=CameraState.UP,
            units=UnitBook(received=analysed + superseded, decoded=analysed + superseded),
            lost_packets=lost,
        )
        for name in ("cam1", "cam2")
    )
    engine = ProcessStatistics(
        "engine",
        "engine",
        pid=2,
        published_ns=at_ns,
        cpu_s=at_s / 4,
        rss_bytes=20 << 20,
        lanes=(lane("cam1", analysed, superseded, ages_ms), lane("cam2", analysed // 2, superseded, ())),
        models=(ModelStatistics("fast", calls=analysed, compute=histogram(*[NS_PER_MS] * analysed)),),
        rules=(RuleStatistics("busy", "cam1", confirmed=analysed // 10),),
        engine=EngineStatistics(plans=10 * analysed, plan=histogram(*[2000] * analysed)),
        plan=PlanStatistics(changes={LadderStep.REDUCED: analysed // 50}),
    )
    ingest = ProcessStatistics("ingest-0", "ingest", pid=3, published_ns=at_ns, rss_bytes=30 << 20, cameras=cameras)
    supervisor = ProcessStatistics(
        "supervisor",
        "supervisor",
        pid=1,
        published_ns=at_ns,
        rss_bytes=10 << 20,
        children=(ChildStatistics("executor-cpu", "executor", restarts=analysed // 100),),
    )
    return Reading(at_ns, (supervisor, ingest, engine))


BEFORE = reading(10, 100, 10, (50,) * 100)
AFTER = reading(20, 200, 60, (50,) * 100 + (100,) * 98 + (600,) * 2, lost=5)


@pytest.fixture
def found() -> Measured:
    return measured(BEFORE, AFTER, WANTED, (BEFORE, AFTER))


def test_counters_are_subtracted_and_divided_by_the_time_between(found: Measured) -> None:
    first, second = found.lanes
    assert (first.analysed, first.skipped, first.offered, first.analysed_fps) == (100, 50, 150, 10.0)
    assert (second.analysed, second.analysed_fps) == (50, 5.0)
    assert [(camera.received, camera.lost, camera.fps) for camera in found.cameras] == [(150, 5, 15.0)] * 2
    assert (found.seconds, found.plans, found.events, found.replaced) == (10.0, 1000, 10, 1)
    assert (found.plan.count, found.exec.count) == (100, 100)
    assert found.plan_changes == 2
    assert found.rss_series_bytes == (60 << 20, 60 << 20)
    assert {process.kind: process.cores for process in found.processes}["engine"] == 0.25


def test_ages_are_those_of_the_measurement_alone(found: Measured) -> None:
    assert found.age.count == 100
    assert found.age.percentile_ns(50) == pytest.approx(100 * NS_PER_MS, rel=0.02)
    assert found.lanes[0].over_budget == 2
    assert over_budget_share(found.lanes) == 0.02


def test_rates_of_a_camera_say_what_was_lost_where(found: Measured) -> None:
    actual_fps, effective_fps, loss_fps = camera_rates(found)
    assert actual_fps == 15.0
    assert effective_fps == pytest.approx((10.0 + 5.0) / 2)
    # A frame every two seconds was dropped by the source, and five a second were skipped by each lane.
    assert loss_fps == pytest.approx(0.5 + 5.0)


def test_what_the_plan_refuses_is_lost_though_its_frames_were_not_due() -> None:
    reduced, paused = (
        Reading(at_ns, (ProcessStatistics("engine", "engine", published_ns=at_ns, lanes=(lane_of,)),))
        for at_ns, lane_of in (
            (10 * NS_PER_S, lane("cam1", 40, 0, (), granted_fps=4.0)),
            (10 * NS_PER_S, lane("cam1", 0, 100, (), granted_fps=0.0)),
        )
    )
    nothing = Reading(0, (ProcessStatistics("engine", "engine"),))
    assert refused_fps(measured(nothing, reduced, WANTED).lanes[0]) == 6.0
    assert refused_fps(measured(nothing, paused, WANTED).lanes[0]) == 0.0


def test_shares_are_by_priority(found: Measured) -> None:
    assert high_priority_share(found) == 1.0
    assert fairness_by_priority(found) == {0: 1.0, 5: 1.0}


def test_the_summary_has_rvos_columns_in_rvos_order_and_then_ours(found: Measured) -> None:
    row = summary_row(3, THIRTEEN[2], found)
    assert tuple(row) == COLUMNS
    assert " ".join(RVO_COLUMNS) == (
        "run_id scenario detector_sleep_ms input_fps actual_camera_fps duration_secs tick_p50_ns tick_p99_ns "
        "tick_p999_ns tick_count exec_p50_ns exec_p99_ns exec_p999_ns total_ticks total_execs total_skips total_events "
        "total_frame_drops effective_fps frame_loss_rate"
    )
    assert tuple(row)[: len(RVO_COLUMNS)] == RVO_COLUMNS
    told = {name: row[name] for name in ("run_id", "scenario", "detector_sleep_ms", "input_fps", "total_skips")}
    assert told == {
        "run_id": 3,
        "scenario": "blocking_1ms",
        "detector_sleep_ms": "1",
        "input_fps": "30",
        "total_skips": 100,
    }
    assert (row["total_ticks"], row["total_execs"], row["total_events"], row["total_frame_drops"]) == (
        1000,
        100,
        10,
        10,
    )


def test_a_series_has_a_row_for_each_second_with_its_own_percentiles() -> None:
    readings = [reading(10, 100, 0, (50,) * 100), reading(11, 110, 0, (50,) * 100 + (90,) * 10), AFTER]
    rows = series_rows(readings, WANTED)
    assert [row["elapsed_s"] for row in rows] == [1.0, 10.0]
    assert rows[0]["age_p50_ms"] == pytest.approx(90, rel=0.02)
    assert (rows[0]["analysed_fps"], rows[0]["analysed"]) == (15.0, 15)
    assert (rows[0]["analysed_fps_p5"], rows[0]["wanted_fps_p0"]) == (10.0, 10.0)
    assert rows[0]["rss_mib"] == 60.0


def counted(at_s: float, published_s: float, analysed: int) -> Reading:
    """As `reading`, but its processes made their records earlier than it was read."""
    made = reading(at_s, analysed, 0, (), lost=analysed)
    records = (msgspec.structs.replace(p, published_ns=round(published_s * NS_PER_S)) for p in made.processes)
    return Reading(made.at_ns, tuple(records))


def test_what_is_counted_is_divided_by_the_time_between_the_records() -> None:
    # Read every second, published every 1.4 s and 0.6 s in turn: 10 results a second of one lane, 5 of the other.
    readings = [counted(10, 9.6, 96), counted(11, 11.0, 110), counted(12, 11.6, 116), counted(13, 13.0, 130)]
    rows = series_rows(readings, WANTED)
    assert [row["analysed_fps"] for row in rows] == [15.0] * 3
    assert [row["analysed"] for row in rows] == [row["analysed_fps"] for row in rows]
    assert [row["dropped_fps"] for row in rows] == [20.0] * 3
    assert [row["camera_fps"] for row in rows] == [20.0] * 3


def test_a_reading_in_which_the_engine_says_nothing_new_makes_no_row() -> None:
    readings = [counted(10, 10.0, 100), counted(11, 10.0, 100), counted(12, 12.0, 120), counted(13, 12.0, 120)]
    rows = series_rows(readings, WANTED)
    assert [(row["elapsed_s"], row["analysed_fps"], row["analysed"]) for row in rows] == [(2.0, 15.0, 15.0)]


def test_a_process_that_began_anew_counts_from_its_beginning() -> None:
    younger = ProcessStatistics("engine", "engine", pid=9, published_ns=20 * NS_PER_S, cpu_s=1.0)
    found = measured(BEFORE, Reading(20 * NS_PER_S, (younger,)), WANTED)
    assert [process.cores for process in found.processes] == [0.1]


def test_what_others_lost_is_a_share_of_their_rate_without_the_fault() -> None:
    scenario = Scenario("broken", "faults", "", faulty=("slow",))
    without = measured(BEFORE, reading(20, 300, 10, (50,) * 300), WANTED)
    found = measured(BEFORE, reading(20, 290, 10, (50,) * 290), WANTED)
    assert [round(loss.lost_share, 3) for loss in losses(scenario, found, without)] == [0.05, 0.05]
    row = loss_rows(scenario, 2, found, without)[0]
    assert (row["fps_without"], row["fps_with"], row["lost_percent"], row["faulty"]) == (20.0, 19.0, 5.0, False)
    assert scenario.is_faulty("cam1", "slow")
    assert Scenario("broken", "faults", "", faulty=("flap",)).is_faulty("flap12", "fast")


def test_changes_of_the_plan_are_summed_over_what_they_came_to() -> None:
    assert changes(AFTER) == 4


@pytest.mark.parametrize(
    ("values", "index"), [([1, 1, 1, 1], 1.0), ([1, 0, 0, 0], 0.25), ([0, 0], 1.0), ([2, 1], 0.9), ([], 1.0)]
)
def test_jains_index(values: list[float], index: float) -> None:
    assert jain(values) == pytest.approx(index)


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1, max_size=50))
def test_jains_index_lies_between_one_nth_and_one(values: list[float]) -> None:
    assert 1 / len(values) - 1e-9 <= jain(values) <= 1 + 1e-9

"""What Prometheus reads is what the processes counted."""

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from penstock.contracts.fates import Fate
from penstock.telemetry.analysis_statistics import ModelStatistics
from penstock.telemetry.exporter import exposition
from penstock.telemetry.joined_statistics import whole
from penstock.telemetry.statistics import ProcessStatistics, decode, encode

NOW_NS = 1_000_000_000_000


@pytest.fixture
def samples(processes: list[ProcessStatistics]) -> list[Sample]:
    text = exposition(lambda: processes, lambda: NOW_NS, "1.2.3")().decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def value_of(samples: list[Sample], name: str, **labels: str) -> float:
    found = [s.value for s in samples if s.name == name and labels.items() <= s.labels.items()]
    assert len(found) == 1, f"{name} with {labels}: {found}"
    return float(found[0])


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("penstock_build_info", {"version": "1.2.3"}, 1),
        ("penstock_process_cpu_seconds_total", {"process": "ingest-0"}, 12.5),
        ("penstock_process_statistics_age_seconds", {"process": "ingest-0"}, 0.4),
        ("penstock_process_restarts_total", {"process": "engine"}, 1),
        ("penstock_camera_up", {"camera": "front", "role": "detect"}, 1),
        ("penstock_camera_state", {"camera": "front", "state": "down"}, 0),
        ("penstock_camera_access_units_received_total", {"camera": "front"}, 100),
        ("penstock_camera_access_units_total", {"camera": "front", "fate": "undecodable"}, 3),
        ("penstock_camera_connect_seconds", {"camera": "front"}, 0.15),
        ("penstock_camera_slips_total", {"camera": "front"}, 3),
        ("penstock_camera_lost_packets_total", {"camera": "front"}, 17),
        ("penstock_camera_times_refused_total", {"camera": "front"}, 5),
        ("penstock_camera_last_frame_age_seconds", {"camera": "front"}, 0.05),
        ("penstock_camera_ring_seconds", {"camera": "front"}, 12.5),
        ("penstock_lane_frames_offered_total", {"camera": "front", "model": "people"}, 90),
        ("penstock_lane_frames_total", {"camera": "front", "fate": "superseded"}, 9),
        ("penstock_lane_frames_total", {"camera": "front", "fate": "lost"}, 0),
        ("penstock_lane_budget_seconds", {"camera": "front"}, 0.5),
        ("penstock_lane_stage_seconds_count", {"stage": "age"}, 100),
        ("penstock_lane_stage_seconds_sum", {"stage": "age"}, 5.05),
        ("penstock_lane_stage_seconds_bucket", {"stage": "age", "le": "0.05"}, 50),
        ("penstock_lane_stage_seconds_bucket", {"stage": "age", "le": "+Inf"}, 100),
        ("penstock_executor_busy_seconds_total", {"executor": "cpu"}, 1.5),
        ("penstock_model_compute_seconds_count", {"model": "people"}, 2),
        ("penstock_rule_confirmed_total", {"rule": "two", "camera": "front"}, 2),
        ("penstock_rule_blind_seconds_total", {"rule": "two"}, 0.5),
        ("penstock_snapshots_total", {"state": "failed"}, 1),
        ("penstock_sink_delivered_total", {"sink": "jsonl"}, 4),
        ("penstock_queue_bound", {"queue": "journal"}, 64),
        ("penstock_pool_leased", {"pool": "front"}, 1),
    ],
)
def test_value(samples: list[Sample], name: str, labels: dict[str, str], value: float) -> None:
    assert value_of(samples, name, **labels) == pytest.approx(value)


def test_labels_are_escaped(samples: list[Sample]) -> None:
    assert value_of(samples, "penstock_camera_up", camera='ba"ck\\\n') == 1


def test_every_fate_of_a_lane_is_there(samples: list[Sample]) -> None:
    fates = {sample.labels["fate"] for sample in samples if sample.name == "penstock_lane_frames_total"}
    assert fates == {fate.label for fate in Fate}


def test_names_have_the_prefix_and_base_units(samples: list[Sample]) -> None:
    assert all(sample.name.startswith("penstock_") for sample in samples)
    assert not [s.name for s in samples if s.name.endswith(("_ms", "_ns", "_us", "_percent", "_mib"))]


def test_buckets_never_fall(samples: list[Sample]) -> None:
    buckets: dict[tuple[str, ...], list[float]] = {}
    for sample in samples:
        if sample.name.endswith("_bucket"):
            labels = tuple(value for key, value in sorted(sample.labels.items()) if key != "le")
            buckets.setdefault((sample.name, *labels), []).append(sample.value)
    assert len(buckets) >= 6
    assert all(counts == sorted(counts) for counts in buckets.values())


def test_the_same_sample_twice_is_there_once(processes: list[ProcessStatistics]) -> None:
    text = exposition(lambda: processes * 2, lambda: NOW_NS, "1")().decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == len({line.rsplit(" ", 1)[0] for line in lines})


def test_what_two_processes_know_of_a_model_is_one_record() -> None:
    by_engine = ModelStatistics("m", "cpu", state="", calls=7, predicted_cost_ns=5_000_000)
    for state in ("ready", "loading", "suspended"):
        by_executor = ModelStatistics("m", "cpu", state=state, head="yolox", failures={"hung": 1})
        expected = ModelStatistics(
            "m", "cpu", state=state, head="yolox", failures={"hung": 1}, calls=7, predicted_cost_ns=5_000_000
        )
        assert whole([by_engine, by_executor]) == whole([by_executor, by_engine]) == [expected]
    other = ModelStatistics("m", "gpu", state="ready")
    assert whole([by_engine, other]) == [by_engine, other]


def test_an_empty_run_has_metrics() -> None:
    assert b'penstock_build_info{version="1"} 1.0' in exposition(list, lambda: NOW_NS, "1")()


def test_statistics_travel_without_loss(processes: list[ProcessStatistics]) -> None:
    for process in processes:
        assert decode(encode(process)) == process


def test_a_torn_blob_is_an_error(processes: list[ProcessStatistics]) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(encode(processes[1])[:-5])

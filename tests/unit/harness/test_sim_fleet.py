"""A fleet's report: sums that add up, the same bytes for the same seed, and what sizing would look at."""

import csv
from pathlib import Path

import msgspec
import pytest

from penstock.harness import sim_report
from penstock.harness.sim_fleet import FleetReport, FleetSpec, run_fleet, shares

MS = 1_000_000
S = 1_000_000_000
SMALL = FleetSpec(cameras=30, hosts=3, for_ns=30 * S, seed=5)


@pytest.fixture(scope="module")
def report() -> FleetReport:
    return run_fleet(SMALL)


def test_cameras_are_shared_evenly() -> None:
    assert list(shares(10, 4)) == [3, 3, 2, 2]
    assert list(shares(2, 3)) == [1, 1, 0]


def test_what_is_summed_adds_up(report: FleetReport) -> None:
    assert [(row.priority, row.lanes) for row in report.priorities] == [(10, 3), (0, 27)]
    assert [host.cameras for host in report.hosts] == [10, 10, 10]
    assert sum(host.analyses for host in report.hosts) == report.analyses == report.fates["analysed"]
    analysed = sum(row.lanes * row.analysed_fps * 30 for row in report.priorities)
    assert analysed == pytest.approx(report.analyses)
    assert report.steps == {"full": 30, "reduced": 0, "motion-only": 0, "paused": 0}
    # Five pictures a second from each camera's first one on, within the first second.
    assert 30 * 5 * 29 <= sum(report.fates.values()) <= 30 * 5 * 30


def test_the_same_seed_writes_the_same_bytes(report: FleetReport, tmp_path: Path) -> None:
    again = run_fleet(SMALL)
    first = sim_report.write(report, tmp_path / "a")
    second = sim_report.write(again, tmp_path / "b")
    assert [path.name for path in first] == ["sim.json", "sim_priorities.csv", "sim_hosts.csv"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    other = run_fleet(msgspec.structs.replace(SMALL, seed=6))
    assert sim_report.json_text(other) != sim_report.json_text(report)


def test_the_files_can_be_read_back(report: FleetReport, tmp_path: Path) -> None:
    sim_report.write(report, tmp_path)
    assert msgspec.json.decode((tmp_path / "sim.json").read_bytes(), type=FleetReport) == report
    with (tmp_path / "sim_priorities.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["age_p99_ns"]) for row in rows] == [row.ages_ns["p99"] for row in report.priorities]
    with (tmp_path / "sim_hosts.csv").open() as file:
        assert [int(row["host"]) for row in csv.DictReader(file)] == [0, 1, 2]


def test_overload_is_planned_and_high_priorities_are_untouched() -> None:
    spec = FleetSpec(cameras=40, hosts=1, for_ns=40 * S, fps=5.0, moving=1.0, model_cost_ns=60 * MS, rules=0.0)
    report = run_fleet(spec)
    high, low = report.priorities
    assert high.analysed_fps >= 0.97 * high.wanted_fps
    assert low.granted_fps < 0.2 * low.wanted_fps
    # About 7 analyses of each lane in 40 s: one more or less is a seventh.
    assert low.least_analysed_fps >= 0.75 * low.analysed_fps
    assert high.late + low.late <= 0.01 * report.analyses
    assert max(row.ages_ns["p99"] for row in report.priorities) <= 500 * MS
    assert report.hosts[0].device_use == pytest.approx(0.9, abs=0.1)


def test_text_says_what_sizing_asks_for(report: FleetReport) -> None:
    text = sim_report.text(report)
    assert text.startswith("30 cameras on 3 hosts for 30 s, seed 5: 1/s each of a 30 ms model on 2 streams and 4 cores")
    assert "\n      10       3      1.00      1.000" in text
    assert "lanes at the end: full 30\n" in text
    assert "decoding alone" not in text


def test_a_host_that_cannot_decode_is_called_out() -> None:
    spec = FleetSpec(cameras=10, hosts=1, for_ns=5 * S, camera_fps=25.0, unit_ns=20 * MS, cores=1.0, rules=0.0)
    report = run_fleet(spec)
    assert report.hosts[0].decode_short_s > 0
    assert "On 1 hosts decoding alone took more than there is" in sim_report.text(report)
    assert "rules:" not in sim_report.text(report)

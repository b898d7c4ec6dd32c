"""docs/performance.md is made anew from a results folder: each block shows what is there, or says what is missing."""

from pathlib import Path
from typing import Any

import pytest
from bench.harness_document import asked, block_text, conditions, read_results, replaced, rewrite
from bench.harness_tables import BLOCKS, FAULTS, FLEETS, RVO, Results, spread, time_text

from penstock.harness.catalogue import GROUPS, SCENARIOS
from penstock.harness.claims import evenly
from penstock.harness.overload_scenarios import USED
from penstock.harness.results_folder import ResultsFolder
from penstock.harness.rvo_scenarios import THIRTEEN
from penstock.harness.summary import COLUMNS

PAGE = """# Title
<!-- harness:rvo -->
old
<!-- /harness:rvo -->
prose
<!-- bench:rules -->
kept
<!-- /bench:rules -->
<!-- harness:memory -->
old
<!-- /harness:memory -->
"""
CONDITIONS = "2026-11-21T04:26:40Z, revision abc, EPYC, 2 cores (1 allowed), 2,048 MiB, Linux 6.1, Python 3.11.7"


def session(*scenarios: str, runs: int = 2, utc_s: int = 1_795_235_200) -> dict[str, Any]:
    return {
        "cpu": "EPYC",
        "cores": 2,
        "cores_allowed": 1,
        "memory_mib": 2048,
        "kernel": "6.1",
        "python": "3.11.7",
        "load_average_before": [0.25, 0.1, 0.1],
        "revision": "abc",
        "measured_utc_ns": utc_s * 10**9,
        "settings": {
            "scenarios": list(scenarios),
            "runs": runs,
            "for_s": 20.0,
            "warm_up_s": 5.0,
            "isolation": "process",
        },
    }


def summary(scenario: str, run_id: int, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS, 0)
    return row | {"run_id": run_id, "scenario": scenario, "balanced": True, "complete": True} | values


def claim(scenario: str, run_id: int, text: str, told: str, *, holds: bool = True) -> dict[str, Any]:
    return {"run_id": run_id, "scenario": scenario, "claim": text, "measured": told, "holds": holds}


def lines_of(results: Results, name: str) -> list[str]:
    return block_text(results, name).splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> ResultsFolder:
    folder = ResultsFolder(tmp_path / "results").open()
    ticks = [{"tick_p50_ns": ns, "tick_p99_ns": 9 * ns, "tick_p999_ns": 99 * ns} for ns in (2000, 4000, 3000)]
    rows = [summary("baseline", run, **ticks[run - 1], tick_count=5_000) for run in (1, 2, 3)]
    execs = {"exec_p50_ns": 50_900_000, "exec_p99_ns": 52_000_000, "total_execs": 50}
    ages = {"age_p50_ns": 52_000_000, "age_p99_ns": 80_000_000, "age_p999_ns": 110_000_000, "age_count": 20_000}
    rows.append(summary("blocking_50ms", 1, **execs, **ages, tick_count=20_000, frame_loss_rate=13.5))
    rows.append(summary("blocking_50ms", 2, tick_p50_ns=99_999_999, complete=False))
    rows.append(summary("blocking_50ms_spin_model", 1, **ages, tick_p50_ns=7_000, tick_count=20_000))
    rows.append(summary(FLEETS[-1], 1, **ages, over_budget_share=0.0025, high_priority_share=0.995))
    folder.merge("summary.csv", rows, ("run_id", "scenario"))
    fleet = FLEETS[-1]
    claims = [
        claim("baseline", 2, "the tick is short", "p50 99 µs", holds=False),
        claim("baseline", 1, "the tick is short", "p50 2 µs"),
        claim(fleet, 1, evenly.text, "priority 0: 0.9912, priority 10: 1.0000"),
        claim(fleet, 1, USED.text, "0.83 s/s of model time, 4.00 s/s asked for"),
    ]
    folder.merge("validation.csv", claims, ("run_id", "scenario"))
    folder.write_environment(session("baseline", "blocking_50ms", runs=3))
    folder.write_environment(session(fleet, utc_s=1_795_235_300))
    return folder


def test_rvos_figures_stand_beside_ours_as_medians_of_complete_runs(folder: ResultsFolder) -> None:
    lines = lines_of(read_results(folder.path), "rvo")
    assert lines[0] == (
        "`penstock bench baseline blocking_50ms --runs 3 --for 20s --warm-up 5s --out DIR`: "
        f"{CONDITIONS}, load average 0.2 before."
    )
    baseline = (
        "| baseline | 4.8 µs | 3.00 µs (2.00 µs–4.00 µs) | 11.3 µs | 27.0 µs (18.0 µs–36.0 µs) | 26.0 µs | "
        "297 µs (198 µs–396 µs)* | 15,000 |"
    )
    assert lines[4:6] == [baseline, "| blocking_50ms | 50.20 ms | 0 µs | – | 0 µs | – | 0 µs | 20,000 |"]
    assert "| baseline | 0 | 0 | – | – | – | – | – | 0 |" in lines
    assert "| blocking_50ms | 10.2 | 13.5 | 50.9 ms | 52.0 ms* | 52.0 ms | 80.0 ms | 110 ms | 20,000 |" in lines


def test_what_is_missing_and_what_did_not_hold_is_told(folder: ResultsFolder) -> None:
    lines = lines_of(read_results(folder.path), "rvo")
    assert next(line for line in lines if line.startswith("Not measured")).startswith(
        "Not measured yet: inproc_low, blocking_1ms, blocking_3ms, blocking_10ms, load_shed, "
    )
    assert "1 of 2 claims held over all runs." in lines
    assert lines[-2:] == ["- baseline, run 2, DID NOT HOLD: the tick is short (p50 99 µs)", ""]


def test_a_spinning_thread_stands_under_the_run_without_it(folder: ResultsFolder) -> None:
    lines = lines_of(read_results(folder.path), "spinning")
    rows = [line for line in lines if line.startswith("| blocking_50ms")]
    assert [row.split(" | ")[1:3] for row in rows] == [["nothing", "0 µs"], ["the models' processes", "7.00 µs"]]


def test_a_fleet_shows_shares_fairness_and_use(folder: ResultsFolder) -> None:
    lines = lines_of(read_results(folder.path), "overload")
    assert lines[0].startswith(f"`penstock bench {FLEETS[-1]} --runs 2")
    assert "| 4× | 0.250 % | 10: 1.0000; 0: 0.9912 | 99.5 % | 83.0 % | 52.0 ms | 80.0 ms | 110 ms |" in lines


def test_what_others_lost_is_of_all_lanes_without_the_fault(folder: ResultsFolder) -> None:
    columns = ("run_id", "scenario", "camera", "model", "faulty", "fps_without", "fps_with", "lost_percent")
    table = [
        (1, FAULTS[0], "cam1", "fast", False, 5.0, 4.5, 10.0),
        (1, FAULTS[0], "cam2", "fast", False, 5.0, 5.4, -8.0),
        (1, FAULTS[0], "cam1", "slow", True, 5.0, 0.0, 100.0),
    ]
    ages = {"age_p99_without_ms": 10.0, "age_p99_with_ms": 12.0}
    rows = [dict(zip(columns, row, strict=True)) | ages for row in table]
    folder.merge("others.csv", rows, ("run_id", "scenario", "camera", "model"))
    lines = lines_of(read_results(folder.path), "faults")
    assert lines[0] == "How this was measured was not recorded."
    assert f"| {FAULTS[0]} | 2 | 1.00 % | 10.0 % | 10.0 ms → 12.0 ms | 1 |" in lines


def test_memory_is_the_last_fifth_against_the_second(folder: ResultsFolder) -> None:
    series = [100, 150, *[200] * 2, *[205] * 4, *[210] * 2]
    folder.write_series("memory_flat", 2, [{"elapsed_s": n, "rss_mib": mib} for n, mib in enumerate(series)])
    lines = lines_of(read_results(folder.path), "memory")
    assert "| 2 | 10 s | 100 | 200 | 210 | 210 | +5.0 % |" in lines


def test_the_curve_has_a_table_for_each_variant_its_largest_numbers_and_its_plot(folder: ResultsFolder) -> None:
    steps = [(1, 50.0, 5.0), (2, 90.0, 5.0), (4, 150.0, 4.0)]
    rates = {"age_p50_ms": 40.0, "age_p95_ms": 45.0, "granted_fps": 5.0, "slowest_lane_fps": 4.5, "cores": 0.5}
    rows = [
        {"run_id": 1, "model": "int8", "stream": "sub", "cameras": cameras, "wanted_fps": 5.0, "results": 99}
        | rates
        | {"age_p99_ms": p99_ms, "analysed_fps": fps}
        for cameras, p99_ms, fps in steps
    ]
    folder.merge("age_against_load.csv", rows, ("run_id", "cameras"))
    text = block_text(read_results(folder.path), "curve", with_plot=True)
    assert "| 4 | 40.0 | 45.0 | 150 | 5.00 | 4.00 | 4.50 | 0.500 |\n" in text
    assert "| int8, sub | 2 (2) | 4 (2) | 4 (2) |\n" in text
    assert "![Age of results against the number of cameras](plots/age_against_load.png)" in text


def test_only_blocks_of_the_harness_are_made_anew_and_again_gives_the_same(folder: ResultsFolder) -> None:
    results = read_results(folder.path)
    text = replaced(PAGE, results)
    assert "\nold\n" not in text
    assert "\nkept\n" in text
    assert "Not measured yet: `penstock bench memory_flat --out DIR`.\n<!-- /harness:memory -->" in text
    assert replaced(text, results) == text


def test_the_plot_goes_beside_the_page(folder: ResultsFolder, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    (folder.path / "plots" / "age_against_load.png").write_bytes(b"png")
    rewrite(folder.path, page)
    assert "| baseline | 4.8 µs |" in page.read_text(encoding="utf-8")
    # No curve was measured, so that the plot is of something else.
    assert not (tmp_path / "plots").exists()
    folder.merge("age_against_load.csv", [curve_row()], ("run_id", "cameras"))
    rewrite(folder.path, page)
    assert (tmp_path / "plots" / "age_against_load.png").read_bytes() == b"png"


def curve_row() -> dict[str, Any]:
    numbers = ("cameras", "results", "age_p50_ms", "age_p95_ms", "age_p99_ms")
    rates = ("wanted_fps", "granted_fps", "analysed_fps", "slowest_lane_fps", "cores")
    return {"run_id": 1, "model": "float", "stream": "main"} | dict.fromkeys((*numbers, *rates), 1)


def test_an_empty_folder_makes_every_block_say_so(tmp_path: Path) -> None:
    results = read_results(tmp_path)
    for name in BLOCKS:
        assert block_text(results, name).startswith("Not measured yet: `penstock bench "), name


def test_a_session_counts_as_long_as_a_run_of_it_stands() -> None:
    sessions = [session("baseline", runs=3, utc_s=1), session("baseline", runs=1, utc_s=2)]
    assert [line[:60] for line in conditions(sessions, ("baseline",)) if line] == [
        "`penstock bench baseline --runs 3 --for 20s --warm-up 5s --o",
        "`penstock bench baseline --runs 1 --for 20s --warm-up 5s --o",
    ]
    again = [*sessions, session("baseline", runs=3, utc_s=3)]
    assert ["00:00:03Z" in line for line in conditions(again, ("baseline",)) if line] == [True]


@pytest.mark.parametrize(
    ("scenarios", "words"),
    [
        (["baseline"], "baseline"),
        ([name for name in SCENARIOS if SCENARIOS[name].group in ("faults", "network")], "faults network"),
        ([name for name in SCENARIOS if SCENARIOS[name].group != "long"], "--all"),
        ([*SCENARIOS], "--all memory_flat"),
    ],
)
def test_a_command_names_groups_where_they_are_whole(scenarios: list[str], words: str) -> None:
    assert asked(scenarios) == words
    assert all(word in GROUPS or word in SCENARIOS or word == "--all" for word in words.split())


def test_rvos_figures_are_of_its_thirteen() -> None:
    assert list(RVO) == [scenario.name for scenario in THIRTEEN]


def test_a_spread_is_told_where_it_can_be_seen() -> None:
    assert spread([3.0, 1.0, 2.0], " %") == "2.00 % (1.00–3.00)"
    assert spread([2.0, 2.001]) == "2.00"
    assert spread([]) == "–"
    assert [time_text(ns) for ns in (999, 12_300, 1_500_000)] == ["0.999 µs", "12.3 µs", "1.50 ms"]

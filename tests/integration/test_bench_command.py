"""`penstock bench` as people use it: a process of its own, a folder of results, mistakes, and Ctrl-C."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import command_line, live_pids

from penstock.harness.summary import COLUMNS

WITHIN_S = 120.0


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "penstock", "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_scenario_leaves_its_tables_histograms_environment_and_plots(tmp_path: Path) -> None:
    out = tmp_path / "results"
    done = bench("blocking_10ms", "--runs", "2", "--for", "2s", "--warm-up", "500ms", "--out", str(out))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = table(out / "summary.csv")
    assert [(row["run_id"], row["scenario"], row["complete"]) for row in rows] == [
        ("1", "blocking_10ms", "True"),
        ("2", "blocking_10ms", "True"),
    ]
    assert tuple(rows[0]) == COLUMNS
    for row in rows:
        assert float(row["actual_camera_fps"]) > 0
        assert int(row["total_execs"]) > 0
        assert int(row["exec_p50_ns"]) >= 10_000_000
        # It was measured from the capture of the frame on, so it holds all of the model's call.
        assert int(row["age_p50_ns"]) >= int(row["exec_p50_ns"]) * 0.98
        assert row["balanced"] == "True"
    assert [float(row["elapsed_s"]) for row in table(out / "blocking_10ms-1.csv")] == pytest.approx([1, 2], abs=0.2)
    told = json.loads((out / "histograms" / "blocking_10ms-2.json").read_text(encoding="utf-8"))
    assert {"tick", "exec", "age", "compute"} <= set(told)
    assert sum(count for _, _, count in told["age"]["buckets"]) == told["age"]["count"] == int(rows[1]["age_count"])
    environment = json.loads((out / "environment.json").read_text(encoding="utf-8"))
    assert environment["cores"] == os.cpu_count()
    assert environment["settings"]["scenarios"] == ["blocking_10ms"]
    verdicts = table(out / "validation.csv")
    assert {row["scenario"] for row in verdicts} == {"blocking_10ms"}
    assert next(row for row in verdicts if row["claim"].startswith("the books balance"))["holds"] == "True"
    drawn = {path.name for path in (out / "plots").glob("*.png")}
    assert {"age_by_scenario.png", "tick_by_scenario.png", "age_over_time-blocking_10ms.png"} <= drawn
    for name in drawn:
        assert (out / "plots" / name).read_bytes().startswith(b"\x89PNG")


def test_a_fault_is_compared_with_the_same_run_without_it(tmp_path: Path) -> None:
    out = tmp_path / "results"
    done = bench("raising_model", "--for", "3s", "--warm-up", "500ms", "--out", str(out), "--no-plots")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = table(out / "others.csv")
    assert {row["model"] for row in rows if row["faulty"] == "True"} == {"bad"}
    assert {row["model"] for row in rows if row["faulty"] == "False"} == {"fast1", "fast2", "fast3"}
    assert int(table(out / "summary.csv")[0]["model_failed"]) > 0
    assert not list((out / "plots").iterdir())


def test_ctrl_c_ends_the_run_in_order_and_keeps_what_was_measured(tmp_path: Path) -> None:
    out = tmp_path / "results"
    arguments = ["baseline", "inproc_low", "--for", "60s", "--warm-up", "200ms", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "penstock", "bench", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        while "measuring" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        said += process.stdout.read()
        assert process.wait(30) == 130, said
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
    assert "interrupted; what was measured is kept" in said
    (row,) = table(out / "summary.csv")
    assert (row["scenario"], row["complete"]) == ("baseline", "False")
    assert int(row["total_ticks"]) > 0
    until_s = time.monotonic() + 5
    while (left := _children_of(process.pid)) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not left


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["blocking_5ms"], 2, "there is no scenario 'blocking_5ms'. Did you mean blocking_50ms"),
        ([], 2, "name scenarios or groups, or give --all"),
        (["baseline", "--for", "soon"], 2, "--for"),
        (["baseline", "--warm-up", "0s"], 2, "--warm-up: must be above zero"),
        (["baseline", "--isolation", "cage"], 2, "--isolation is process or thread"),
        (["baseline", "--model", "/nowhere.onnx"], 2, "--model: there is no file /nowhere.onnx"),
        (["baseline", "--out", "/proc/results"], 1, "the folder /proc/results cannot be written"),
    ],
)
def test_mistakes_are_told_before_anything_is_run(arguments: list[str], code: int, said: str) -> None:
    done = bench(*arguments, "--no-plots")
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stderr


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path) -> None:
    # An empty package that hides the installed one, as an installation without the extra has none.
    script = (
        "import sys, importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'matplotlib' else real(name, *rest)\n"
        "from penstock.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "bench", "baseline", "--out", str(tmp_path / "results")],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install penstock[bench]" in done.stderr
    assert not (tmp_path / "results").exists()


def test_the_list_names_every_scenario_and_runs_none(tmp_path: Path) -> None:
    done = bench("--list", "--out", str(tmp_path / "results"))
    assert done.returncode == 0
    for name in ("baseline", "cameras64_models3_load4", "stuck_backend", "openvino_4x", "age_against_load"):
        assert f"  {name} " in done.stdout
    assert not (tmp_path / "results").exists()


def _children_of(bench_pid: int) -> list[int]:
    """Processes of the run that it supervised: their command line ends with its number."""
    words = {pid: command_line(pid) for pid in live_pids()}
    return [pid for pid, line in words.items() if "penstock.runtime.child" in line and line[-1] == str(bench_pid)]

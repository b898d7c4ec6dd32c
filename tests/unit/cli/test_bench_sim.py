"""`penstock bench sim` as it is typed: what goes to standard output, to files and to standard error."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from penstock.cli.bench_sim_command import SimOptions, sim_command
from penstock.cli.main import UsageProblem, app
from penstock.harness import sim_replay
from penstock.harness.sim_fleet import FleetReport
from penstock.testkit.replay import LanePrediction, Replayed

SMALL = ["bench", "sim", "--cameras", "6", "--hosts", "2", "--for", "10s", "--seed", "3", "--model-cost", "20ms"]


def test_standard_output_depends_on_nothing_but_the_arguments(tmp_path: Path) -> None:
    first = CliRunner().invoke(app, [*SMALL, "--json", "--out", str(tmp_path / "a")])
    second = CliRunner().invoke(app, [*SMALL, "--json", "--out", str(tmp_path / "b")])
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == second.stdout
    report = msgspec.json.decode(first.stdout, type=FleetReport)
    assert (report.spec.cameras, report.spec.seed, report.spec.model_cost_ns) == (6, 3, 20_000_000)
    assert "events/s" in first.stderr
    for name in ("sim.json", "sim_priorities.csv", "sim_hosts.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_table_is_for_people() -> None:
    result = CliRunner().invoke(app, SMALL)
    assert result.stdout.startswith("6 cameras on 2 hosts for 10 s, seed 3: 1/s each of a 20 ms model")
    assert "granted/s" in result.stdout


def test_good_seeds_end_well() -> None:
    result = CliRunner().invoke(app, ["bench", "sim", "--check-seeds", "1", "--seed", "3"])
    assert (result.exit_code, "1 seeds," in result.stdout) == (0, True)


def test_what_cannot_be_meant_says_why(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="give one of them"):
        sim_command(SimOptions(check_seeds=3, replay=tmp_path / "x"))
    with pytest.raises(UsageProblem, match=r"--replay: .*x cannot be read: No such file"):
        sim_command(SimOptions(replay=tmp_path / "x"))
    with pytest.raises(UsageProblem, match="--model-cost"):
        sim_command(SimOptions(model_cost="fast"))


@pytest.mark.parametrize(("results", "code"), [(199, 0), (200, 1)])
def test_a_recording_that_is_too_short_fails_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, results: int, code: int
) -> None:
    """Twice as old as measured: a wrong prediction, where there is enough to say so."""
    live = dict.fromkeys(("p50", "p95", "p99"), 100_000_000)
    predicted = dict.fromkeys(live, 200_000_000)
    whole = LanePrediction("", results, results, live, predicted)
    replayed = Replayed(whole, (LanePrediction("a/m", results, results, live, predicted),), 20_000_000_000, 0, ())
    monkeypatch.setattr(sim_replay, "replay_file", lambda path, seed: replayed)
    result = CliRunner().invoke(app, ["bench", "sim", "--replay", str(tmp_path / "trace.json")])
    assert result.exit_code == code
    assert ("too short" in result.stdout, "NOT within" in result.stdout) == (code == 0, code == 1)
    assert "a/m" in result.stdout

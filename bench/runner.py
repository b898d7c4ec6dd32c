"""Runs one benchmark: rounds, in each round every variant once, each in a process of its own, in turns."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench import environment, samples
from bench.records import Benchmark, Context, Effort, Report, Skipped, Taken
from bench.worker import Job

TURN_TIMEOUT_S = 300.0


class TurnFailed(Exception):
    """A worker ended without a result: which, and the end of what it said."""


def run(benchmark: Benchmark, effort: Effort, tell: Callable[[str], None]) -> Report:
    """Never raises for what a benchmark does: a report says that it was skipped, or how it failed."""
    watch = environment.Watch()
    report = Report(
        name=benchmark.name,
        title=benchmark.title,
        command=f"python -m bench {benchmark.name}{' --quick' if effort.quick else ''}",
        quick=effort.quick,
        measured_utc=environment.utc_now(),
        revision=environment.revision(),
        layout=benchmark.layout,
    )
    rounds: list[dict[str, Taken]] = []
    try:
        with tempfile.TemporaryDirectory(prefix="penstock-bench-") as name:
            folder = Path(name)
            with benchmark.surroundings(folder, effort) as context:
                _run_rounds(benchmark, effort, context, folder, rounds, tell)
    except Skipped as why:
        report = msgspec.structs.replace(report, skipped=str(why))
    except Exception as error:  # one benchmark that breaks must not take the others' numbers along
        report = msgspec.structs.replace(report, failed=f"{type(error).__name__}: {error}")
    found = samples.summaries(rounds)
    ratios = (samples.ratio(comparison, rounds) for comparison in benchmark.comparisons)
    return msgspec.structs.replace(
        report,
        conditions=watch.conditions(),
        summaries=found,
        verdicts=[samples.verdict(goal, found) for goal in benchmark.goals] if rounds else [],
        ratios=[ratio for ratio in ratios if ratio is not None],
        rounds=rounds,
    )


def _run_rounds(
    benchmark: Benchmark,
    effort: Effort,
    context: Context,
    folder: Path,
    rounds: list[dict[str, Taken]],
    tell: Callable[[str], None],
) -> None:
    count = effort.pick(benchmark.rounds, benchmark.quick_rounds)
    for number in range(count):
        rounds.append({})
        # Each round begins with another variant, so that none always runs on the warmest or the coolest machine.
        shift = number % len(benchmark.variants)
        for variant in benchmark.variants[shift:] + benchmark.variants[:shift]:
            tell(f"{benchmark.name}: {variant}, round {number + 1} of {count}")
            rounds[number][variant] = _turn(Job(benchmark.name, variant, effort, context, str(folder / "result.json")))


def _turn(job: Job) -> Taken:
    result = Path(job.result)
    result.unlink(missing_ok=True)
    order = result.with_name("job.json")
    order.write_bytes(msgspec.json.encode(job))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bench.worker", str(order)],
            cwd=environment.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TURN_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TurnFailed(f"{job.benchmark}, {job.variant}: no result within {TURN_TIMEOUT_S:.0f} s") from None
    if done.returncode != 0 or not result.is_file():
        raise TurnFailed(f"{job.benchmark}, {job.variant}: exit code {done.returncode}: {done.stderr[-1500:]}")
    return msgspec.json.decode(result.read_bytes(), type=Taken)

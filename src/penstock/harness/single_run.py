"""Runs one scenario once: the real application in a folder of its own, watched from start to end."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.base.clock import Clock
from penstock.contracts.specs import RunSpec
from penstock.harness.latency_models import Spinning
from penstock.harness.measured import Measured, Reading, measured
from penstock.harness.sampler import Sampler
from penstock.harness.workload import Place, Wanted
from penstock.runtime import application
from penstock.runtime.application import RunError


class BenchError(RunError):
    """A scenario could not be run or its results not be kept: what, where and what to do."""


@dataclass(frozen=True, slots=True)
class Times:
    warm_up_ns: int
    for_ns: int


@dataclass(frozen=True, slots=True)
class Ran:
    """One run and what came of it."""

    measured: Measured
    readings: tuple[Reading, ...]
    report: dict[str, Any]
    complete: bool
    """False where it was interrupted: then it is what was measured until then"""


Build = Callable[[Place], tuple[RunSpec, Wanted]]
OnSecond = Callable[[Reading, int], None]


def run_once(
    build: Build,
    *,
    times: Times,
    clock: Clock,
    cores: int,
    log_file: Path,
    isolation: str = "process",
    spins: bool = False,
    on_second: OnSecond | None = None,
) -> Ran:
    """Runs what `build` makes, in a temporary folder; `spins` lets a thread of this process spin beside it.

    Must be called from the main thread, for the run is ended by a signal. Raises BenchError where the run did not come
    up, and RunError where it could not begin.
    """
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        place = Place(Path(folder), cores, times.for_ns / 1e9)
        spec, wanted = build(place)
        sampler = Sampler(
            clock,
            models=[model.name for executor in spec.executors for model in executor.models],
            warm_up_ns=times.warm_up_ns,
            for_ns=times.for_ns,
            cue=place.cue,
            on_second=on_second,
        )
        with _said_to(log_file), _spinning(spins):
            report = application.run(spec, isolation=isolation, live=sampler)
    if sampler.problem:
        raise BenchError(f"{sampler.problem}. What the run said is in {log_file}")
    readings = tuple(sampler.readings)
    if len(readings) < 2:
        return Ran(Measured(0.0), readings, report, complete=False)
    found = measured(readings[0], readings[-1], wanted, readings)
    found = replace(found, balanced=bool(report["books_balanced"]), unbalanced=tuple(report["unbalanced"]))
    return Ran(found, readings, report, sampler.complete)


@contextlib.contextmanager
def _said_to(log_file: Path) -> Iterator[None]:
    """What this process and its children write to standard error goes to `log_file` meanwhile."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with log_file.open("wb") as log:
            os.dup2(log.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def _spinning(wanted: bool) -> Iterator[None]:
    spinning = Spinning()
    if wanted:
        spinning.start()
    try:
        yield
    finally:
        if wanted:
            spinning.stop()

"""What a benchmark is, what one turn of it brings back, and what becomes of all turns together."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

Context = dict[str, Any]
"""what a benchmark's surroundings tell its workers: addresses, folders"""


class Skipped(Exception):
    """Something that this benchmark needs is not on this machine: what, and how to get it."""


class Effort(msgspec.Struct, frozen=True):
    """How long to measure: a full run, or a quick one that only shows that everything works."""

    quick: bool

    def pick(self, full: int, quick: int) -> int:
        return quick if self.quick else full


class Series(msgspec.Struct, frozen=True):
    """Raw samples of one quantity from one turn, in `unit`."""

    unit: str
    samples: list[float]


class Taken(msgspec.Struct, frozen=True):
    """What one turn of one variant measured; `facts` are things worth keeping that are no samples."""

    series: dict[str, Series]
    facts: dict[str, Any] = {}
    cells: dict[str, str] = {}
    """texts that a table with a line per variant shows, by column"""


class Goal(msgspec.Struct, frozen=True):
    """A number to beat: `statistic` of `series` of `variant` is to be at most `at_most`."""

    variant: str
    series: str
    at_most: float
    statistic: Literal["p50", "p99"] = "p50"


class Comparison(msgspec.Struct, frozen=True):
    """How many times `variant` takes of what `against` takes, by the medians of each round."""

    series: str
    variant: str
    against: str


@contextmanager
def no_surroundings(folder: Path, effort: Effort) -> Iterator[Context]:
    """For benchmarks that need nothing but themselves."""
    del effort
    yield {"folder": str(folder)}


class Benchmark(msgspec.Struct, frozen=True):
    """One question, its contestants and how to measure one of them once."""

    name: str
    title: str
    variants: tuple[str, ...]
    measure: Callable[[str, Effort, Context], Taken]
    """runs in a process of its own; called once per variant and round"""
    rounds: int
    quick_rounds: int = 1
    surroundings: Callable[[Path, Effort], AbstractContextManager[Context]] = no_surroundings
    """what lives for all rounds, in the runner's process: a camera server, a drawn video"""
    goals: tuple[Goal, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    layout: Literal["rows", "matrix", "variants"] = "rows"
    """`rows`: a line per variant and series with its percentiles; `matrix`: a line per series, medians by variant;
    `variants`: a line per variant, medians by series, then the texts of the last round"""


class Summary(msgspec.Struct, frozen=True):
    """One series of one variant over all rounds: percentiles of all samples, and how far rounds' medians lie apart."""

    unit: str
    count: int
    p50: float
    p90: float
    p99: float
    p999: float
    largest: float
    lowest_round: float
    highest_round: float


class Verdict(msgspec.Struct, frozen=True):
    """A goal and what was measured; `measured` is None where its series is missing."""

    goal: Goal
    unit: str
    measured: float | None
    met: bool


class Ratio(msgspec.Struct, frozen=True):
    """A comparison's outcome: median of the rounds' ratios, and their extremes."""

    comparison: Comparison
    median: float
    lowest: float
    highest: float


class Conditions(msgspec.Struct, frozen=True):
    """How busy the machine was with all it ran, from before a benchmark to after it."""

    load_before: tuple[float, float, float]
    load_after: tuple[float, float, float]
    busy_share: float
    """of all cores' time, this benchmark included"""
    stolen_share: float
    """taken by the host from this virtual machine"""
    took_s: float


class Report(msgspec.Struct, frozen=True):
    """All of one benchmark, as it lies in its JSON file."""

    name: str
    title: str
    command: str
    quick: bool
    measured_utc: str
    revision: str
    layout: str
    conditions: Conditions | None = None
    skipped: str = ""
    failed: str = ""
    summaries: dict[str, dict[str, Summary]] = {}
    """by variant, then by series"""
    verdicts: list[Verdict] = []
    ratios: list[Ratio] = []
    rounds: list[dict[str, Taken]] = []
    """raw: by round, then by variant"""

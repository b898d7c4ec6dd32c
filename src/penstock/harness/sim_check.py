"""Looks for seeds that break the engine's promises: books, bounds, deadlines, starvation, fairness, a plan at rest."""

from collections.abc import Callable, Iterable

import msgspec

from penstock.testkit.invariants import SETTLE_NS, InvariantBroken
from penstock.testkit.schedules import Checked, check, draw

NS_PER_S = 1_000_000_000
SHOWN = 20


class SeedsReport(msgspec.Struct, frozen=True):
    """What came of a range of seeds."""

    seeds: int
    steps: int
    """checked"""
    analyses: int
    settled_ns: int
    """the longest that a plan took to come to rest after a change of load"""
    broken: tuple[tuple[int, str], ...]
    """seeds whose run a step ended, and what it broke"""
    faulty: tuple[Checked, ...]
    """seeds whose run was wrong as a whole"""

    @property
    def good(self) -> bool:
        return not self.broken and not self.faulty


def check_seeds(seeds: Iterable[int], told: Callable[[int], None] | None = None) -> SeedsReport:
    """Runs each seed's schedule, checking after every step; `told` hears how many are done."""
    count = steps = analyses = settled_ns = 0
    broken: list[tuple[int, str]] = []
    faulty: list[Checked] = []
    for seed in seeds:
        count += 1
        try:
            checked = check(draw(seed), seed)
        except InvariantBroken as error:
            broken.append((seed, str(error)))
        else:
            steps += checked.steps
            analyses += checked.analyses
            settled_ns = max(settled_ns, checked.settled_ns)
            if checked.faults:
                faulty.append(checked)
        if told is not None:
            told(count)
    return SeedsReport(count, steps, analyses, settled_ns, tuple(broken), tuple(faulty))


def text(report: SeedsReport) -> str:
    """A few lines for people; what is wrong first, one line per seed."""
    lines = [f"seed {seed}: {what}" for seed, what in report.broken[:SHOWN]]
    lines += [
        f"seed {one.seed} ({one.kind}): {one.faults[0]}"
        + (f" (and {len(one.faults) - 1} more)" if len(one.faults) > 1 else "")
        for one in report.faulty[:SHOWN]
    ]
    left = len(report.broken) + len(report.faulty) - len(lines)
    if left > 0:
        lines.append(f"… and {left} more seeds")
    lines.append(
        f"{report.seeds} seeds, {report.steps} steps checked, {report.analyses} analyses: "
        f"{len(report.broken)} broke an invariant at a step, {len(report.faulty)} came out wrong as a whole"
    )
    lines.append(
        f"the plan was at rest at most {report.settled_ns / NS_PER_S:.1f} s after a change of load "
        f"(allowed: {SETTLE_NS / NS_PER_S:.0f} s)"
    )
    return "\n".join(lines) + "\n"

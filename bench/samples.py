"""Summaries of raw samples: percentiles by nearest rank, medians by round, ratios within rounds. Pure."""

from collections.abc import Iterable, Sequence
from statistics import median

from bench.records import Comparison, Goal, Ratio, Summary, Taken, Verdict

Summaries = dict[str, dict[str, Summary]]


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest of `ordered` (ascending, not empty) that at least `percent` of all are not above."""
    rank = max(1, -int(-len(ordered) * percent // 100))
    return ordered[rank - 1]


def summary(unit: str, rounds: Iterable[Sequence[float]]) -> Summary:
    """Of at least one sample; rounds without any are left out."""
    filled = [samples for samples in rounds if samples]
    ordered = sorted(sample for samples in filled for sample in samples)
    medians = [percentile(sorted(samples), 50) for samples in filled]
    return Summary(
        unit=unit,
        count=len(ordered),
        p50=percentile(ordered, 50),
        p90=percentile(ordered, 90),
        p99=percentile(ordered, 99),
        p999=percentile(ordered, 99.9),
        largest=ordered[-1],
        lowest_round=min(medians),
        highest_round=max(medians),
    )


def summaries(rounds: Sequence[dict[str, Taken]]) -> Summaries:
    """Of every series of every variant, in the order in which they first came."""
    found: Summaries = {}
    for taken in rounds:
        for variant, turn in taken.items():
            for name, series in turn.series.items():
                if series.samples and name not in found.setdefault(variant, {}):
                    samples = [r[variant].series[name].samples for r in rounds if _has(r, variant, name)]
                    found[variant][name] = summary(series.unit, samples)
    return found


def verdict(goal: Goal, found: Summaries) -> Verdict:
    one = found.get(goal.variant, {}).get(goal.series)
    if one is None:
        return Verdict(goal, "", None, met=False)
    measured = one.p50 if goal.statistic == "p50" else one.p99
    return Verdict(goal, one.unit, measured, met=measured <= goal.at_most)


def ratio(comparison: Comparison, rounds: Sequence[dict[str, Taken]]) -> Ratio | None:
    """Paired within each round, so that a machine that slows down slows down both; None where no round has both."""
    ratios = []
    for taken in rounds:
        if _has(taken, comparison.variant, comparison.series) and _has(taken, comparison.against, comparison.series):
            ours = median(taken[comparison.variant].series[comparison.series].samples)
            theirs = median(taken[comparison.against].series[comparison.series].samples)
            if theirs > 0:
                ratios.append(ours / theirs)
    return Ratio(comparison, median(ratios), min(ratios), max(ratios)) if ratios else None


def _has(taken: dict[str, Taken], variant: str, series: str) -> bool:
    return variant in taken and series in taken[variant].series and bool(taken[variant].series[series].samples)

"""Reports as rows of text, for the terminal and for the page alike. Pure."""

from bench.records import Ratio, Report, Summary, Verdict

Rows = list[list[str]]


def number(value: float) -> str:
    """Three significant digits, thousands grouped, no exponent."""
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude >= 100:
        return f"{value:,.0f}"
    if magnitude >= 10:
        return f"{value:.1f}"
    if magnitude >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}"


def spread(summary: Summary) -> str:
    """Lowest and highest median of a round."""
    return f"{number(summary.lowest_round)}–{number(summary.highest_round)}"


def rows(report: Report) -> tuple[list[str], Rows]:
    """Head and body of a report's table, in its own layout."""
    return {"matrix": _matrix, "variants": _variants}.get(report.layout, _lines)(report)


def _lines(report: Report) -> tuple[list[str], Rows]:
    body = []
    for variant, found in report.summaries.items():
        for series, one in found.items():
            # A percentile is shown only where enough samples lie beyond it.
            body.append(
                [
                    variant,
                    series,
                    one.unit,
                    number(one.p50),
                    number(one.p99) if one.count >= 100 else "",
                    number(one.p999) if one.count >= 10_000 else "",
                    spread(one),
                    f"{one.count:,}",
                ]
            )
    return ["variant", "what", "unit", "p50", "p99", "p99.9", "p50 by round", "samples"], body


def _matrix(report: Report) -> tuple[list[str], Rows]:
    units: dict[str, str] = {}
    for found in report.summaries.values():
        for series, one in found.items():
            units.setdefault(series, one.unit)
    body = [
        [series, unit, *(number(found[series].p50) if series in found else "" for found in report.summaries.values())]
        for series, unit in units.items()
    ]
    return ["what", "unit", *report.summaries], body


def _variants(report: Report) -> tuple[list[str], Rows]:
    titles: dict[str, str] = {}
    for found in report.summaries.values():
        for series, one in found.items():
            titles.setdefault(series, f"{series}, {one.unit}" if one.unit else series)
    texts = {variant: turn.cells for taken in report.rounds for variant, turn in taken.items()}
    named = list(dict.fromkeys(name for cells in texts.values() for name in cells))
    body = []
    for variant, cells in texts.items():
        found = report.summaries.get(variant, {})
        numbers = [number(found[series].p50) if series in found else "" for series in titles]
        body.append([variant, *numbers, *(cells.get(name, "") for name in named)])
    return ["variant", *titles.values(), *named], body


def verdict_text(verdict: Verdict) -> str:
    goal = verdict.goal
    asked = f"{goal.variant}: {goal.series}, {goal.statistic} ≤ {number(goal.at_most)}"
    if verdict.measured is None:
        return f"{asked}: not measured"
    word = "met" if verdict.met else "MISSED"
    return f"{asked} {verdict.unit}: {number(verdict.measured)} {verdict.unit}, {word}"


def ratio_text(ratio: Ratio) -> str:
    one = ratio.comparison
    return (
        f"{one.variant} takes {number(ratio.median)}× of {one.against} ({one.series}; "
        f"by round {number(ratio.lowest)}–{number(ratio.highest)})"
    )


def conditions_text(report: Report) -> str:
    """When and on how busy a machine; one sentence."""
    text = f"{report.measured_utc}, revision {report.revision}"
    if report.conditions is not None:
        one = report.conditions
        text += (
            f", {one.took_s:.0f} s, load average {one.load_before[0]:.1f} before and {one.load_after[0]:.1f} after, "
            f"all cores {one.busy_share:.0%} busy, {one.stolen_share:.1%} taken by the host"
        )
    return text + (" (quick run: rough)" if report.quick else "")

"""The tables of docs/performance.md that come from a folder of `penstock bench`, as lines of Markdown. Pure.

Numbers are medians over the runs, with the lowest and the highest behind them. A percentile that stands on too few
samples to be told from the maximum carries an asterisk. A claim that did not hold is named under its table.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.cells import number
from penstock.harness.age_against_load import BUDGETS_MS, largest_within
from penstock.harness.catalogue import SCENARIOS
from penstock.harness.claims import evenly
from penstock.harness.overload_scenarios import USED
from penstock.harness.rvo_scenarios import THIRTEEN
from penstock.harness.scenario import Spin

Rows = Sequence[dict[str, str]]
ENOUGH = {"p50": 10, "p99": 100, "p999": 10_000}
"""samples of a run, from which on a percentile is one"""


@dataclass(frozen=True, slots=True)
class Results:
    """What a folder holds, as its files have it."""

    summary: Rows = ()
    validation: Rows = ()
    others: Rows = ()
    curve: Rows = ()
    memory: Mapping[int, Sequence[float]] = field(default_factory=dict)
    """MiB of all processes, once a second, by run of `memory_flat`"""
    sessions: Sequence[Mapping[str, Any]] = ()

    def of(self, scenario: str) -> Rows:
        """The complete runs of it."""
        return [row for row in self.summary if row["scenario"] == scenario and row["complete"] == "True"]


@dataclass(frozen=True, slots=True)
class Published:
    """RVO's own figures, of a single run of 30 s; empty where it publishes none."""

    p50: str = ""
    p99: str = ""
    p999: str = ""
    loss_fps: str = ""


RVO = {
    "baseline": Published("4.8 µs", "11.3 µs", "26.0 µs", "0"),
    "inproc_low": Published("4.8 µs", "11.4 µs", "", "0"),
    "blocking_1ms": Published("1.07 ms", "", "", "0"),
    "blocking_3ms": Published("3.07 ms", "", "", "0"),
    "blocking_10ms": Published("10.10 ms", "", "", "0"),
    "blocking_50ms": Published("50.20 ms", "", "", "10.2"),
    "load_shed": Published("4.9 µs", "13.8 µs", "50.1 ms", "0"),
    "overload_threshold": Published("", "5.30 ms", "", "0"),
    "overload_moderate": Published("", "5.21 ms", "", "117.5"),
    "overload_severe": Published("", "5.22 ms", "", "401.1"),
    "fps_1000": Published("", "12.1 µs", "", "0"),
    "fps_2000": Published("", "13.0 µs", "", "14.7"),
    "fps_5000": Published("", "13.7 µs", "", "2086"),
}
FLEETS = tuple(name for name in SCENARIOS if name.startswith("cameras64_"))
FAULTS = tuple(name for name, scenario in SCENARIOS.items() if scenario.group == "faults")
NETWORK = tuple(name for name, scenario in SCENARIOS.items() if scenario.group == "network")
MEMORY, CURVE = "memory_flat", "age_against_load"


def rvo(results: Results) -> list[str]:
    return [*_rvo_tick(results), *_rvo_loss(results)]


def _rvo_tick(results: Results) -> list[str]:
    head = ["scenario", *(f"{whose}, tick {p}" for p in ("p50", "p99", "p99.9") for whose in ("RVO", "ours")), "ticks"]
    body = []
    for scenario in THIRTEEN:
        rows, theirs = results.of(scenario.name), RVO[scenario.name]
        if rows:
            pairs = zip((theirs.p50, theirs.p99, theirs.p999), _percentiles(rows, "tick"), strict=True)
            cells = [cell for their, our in pairs for cell in (their or "–", our)]
            body.append([scenario.name, *cells, _count(rows, "tick_count")])
    return table(head, body)


def _rvo_loss(results: Results) -> list[str]:
    head = ["scenario", "RVO, lost /s", "ours, lost /s", *_heads("exec", "p50", "p99"), *_heads("age")]
    body = []
    for scenario in THIRTEEN:
        rows = results.of(scenario.name)
        if rows:
            execs = _percentiles(rows, "exec")[:2]
            lost = spread([float(row["frame_loss_rate"]) for row in rows])
            theirs = RVO[scenario.name].loss_fps
            body.append([scenario.name, theirs, lost, *execs, *_percentiles(rows, "age")])
    return table([*head, "results"], [[*row, _count(results.of(row[0]), "age_count")] for row in body])


def spinning(results: Results) -> list[str]:
    head = ["scenario", "a thread spins in", *_heads("tick", "p50", "p99"), *_heads("exec", "p50", "p99")]
    places = {Spin.NOWHERE: "nothing", Spin.MODEL: "the models' processes", Spin.HARNESS: "the supervisor"}
    body = []
    for scenario in THIRTEEN:
        for where, place in places.items():
            rows = results.of(f"{scenario.name}_spin_{where.value}" if where else scenario.name)
            if rows:
                lost = spread([float(row["frame_loss_rate"]) for row in rows])
                shown = (cell for what in ("tick", "exec", "age") for cell in _percentiles(rows, what)[:2])
                body.append([scenario.name, place, *shown, lost])
    beside = any(row[1] != places[Spin.NOWHERE] for row in body)
    return table([*head, *_heads("age", "p50", "p99"), "lost /s"], body if beside else [])


def overload(results: Results) -> list[str]:
    head = ["load", "over budget", "Jain by priority", "highest priority got", "device used"]
    body = []
    for name in FLEETS:
        rows = results.of(name)
        if rows:
            over = spread([100 * float(row["over_budget_share"]) for row in rows], " %")
            high = spread([100 * float(row["high_priority_share"]) for row in rows], " %")
            used = spread([100 * value for value in _used(results, name)], " %")
            load = f"{SCENARIOS[name].load:g}×"
            body.append([load, over, _jain(results, name), high, used, *_percentiles(rows, "age")])
    return table([*head, *_heads("age")], body)


def faults(results: Results) -> list[str]:
    """The others are the lanes without the fault; each run has one without it, in the same breath."""
    head = ["scenario", "other lanes", "they lost together", "worst lane lost", "their worst age p99", "runs"]
    body = []
    for name in FAULTS:
        rows = [row for row in results.others if row["scenario"] == name and row["faulty"] == "False"]
        runs = [[row for row in rows if row["run_id"] == run] for run in dict.fromkeys(row["run_id"] for row in rows)]
        if not runs:
            continue
        together = [100 * (1 - _sum(run, "fps_with") / max(_sum(run, "fps_without"), 1e-9)) for run in runs]
        worst = [max(float(row["lost_percent"]) for row in run) for run in runs]
        before, after = (
            [max(float(row[column]) for row in run) for run in runs]
            for column in ("age_p99_without_ms", "age_p99_with_ms")
        )
        ages = f"{spread(before, ' ms')} → {spread(after, ' ms')}"
        body.append([name, f"{len(runs[-1])}", spread(together, " %"), spread(worst, " %"), ages, f"{len(runs)}"])
    return table(head, body)


def network(results: Results) -> list[str]:
    head = ["scenario", "analysed of wanted, /s", "over budget", "highest priority got", *_heads("age"), "cores"]
    body = []
    for name in NETWORK:
        rows = results.of(name)
        if rows:
            analysed, wanted, cores = (
                spread([float(row[column]) for row in rows]) for column in ("analysed_fps", "wanted_fps", "cores")
            )
            over, high = (
                spread([100 * float(row[column]) for row in rows], " %")
                for column in ("over_budget_share", "high_priority_share")
            )
            body.append([name, f"{analysed} of {wanted}", over, high, *_percentiles(rows, "age"), cores])
    return table(head, body)


def memory(results: Results) -> list[str]:
    """The second fifth of the run against the last, as the claim has it: the first still fills caches and pools."""
    body = []
    for run, series in sorted(results.memory.items()):
        fifth = len(series) // 5
        if fifth:
            early, late = median(series[fifth : 2 * fifth]), median(series[-fifth:])
            cells = [number(value) for value in (series[0], early, late, max(series))]
            body.append([f"{run}", f"{len(series)} s", *cells, f"{100 * (late / early - 1):+.1f} %"])
    return table(["run", "seconds", "first, MiB", "second fifth", "last fifth", "highest", "growth"], body)


def curve(results: Results) -> list[str]:
    lines: list[str] = []
    largest: list[list[str]] = []
    for model, stream in dict.fromkeys((row["model"], row["stream"]) for row in results.curve):
        mine = [row for row in results.curve if (row["model"], row["stream"]) == (model, stream)]
        rows = sorted(mine, key=lambda row: int(row["cameras"]))
        columns = ("age_p50_ms", "age_p95_ms", "age_p99_ms", "granted_fps", "analysed_fps", "slowest_lane_fps", "cores")
        body = [[row["cameras"], *(number(float(row[column])) for column in columns)] for row in rows]
        head = ["cameras", "age p50, ms", "p95", "p99", "granted /s", "analysed /s", "slowest camera /s", "cores"]
        lines += [
            f"{model} model, {stream} stream, {float(rows[0]['wanted_fps']):g} a second wanted of each camera:",
            "",
        ]
        lines += table(head, body)
        found = [
            f"{largest_within(rows, budget, full_rate=False)} ({largest_within(rows, budget, full_rate=True)})"
            for budget in BUDGETS_MS
        ]
        largest.append([f"{model}, {stream}", *found])
    if largest:
        lines += [
            "Largest number of cameras up to which p99 stays within a budget (in brackets: with 95 % of the rate):"
        ]
        lines += ["", *table(["variant", *(f"{budget} ms" for budget in BUDGETS_MS)], largest)]
    return lines


def remarks(results: Results, scenarios: Sequence[str]) -> list[str]:
    """What of a block was not measured, and each claim that did not hold."""
    missing = [name for name in scenarios if name != CURVE and not results.of(name)]
    lines = [f"Not measured yet: {', '.join(missing)}.", ""] if missing else []
    rows = [row for row in results.validation if row["scenario"] in scenarios]
    broken = [row for row in rows if row["holds"] != "True"]
    if rows:
        lines += [f"{len(rows) - len(broken)} of {len(rows)} claims held over all runs.", ""]
    for row in broken:
        lines.append(f"- {row['scenario']}, run {row['run_id']}, DID NOT HOLD: {row['claim']} ({row['measured']})")
    return [*lines, ""] if broken else lines


BLOCKS: dict[str, tuple[Callable[[Results], list[str]], tuple[str, ...]]] = {
    "rvo": (rvo, tuple(scenario.name for scenario in THIRTEEN)),
    "spinning": (spinning, tuple(name for name, scenario in SCENARIOS.items() if scenario.group == "spinning")),
    "overload": (overload, tuple(name for name, scenario in SCENARIOS.items() if scenario.group == "overload")),
    "faults": (faults, FAULTS),
    "network": (network, NETWORK),
    "memory": (memory, (MEMORY,)),
    "curve": (curve, (CURVE,)),
}
"""What each block shows, and the scenarios that it is about."""


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Nothing where there is no row."""
    lines = [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body)]
    return [*lines, ""] if body else []


def spread(values: Sequence[float], unit: str = "") -> str:
    """The median, and the lowest and highest where they differ from it in what is shown."""
    return _spread(values, number, unit)


def time_text(value_ns: float) -> str:
    """In µs below a millisecond, in ms above."""
    return f"{number(value_ns / 1e3)} µs" if value_ns < 1e6 else f"{number(value_ns / 1e6)} ms"


def _spread(values: Sequence[float], text: Callable[[float], str], unit: str = "") -> str:
    if not values:
        return "–"
    middle, low, high = text(median(values)), text(min(values)), text(max(values))
    return f"{middle}{unit}" if low == high else f"{middle}{unit} ({low}–{high})"


def _percentiles(rows: Rows, what: str) -> list[str]:
    """p50, p99 and p99.9; a dash where there were no samples at all."""
    count = min((int(row["total_execs" if what == "exec" else f"{what}_count"]) for row in rows), default=0)
    if not count:
        return ["–"] * 3
    return [
        _spread([float(row[f"{what}_{name}_ns"]) for row in rows], time_text) + ("" if count >= least else "*")
        for name, least in ENOUGH.items()
    ]


def _heads(what: str, *names: str) -> list[str]:
    return [f"{what} {name}" for name in names or ("p50", "p99", "p99.9")]


def _count(rows: Rows, column: str) -> str:
    return f"{sum(int(row[column]) for row in rows):,}"


def _sum(rows: Rows, column: str) -> float:
    return sum(float(row[column]) for row in rows)


def _told(results: Results, name: str, claim: str) -> list[str]:
    return [row["measured"] for row in results.validation if (row["scenario"], row["claim"]) == (name, claim)]


def _used(results: Results, name: str) -> list[float]:
    """Model time per second, by run, as the claim about it says."""
    return [float(found[1]) for told in _told(results, name, USED.text) if (found := re.match(r"([\d.]+) s/s", told))]


def _jain(results: Results, name: str) -> str:
    found: dict[str, list[float]] = {}
    for told in _told(results, name, evenly.text):
        for priority, index in re.findall(r"priority (-?\d+): ([\d.]+)", told):
            found.setdefault(priority, []).append(float(index))
    by_priority = sorted(found.items(), key=lambda item: -int(item[0]))
    shown = (f"{priority}: {_spread(values, lambda value: f'{value:.4f}')}" for priority, values in by_priority)
    return "; ".join(shown) or "–"

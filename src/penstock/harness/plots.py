"""Draws what a results folder holds, as PNG files; docs/guide/plots.md says how to read each.

Reads only the tables, so that plots can be drawn again from results that somebody else has measured. Needs matplotlib
(`pip install penstock[bench]`); a plot whose data is not there is left out.
"""

from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from penstock.contracts.fates import Fate
from penstock.harness.catalogue import SCENARIOS
from penstock.harness.results_folder import CURVE, PLOTS, SUMMARY, read_table
from penstock.harness.single_run import BenchError

Rows = Sequence[dict[str, str]]
Drawing = Callable[[Path], list[Path]]

BUDGET_MS = 500.0
_NS_PER_MS = 1e6
_FATE_COLOURS = {
    Fate.ANALYSED: "#2a9d4a",
    Fate.NOT_DUE: "#d9d9d9",
    Fate.GATED: "#b8c4d6",
    Fate.SUPERSEDED: "#f2c14e",
    Fate.EXPIRED: "#d1495b",
    Fate.SHED: "#8d6cab",
    Fate.DEPENDENCY_STALE: "#66a5ad",
    Fate.MODEL_FAILED: "#7f1d1d",
    Fate.CANCELLED: "#9e9e9e",
    Fate.LOST: "#000000",
}


def check_plots() -> None:
    """Raises BenchError where plots cannot be drawn."""
    if find_spec("matplotlib") is None:
        raise BenchError(
            "plots need matplotlib, which is not installed. Install it with `pip install penstock[bench]`, or leave "
            "them out with --no-plots"
        )


def draw_plots(results: Path) -> list[Path]:
    """Draws every plot that the folder has data for, and gives their files."""
    check_plots()
    drawings: tuple[Drawing, ...] = (
        age_by_scenario,
        tick_by_scenario,
        age_over_time,
        fates_over_time,
        rate_by_priority,
        rss_over_time,
        age_against_load,
    )
    return [path for drawing in drawings for path in drawing(results)]


def age_by_scenario(results: Path) -> list[Path]:
    """Percentiles of age for each scenario, over all its runs: the median run, and from the best to the worst."""
    return _percentiles_by_scenario(
        results, "age", "age of results, capture to engine (ms)", "age_by_scenario.png", _NS_PER_MS, BUDGET_MS
    )


def tick_by_scenario(results: Path) -> list[Path]:
    """Percentiles of one scheduling decision for each scenario."""
    return _percentiles_by_scenario(results, "tick", "one scheduling decision (µs)", "tick_by_scenario.png", 1e3, None)


def age_over_time(results: Path) -> list[Path]:
    """p50 and p99 of each second's results."""

    def draw(axes: Any, rows: Rows) -> None:
        seconds = _column(rows, "elapsed_s")
        axes.plot(seconds, _column(rows, "age_p50_ms"), label="p50", color="#2a6fb0")
        axes.plot(seconds, _column(rows, "age_p99_ms"), label="p99", color="#d1495b")
        axes.axhline(BUDGET_MS, color="#555555", linestyle=":", label="budget 500 ms")
        axes.set_ylabel("age (ms)")
        axes.set_ylim(bottom=0)

    return _per_scenario(results, "age_over_time", draw, lambda rows: any(_column(rows, "age_p99_ms")))


def fates_over_time(results: Path) -> list[Path]:
    """What became of the frames that ended in each second, stacked."""

    def draw(axes: Any, rows: Rows) -> None:
        fates = [fate for fate in Fate if any(_column(rows, fate.label))]
        axes.stackplot(
            _column(rows, "elapsed_s"),
            *([max(0.0, value) for value in _column(rows, fate.label)] for fate in fates),
            labels=[fate.label for fate in fates],
            colors=[_FATE_COLOURS[fate] for fate in fates],
        )
        axes.set_ylabel("frames ended per second, all lanes")
        axes.set_ylim(bottom=0)

    return _per_scenario(results, "fates", draw, lambda rows: any(_column(rows, "analysed")))


def rate_by_priority(results: Path) -> list[Path]:
    """What the lanes of each priority asked for, were granted and got."""

    def draw(axes: Any, rows: Rows) -> None:
        seconds = _column(rows, "elapsed_s")
        for number, priority in enumerate(_priorities(rows)):
            colour = f"C{number}"
            analysed = _column(rows, f"analysed_fps_p{priority}")
            axes.plot(seconds, analysed, color=colour, label=f"priority {priority}: analysed")
            axes.plot(seconds, _column(rows, f"granted_fps_p{priority}"), color=colour, linestyle="--", label="granted")
            axes.plot(seconds, _column(rows, f"wanted_fps_p{priority}"), color=colour, linestyle=":", label="wanted")
        axes.set_ylabel("analyses per second, all lanes of a priority")
        axes.set_ylim(bottom=0)

    return _per_scenario(results, "rate_by_priority", draw, lambda rows: len(_priorities(rows)) > 1)


def rss_over_time(results: Path) -> list[Path]:
    """Resident memory of all processes together: every scenario of ours in one plot."""
    found = [
        (name, run, rows)
        for name, run, rows in _all_series(results)
        if SCENARIOS[name].group not in ("rvo", "spinning")
    ]
    if not found:
        return []
    figure, axes = _figure(9, 5)
    for name, run, rows in found:
        axes.plot(_column(rows, "elapsed_s"), _column(rows, "rss_mib"), label=f"{name}, run {run}", linewidth=1)
    axes.set_xlabel("seconds since the end of the warm-up")
    axes.set_ylabel("resident memory, all processes (MiB)")
    axes.set_ylim(bottom=0)
    return [_save(figure, axes, results, "rss_over_time.png")]


def age_against_load(results: Path) -> list[Path]:
    """Age percentiles and rate against the number of cameras, one panel for each model and stream."""
    rows = read_table(results / CURVE)
    variants = list(dict.fromkeys((row["model"], row["stream"]) for row in rows))
    if not variants:
        return []
    import matplotlib.pyplot as plt  # noqa: PLC0415 - most commands do without

    figure, panels = plt.subplots(1, len(variants), figsize=(5 * len(variants), 4.5), sharey=True, squeeze=False)
    for axes, (model, stream) in zip(panels[0], variants, strict=True):
        some = sorted(
            (row for row in rows if (row["model"], row["stream"]) == (model, stream)), key=lambda r: int(r["cameras"])
        )
        cameras = _column(some, "cameras")
        for name, colour in (("p50", "#2a6fb0"), ("p95", "#f2a541"), ("p99", "#d1495b")):
            axes.plot(cameras, _column(some, f"age_{name}_ms"), marker="o", color=colour, label=f"age {name}")
        for budget_ms in (100, 200, 500):
            axes.axhline(budget_ms, color="#999999", linestyle=":", linewidth=0.8)
        axes.set_title(f"{model} model, {stream} stream")
        axes.set_xlabel("cameras")
        axes.set_ylabel("age of results (ms)")
        axes.set_yscale("log")
        other = axes.twinx()
        other.plot(cameras, _column(some, "analysed_fps"), color="#2a9d4a", linestyle="--", marker=".", label="rate")
        other.set_ylabel("analyses per second and camera")
        other.set_ylim(0, max(_column(some, "wanted_fps")) * 1.1)
        lines = axes.get_lines()[:3] + other.get_lines()
        axes.legend(lines, [line.get_label() for line in lines], fontsize="small")
    figure.tight_layout()
    path = results / PLOTS / "age_against_load.png"
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return [path]


def _percentiles_by_scenario(
    results: Path, what: str, label: str, file: str, divisor: float, line: float | None
) -> list[Path]:
    rows = [row for row in read_table(results / SUMMARY) if float(row[f"{what}_count"]) > 0]
    names = [name for name in SCENARIOS if any(row["scenario"] == name for row in rows)]
    if not names:
        return []
    figure, axes = _figure(10, 1.5 + 0.28 * len(names))
    for place, name in enumerate(names):
        for percentile, colour, marker in (("p50", "#2a6fb0", "o"), ("p99", "#f2a541", "s"), ("p99.9", "#d1495b", "^")):
            column = f"{what}_{percentile.replace('.', '')}_ns"
            values = sorted(float(row[column]) / divisor for row in rows if row["scenario"] == name)
            middle = values[len(values) // 2]
            axes.plot([values[0], values[-1]], [place, place], color=colour, linewidth=2, alpha=0.4)
            axes.plot(middle, place, marker, color=colour, label=percentile if place == 0 else None)
    if line is not None:
        axes.axvline(line, color="#555555", linestyle=":", label=f"budget {line:g} ms")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel(label)
    return [_save(figure, axes, results, file)]


def _per_scenario(
    results: Path, prefix: str, draw: Callable[[Any, Rows], None], fits: Callable[[Rows], bool]
) -> list[Path]:
    """One plot of the first run of each scenario of ours that `fits`."""
    made = []
    for name, run, rows in _all_series(results):
        if run != 1 or SCENARIOS[name].group == "spinning" or not fits(rows):
            continue
        figure, axes = _figure(9, 4.5)
        draw(axes, rows)
        axes.set_title(name)
        axes.set_xlabel("seconds since the end of the warm-up")
        made.append(_save(figure, axes, results, f"{prefix}-{name}.png"))
    return made


def _all_series(results: Path) -> Iterable[tuple[str, int, Rows]]:
    for name in SCENARIOS:
        for path in sorted(results.glob(f"{name}-*.csv")):
            number = path.stem.removeprefix(f"{name}-")
            rows = read_table(path)
            if number.isdigit() and rows:
                yield name, int(number), rows


def _priorities(rows: Rows) -> list[int]:
    prefix = "wanted_fps_p"
    return sorted((int(name.removeprefix(prefix)) for name in rows[0] if name.startswith(prefix)), reverse=True)


def _column(rows: Rows, name: str) -> list[float]:
    return [float(row[name] or 0) for row in rows]


def _figure(width: float, height: float) -> tuple[Any, Any]:
    import matplotlib as mpl  # noqa: PLC0415 - most commands do without

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(width, height))
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _save(figure: Any, axes: Any, results: Path, file: str) -> Path:
    import matplotlib.pyplot as plt  # noqa: PLC0415

    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize="small", loc="best")
    figure.tight_layout()
    path = results / PLOTS / file
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path

"""From a decoded frame to the model's start, in real processes at low load: what the hand-overs themselves cost.

One camera plays a drawn file, so that no server shares the cores; `motion` is quick, so that nothing ever waits for a
model. `wait` is decoded → asked for (notice to the engine, decision), `view` asked for → pixels ready (ask to ingest,
scaling), `queue` pixels ready → the model starts (view to the engine, work to the executor), `result` its end → taken.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench import run_report
from bench.drawn_video import drawn_video
from bench.records import Benchmark, Context, Effort, Series, Taken

VARIANTS = {"processes": "process", "threads of one process": "thread"}
_PARTS = ("wait", "view", "queue")


def measure(variant: str, effort: Effort, context: Context) -> Taken:
    folder = Path(context["folder"]) / VARIANTS[variant]
    config = (
        f"isolation: {VARIANTS[variant]}\n"
        f"data_dir: {folder / 'data'}\n"
        "metrics: {port: 0}\n"
        f"cameras:\n  camera:\n    url: {context['video']}\n    models: [motion]\n"
        "    detect: {fps: 5, budget: 500ms}\n    record: {enabled: false}\n    snapshots: {enabled: false}\n"
    )
    report = run_report.run(config, folder, effort.pick(20, 6))
    series = run_report.stage_series(report, "p50") | run_report.stage_series(report, "p99")
    wake_up_ms = sum(median(series[f"{part} p50"].samples) for part in _PARTS)
    series = {"decoded to start, p50": Series("ms", [wake_up_ms])} | series
    del series["decode p50"], series["decode p99"]
    return Taken(series | run_report.age_series(report), {"report": report})


@contextmanager
def surroundings(folder: Path, effort: Effort) -> Iterator[Context]:
    del effort
    yield {"folder": str(folder), "video": str(drawn_video(folder))}


BENCHMARK = Benchmark(
    name="wake_up",
    title="from a decoded frame to the model's start, one camera, real processes",
    variants=tuple(VARIANTS),
    measure=measure,
    rounds=3,
    surroundings=surroundings,
    layout="matrix",
)

"""How old results are with 1, 4, 16 and 32 cameras, by stage, with the memory and the processors that it took.

Live RTSP from gst-rtsp-server, 640×360 at 25 frames a second, drawn, H.264 without B-frames, five analyses a second
asked of each camera within 500 ms, gate off so that every due frame costs a call. The server runs on the same cores.
Where cameras ask for more than the cores can do, the rest is refused, and the ages must hold all the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import run_report
from bench.drawn_video import FPS, drawn_video, with_headers_in_band
from bench.environment import ROOT
from bench.foreign_server import SERVER_MARKER, foreign_server
from bench.records import Benchmark, Context, Effort, Goal, Series, Skipped, Taken
from bench.stopwatch import children_with, process_cpu_ns

CAMERAS = (1, 4, 16, 32)
BUDGET_MS = 500
NETWORK = ROOT.parent / "shared" / "data" / "models" / "yolox_nano.onnx"
VARIANTS = {
    **{f"yolox_nano, {n} camera{'s' * (n > 1)}": ("yolox", n) for n in CAMERAS},
    **{f"motion, {n} camera{'s' * (n > 1)}": ("motion", n) for n in CAMERAS},
}
_MIB = 1 << 20


def measure(variant: str, effort: Effort, context: Context) -> Taken:
    model, cameras = VARIANTS[variant]
    folder = Path(context["folder"]) / f"{model}-{cameras}"
    seconds = effort.pick(25, 8)
    server_before_ns = process_cpu_ns(context["server"])
    report = run_report.run(_config(model, context["urls"][:cameras], folder), folder, seconds)
    server_cpu_s = (process_cpu_ns(context["server"]) - server_before_ns) / 1e9
    took_s = report["duration_s"]
    lanes = list(report["lanes"].values())
    # Against the frames offered, not the clock: a run's first second is spent on starting and connecting.
    rates = [lane["fates"]["analysed"] * FPS / max(1, lane["offered"]) for lane in lanes]
    kinds = _by_kind(report["processes"])
    series = {
        "analyses asked": Series("1/s", [5.0 * cameras]),
        "analysed": Series("1/s", [sum(rates)]),
        "slowest lane": Series("1/s", [min(rates)]),
        **run_report.age_series(report),
        **run_report.stage_series(report, "p50"),
        "memory (PSS), all": Series("MiB", [sum(p["pss_bytes"] for p in report["processes"].values()) / _MIB]),
        **{f"memory {kind}": Series("MiB", [pss / _MIB]) for kind, (pss, _) in kinds.items()},
        **{f"cores {kind}": Series("", [cpu_s / took_s]) for kind, (_, cpu_s) in kinds.items()},
        "cores, all": Series("", [sum(cpu_s for _, cpu_s in kinds.values()) / took_s]),
        "cores camera server": Series("", [server_cpu_s / took_s]),
    }
    fates: dict[str, int] = {}
    for lane in lanes:
        for fate, counted in lane["fates"].items():
            fates[fate] = fates.get(fate, 0) + counted
    offered = max(1, sum(fates.values()))
    for fate in ("superseded", "expired"):
        series[f"frames {fate}"] = Series("%", [100 * fates[fate] / offered])
    return Taken(series, {"books_balanced": report["books_balanced"], "fates": fates, "report": report})


def _config(model: str, urls: list[str], folder: Path) -> str:
    cameras = "".join(
        f"  camera-{n}:\n    url: {url}\n    models: [{model}]\n    detect: {{fps: 5, budget: {BUDGET_MS}ms}}\n"
        "    motion: {enabled: false}\n    record: {enabled: false}\n    snapshots: {enabled: false}\n"
        for n, url in enumerate(urls)
    )
    models = f"models:\n  yolox: {{path: {NETWORK}}}\n" if model == "yolox" else ""
    rule = "count(person) >= 2 for 1s" if model == "yolox" else "motion > 0.05 for 1s"
    return (
        f"data_dir: {folder / 'data'}\nmetrics: {{port: 0}}\ncameras:\n{cameras}{models}"
        f"rules:\n  something: {{when: '{rule}'}}\n"
    )


def _by_kind(processes: dict[str, Any]) -> dict[str, tuple[int, float]]:
    """Memory and processor seconds by kind of process."""
    found: dict[str, tuple[int, float]] = {}
    for process in processes.values():
        pss, cpu_s = found.get(process["kind"], (0, 0.0))
        found[process["kind"]] = (pss + process["pss_bytes"], cpu_s + process["cpu_s"])
    return found


@contextmanager
def surroundings(folder: Path, effort: Effort) -> Iterator[Context]:
    del effort
    if not NETWORK.is_file():
        raise Skipped("test material is absent: ../shared/data/models/yolox_nano.onnx does not exist")
    video = with_headers_in_band(drawn_video(folder))
    with foreign_server(folder) as server:
        urls = []
        for n in range(max(CAMERAS)):
            # A mount each: their pictures fall due at different instants, as those of real cameras do.
            server.add_file(f"camera-{n}", video, cached_gop=True)
            urls.append(server.url(f"camera-{n}"))
        (pid,) = children_with(SERVER_MARKER)
        yield {"folder": str(folder), "urls": urls, "server": pid}


BENCHMARK = Benchmark(
    name="ages",
    title="ages of results over RTSP, by number of cameras",
    variants=tuple(VARIANTS),
    measure=measure,
    rounds=1,
    surroundings=surroundings,
    goals=tuple(Goal(variant, "age p99, worst lane", float(BUDGET_MS)) for variant in VARIANTS),
    layout="matrix",
)

"""Control work per analysed frame: all that is done for a result but pixels and the network itself.

Engine, ingest loop and executor are measured apart, each with real messages on real links, and added up: one result
takes five notices (25 frames a second, five analyses), one ask, one submission, three rules and the journal. Back to
back shows the instructions; in real time every wake-up also finds its caches cold, which costs more than the work.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench import control_engine, control_executor, control_floor, control_ingest
from bench.drawn_video import drawn_video
from bench.records import Benchmark, Context, Effort, Goal, Series, Taken

BACK_TO_BACK, REAL_TIME = "back to back", "8 cameras in real time"
CAMERAS = 8


def measure(variant: str, effort: Effort, context: Context) -> Taken:
    folder, video = context["folder"], Path(context["video"])
    facts: dict[str, float] = {}
    if variant == BACK_TO_BACK:
        pause_s, count = 0.0, effort.pick(2000, 400)
        series = control_engine.back_to_back(f"{folder}/hot", effort.pick(10, 3), 200)
    else:
        pause_s, count = 0.005, effort.pick(400, 100)
        series, facts = control_engine.paced(f"{folder}/paced", CAMERAS, effort.pick(15, 5))
    series |= control_ingest.measure(video, count, pause_s)
    series |= control_executor.measure(count, pause_s)
    series |= control_floor.measure(count // 20, pause_s)
    parts = {name: median(one.samples) for name, one in series.items()}
    told_us, answered_us = parts["ingest, per frame told"], parts["ingest, per view asked for"]
    ingest_us = control_engine.FRAMES_PER_ANALYSIS * told_us + answered_us
    series["ingest"] = Series("µs", [ingest_us])
    series["total"] = Series("µs", [parts["engine"] + ingest_us + parts["executor"]])
    return Taken(series, facts)


@contextmanager
def surroundings(folder: Path, effort: Effort) -> Iterator[Context]:
    del effort
    yield {"folder": str(folder), "video": str(drawn_video(folder))}


BENCHMARK = Benchmark(
    name="control_work",
    title="control work per analysed frame, by processor time, no pixels touched",
    variants=(BACK_TO_BACK, REAL_TIME),
    measure=measure,
    rounds=3,
    surroundings=surroundings,
    goals=(
        Goal(BACK_TO_BACK, "engine", 150.0),
        Goal(BACK_TO_BACK, "total", 150.0),
        Goal(REAL_TIME, "total", 150.0),
    ),
)

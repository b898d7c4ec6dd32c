"""One row a second of what a run did: the time series of a scenario. Pure.

Each row is the difference of two readings, with its own percentiles: a second's p99 is the p99 of that second's
results, not of the run so far. Processes publish in their own time, so the records in two readings lie more or less
than a second apart: what is counted is divided by the time between the records, not between the readings.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from penstock.base.clock import NS_PER_MS, NS_PER_S
from penstock.contracts.fates import Fate
from penstock.harness.measured import CameraMeasured, Measured, Reading, measured, rss_bytes
from penstock.harness.summary import over_budget_share
from penstock.harness.workload import Wanted

KINDS = ("supervisor", "ingest", "engine", "executor", "recorder", "api")


def series_rows(readings: Sequence[Reading], wanted: Wanted) -> list[dict[str, Any]]:
    """One row for each reading after the first in which the engine says something new.

    `elapsed_s` counts from the end of the warm-up. Rates and fates are per second; `events` and `plan_changes` are
    counts, which add up to those of the run.
    """
    priorities = sorted({priority for _, priority in wanted.values()}, reverse=True)
    rows = []
    for before, after in pairwise(_news(readings)):
        found = measured(before, after, wanted)
        if found.seconds < 0.5:
            # The rest of a second at the end: too few results to speak of.
            continue
        rows.append(_row(found, after, (after.at_ns - readings[0].at_ns) / NS_PER_S, priorities))
    return rows


def _news(readings: Sequence[Reading]) -> list[Reading]:
    """Without those whose engine had published nothing since the one before: what it did is in the next."""
    news = list(readings[:1])
    for reading in readings[1:]:
        if reading.published_ns("engine") > news[-1].published_ns("engine"):
            news.append(reading)
    return news


def _row(found: Measured, after: Reading, elapsed_s: float, priorities: Sequence[int]) -> dict[str, Any]:
    age = found.age
    # All lanes are the engine's, and so of the same two records.
    lanes_s = max((lane.seconds for lane in found.lanes), default=0.0)
    row: dict[str, Any] = {
        "elapsed_s": round(elapsed_s, 3),
        "camera_fps": round(sum(camera.fps for camera in found.cameras), 2),
        "dropped_fps": round(sum(map(_lost_fps, found.cameras)), 2),
        "analysed_fps": round(sum(lane.analysed_fps for lane in found.lanes), 3),
        "granted_fps": round(sum(lane.granted_fps for lane in found.lanes), 3),
        "wanted_fps": round(sum(lane.wanted_fps for lane in found.lanes), 3),
        "age_p50_ms": round(age.percentile_ns(50) / NS_PER_MS, 3),
        "age_p99_ms": round(age.percentile_ns(99) / NS_PER_MS, 3),
        "over_budget_share": round(over_budget_share(found.lanes), 5),
        "tick_p50_us": round(found.plan.percentile_ns(50) / 1000, 3),
        "tick_p99_us": round(found.plan.percentile_ns(99) / 1000, 3),
        "exec_p50_ms": round(found.exec.percentile_ns(50) / NS_PER_MS, 3),
        "exec_p99_ms": round(found.exec.percentile_ns(99) / NS_PER_MS, 3),
        "events": found.events,
        "plan_changes": found.plan_changes,
        "rss_mib": round(rss_bytes(after) / 2**20, 1),
    }
    row |= {fate.label: round(found.fate(fate) / lanes_s, 2) if lanes_s > 0 else 0.0 for fate in Fate}
    for kind in KINDS:
        row[f"cores_{kind}"] = round(sum(p.cores for p in found.processes if p.kind == kind), 4)
    for priority in priorities:
        lanes = [lane for lane in found.lanes if lane.priority == priority]
        row[f"analysed_fps_p{priority}"] = round(sum(lane.analysed_fps for lane in lanes), 3)
        row[f"granted_fps_p{priority}"] = round(sum(lane.granted_fps for lane in lanes), 3)
        row[f"wanted_fps_p{priority}"] = round(sum(lane.wanted_fps for lane in lanes), 3)
    return row


def _lost_fps(camera: CameraMeasured) -> float:
    return camera.lost / camera.seconds if camera.seconds > 0 else 0.0

"""One run of the real program by its command line, and the numbers of its report as series."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.records import Series

STAGES = ("decode", "wait", "view", "queue", "compute", "result")
_START_AND_STOP_S = 60.0


def run(config: str, folder: Path, seconds: int, *options: str) -> dict[str, Any]:
    """`penstock run` with this YAML for `seconds`; raises RuntimeError with the end of what it said where it fails."""
    folder.mkdir(parents=True, exist_ok=True)
    path, report = folder / "config.yaml", folder / "report.json"
    path.write_text(config, encoding="utf-8")
    command = [sys.executable, "-m", "penstock", "run", str(path), "--quiet", "--for", f"{seconds}s"]
    done = subprocess.run(
        [*command, "--report", str(report), *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=seconds + _START_AND_STOP_S,
        check=False,
    )
    if done.returncode != 0 or not report.is_file():
        raise RuntimeError(f"penstock run ended with {done.returncode}: {done.stderr[-1500:]}")
    found: dict[str, Any] = json.loads(report.read_bytes())
    return found


def age_series(report: dict[str, Any]) -> dict[str, Series]:
    """Ages of results: one sample per lane, for the report keeps percentiles by lane."""
    lanes = list(report["lanes"].values())
    answered = [lane for lane in lanes if lane["age_ms"]["count"]]
    if not answered:
        cameras = {name: (camera["state"], camera["access_units"]) for name, camera in report["cameras"].items()}
        raise RuntimeError(f"no lane has a single result; its cameras: {cameras}")
    series = {
        f"age {percentile}": Series("ms", [lane["age_ms"][percentile] for lane in answered])
        for percentile in ("p50", "p95", "p99")
    }
    # The lane that fares worst, for a median over lanes would hide it.
    series["age p99, worst lane"] = Series("ms", [max(lane["age_ms"]["p99"] for lane in answered)])
    return series


def stage_series(report: dict[str, Any], percentile: str) -> dict[str, Series]:
    """What each stage adds to the age; stages' percentiles do not add up to the age's."""
    lanes = [lane for lane in report["lanes"].values() if lane["age_ms"]["count"]]
    return {
        f"{stage} {percentile}": Series("ms", [lane["stages_ms"][stage][percentile] for lane in lanes])
        for stage in STAGES
        if lanes and stage in lanes[0]["stages_ms"]
    }

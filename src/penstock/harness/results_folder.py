"""Keeps what was measured: CSV tables, histograms and the environment, written after every run.

Results of other scenarios, and of other runs, stay: a session adds to the folder, and replaces what it measures anew.
"""

import csv
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.harness.measured import Measured
from penstock.harness.single_run import BenchError
from penstock.telemetry.histogram import Histogram, bounds_of

SUMMARY, VALIDATION, OTHERS, CURVE = "summary.csv", "validation.csv", "others.csv", "age_against_load.csv"
ENVIRONMENT = "environment.json"
HISTOGRAMS, LOGS, PLOTS = "histograms", "logs", "plots"

Row = Mapping[str, Any]


class ResultsFolder:
    """A folder of results; only `open` and what writes may raise BenchError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self) -> "ResultsFolder":
        """Makes the folder and makes sure that it can be written."""
        try:
            for folder in (self.path, self.path / HISTOGRAMS, self.path / LOGS, self.path / PLOTS):
                folder.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".probe"
            probe.write_text("", encoding="utf-8")
            probe.unlink()
        except OSError as error:
            raise BenchError(
                f"the folder {self.path} cannot be written: {error.strerror}. Name another one with --out"
            ) from error
        return self

    def log_of(self, scenario: str, run_id: int) -> Path:
        return self.path / LOGS / f"{scenario}-{run_id}.log"

    def series_of(self, scenario: str, run_id: int) -> Path:
        return self.path / f"{scenario}-{run_id}.csv"

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """Sessions before this one are kept under `earlier`, oldest first: their results are in the folder too."""
        earlier = read_sessions(self.path)
        told = dict(environment) | ({"earlier": earlier} if earlier else {})
        self._write(self.path / ENVIRONMENT, json.dumps(told, indent=2) + "\n")

    def write_series(self, scenario: str, run_id: int, rows: Sequence[Row]) -> None:
        if rows:
            self._write(self.series_of(scenario, run_id), csv_text(rows))

    def write_histograms(self, scenario: str, run_id: int, found: Measured) -> None:
        stages = sorted({stage for lane in found.lanes for stage in lane.stages})
        whole: dict[str, Histogram] = {"tick": found.plan, "exec": found.exec, "control": found.control}
        for stage in stages:
            joined = Histogram()
            for lane in found.lanes:
                if stage in lane.stages:
                    joined.merge(lane.stages[stage])
            whole[stage] = joined
        text = json.dumps({name: histogram_json(histogram) for name, histogram in whole.items()})
        self._write(self.path / HISTOGRAMS / f"{scenario}-{run_id}.json", text + "\n")

    def merge(self, table: str, rows: Sequence[Row], keys: Sequence[str]) -> None:
        """Adds `rows` to a table; rows there that have the same `keys` as one of them go."""
        if not rows:
            return
        replaced = {tuple(str(row[key]) for key in keys) for row in rows}
        kept = [row for row in read_table(self.path / table) if tuple(row.get(key, "") for key in keys) not in replaced]
        self._write(self.path / table, csv_text([*kept, *rows]))

    def _write(self, path: Path, text: str) -> None:
        part = path.with_name(f"{path.name}.part")
        try:
            part.write_text(text, encoding="utf-8")
            os.replace(part, path)
        except OSError as error:
            raise BenchError(
                f"{path} cannot be written: {error.strerror}. Free space there, or name another folder with --out"
            ) from error


def read_table(path: Path) -> list[dict[str, str]]:
    """All rows, as texts; none where there is no such table."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_sessions(folder: Path) -> list[dict[str, Any]]:
    """The environment of every session that wrote to the folder, oldest first; none where none can be read."""
    try:
        last = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [*last.pop("earlier", []), last]


def csv_text(rows: Sequence[Row]) -> str:
    """With the columns of the first row first, and those that only others have after them."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def histogram_json(histogram: Histogram) -> dict[str, Any]:
    """Lowest value, highest value and count of every bucket that is not empty, in nanoseconds."""
    record = histogram.to_record()
    width = record.width_bytes
    counts = (
        int.from_bytes(record.counts[at : at + width], sys.byteorder) for at in range(0, len(record.counts), width)
    )
    buckets = [[*bounds_of(bucket), count] for bucket, count in enumerate(counts, record.first) if count]
    return {
        "count": record.count,
        "sum_ns": record.sum_ns,
        "min_ns": record.min_ns,
        "max_ns": record.max_ns,
        "buckets": buckets,
    }

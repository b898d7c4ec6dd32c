"""Appends every revision of every event to a file as one line of JSON, synced before it is acknowledged.

Whoever reads the file sees whole lines only: a batch that the disk refuses half-way is cut off again, and a line torn
by a crash is cut off at the next start. The format is described in `docs/events.md`.
"""

import contextlib
import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from penstock.contracts.events import Event

_BLOCK_BYTES = 64 * 1024

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JsonLinesStatistics:
    """Cumulative counts since the start."""

    lines: int
    bytes_written: int
    failures: int
    truncated_bytes: int
    """of a torn last line, cut off at the start"""


class JsonLinesSink:
    """A file of JSON lines at `path`; it grows without bound, and whoever rotates it must restart the sink."""

    name = "jsonl"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._lines = 0
        self._bytes = 0
        self._failures = 0
        self._truncated = 0

    def start(self) -> None:
        """Opens the file, makes its folder, cuts off a torn last line; raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        size = os.fstat(self._descriptor).st_size
        whole = _end_of_last_line(self._descriptor, size)
        if whole < size:
            log.warning("%s ended in %d bytes that are no whole line; cut off", self._path, size - whole)
            os.ftruncate(self._descriptor, whole)
            os.fsync(self._descriptor)
            self._truncated += size - whole

    def deliver(self, events: list[Event]) -> None:
        """Appends and syncs one line per event; raises OSError, and leaves the file as it was, where it cannot."""
        if self._descriptor is None:
            raise OSError("the events file is not open")
        data = b"".join(json_line(event) for event in events)
        before = os.fstat(self._descriptor).st_size
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fsync(self._descriptor)
        except OSError as error:
            self._failures += 1
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, before)
            raise OSError(error.errno, f"{error.strerror}; free space or make it writable", str(self._path)) from error
        self._lines += len(events)
        self._bytes += len(data)

    def stop(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def statistics(self) -> JsonLinesStatistics:
        return JsonLinesStatistics(self._lines, self._bytes, self._failures, self._truncated)


def json_line(event: Event) -> bytes:
    """One revision as JSON with a newline: the record's fields, and its instants in ISO 8601 for people."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    for name in ("start", "confirmed", "end", "decided"):
        utc_ns = fields[f"{name}_utc_ns"]
        fields[name] = _iso_utc(utc_ns) if utc_ns else None
    return msgspec.json.encode(fields) + b"\n"


def _iso_utc(utc_ns: int) -> str:
    seconds, rest_ns = divmod(utc_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns // 1000:06d}Z"


def _end_of_last_line(descriptor: int, size: int) -> int:
    end = size
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0

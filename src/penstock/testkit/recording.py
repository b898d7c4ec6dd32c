"""What a replay needs of a recorded live run: when frames came, what calls and views took, and what the plan granted.

Read from the file that `penstock trace` writes (its key `penstock`). Nothing here judges; `replay` does.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

VERSION = 1


class RecordingError(ValueError):
    """The file cannot be replayed: what is wrong with it and what to do."""


class RecordedLane(msgspec.Struct, frozen=True):
    lane: str
    camera: str
    model: str
    executor: str
    max_fps: float
    budget_ns: int
    priority: int = 0
    weight: float = 1.0
    gated: bool = True
    shadow: bool = False
    requires: tuple[str, ...] = ()
    crops_of: str = ""


class RecordedExecutor(msgspec.Struct, frozen=True):
    executor: str
    streams: int
    models: tuple[str, ...]


class RecordedCamera(msgspec.Struct, frozen=True):
    camera: str
    process: str
    lossless: bool = False


class Window(msgspec.Struct, frozen=True):
    """Frames decoded in it are recorded."""

    from_ns: int
    until_ns: int


class Table(msgspec.Struct, frozen=True):
    """Rows of values, in the order of `fields`."""

    fields: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def columns(self, *names: str) -> list[tuple[Any, ...]]:
        """The rows, with these fields only, in this order; raises RecordingError where there is none of that name."""
        try:
            places = [self.fields.index(name) for name in names]
        except ValueError:
            raise RecordingError(
                f"the recording's table has no field {next(name for name in names if name not in self.fields)!r}. "
                "Record it anew with this version's `penstock trace`"
            ) from None
        return [tuple(row[place] for place in places) for row in self.rows]


class Recording(msgspec.Struct, frozen=True):
    """One traced window of a live run. Instants are nanoseconds of its monotonic clock; cameras and lanes in rows are
    their places in `cameras` and `lanes`."""

    version: int
    window: Window
    cameras: tuple[RecordedCamera, ...]
    lanes: tuple[RecordedLane, ...]
    executors: tuple[RecordedExecutor, ...]
    arrivals: Table
    """camera, index, capture_ns, decoded_ns"""
    views: Table
    """camera, index, asked_ns (by ingest), begun_ns, made_ns"""
    analysed: Table
    """lane, call, index, capture_ns, decoded_ns, asked_ns, made_ns, submitted_ns, received_ns, started_ns, finished_ns,
    taken_ns"""
    ended: Table
    """lane, first_index, count, fate, at_ns"""
    grants: Table
    """lane, step, fps, at_ns"""
    complete: bool = True


class _File(msgspec.Struct):
    penstock: Recording


def load(content: bytes) -> Recording:
    """The recording in the text of a trace file; raises RecordingError."""
    try:
        recording = msgspec.json.decode(content, type=_File).penstock
    except msgspec.DecodeError as error:
        raise RecordingError(
            f"not a trace that can be replayed: {error}. Record one with `penstock trace --for 60s -o trace.json`"
        ) from None
    if recording.version != VERSION:
        raise RecordingError(
            f"the recording has version {recording.version}, and this program reads {VERSION}: record it anew"
        )
    if any(camera.lossless for camera in recording.cameras):
        raise RecordingError("a file read without loss has no arrivals to replay: record a run of live cameras")
    if not recording.complete:
        raise RecordingError("the recording outgrew the memory that a trace may take: record for a shorter time")
    if not recording.analysed.rows:
        raise RecordingError(
            "no frame was analysed in the recorded window: record for longer, while the models are at work"
        )
    return recording


def percentile(values: Sequence[int], percent: float) -> int:
    """The value that `percent` of all are not above; 0 where there is none."""
    if not values:
        return 0
    ordered = sorted(values)
    return ordered[max(1, -int(-len(ordered) * percent // 100)) - 1]

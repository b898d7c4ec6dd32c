"""States what was asked for and what was delivered, with a hash of every file, chained to the manifest before.

One JSON file per event beside its clip. `previous_sha256` is the hash of the camera's manifest before it, so that a
clip that was changed, swapped or removed shows. All instants are UTC nanoseconds, with ISO 8601 beside them.
"""

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from penstock.contracts.results import Result
from penstock.contracts.times import ClockReading
from penstock.evidence.naming import MANIFEST, iso_utc
from penstock.evidence.parts import sha256_of

MANIFEST_VERSION = 1


class Instant(msgspec.Struct, frozen=True):
    """One instant, twice: for programs and for people."""

    utc_ns: int
    iso: str


class Span(msgspec.Struct, frozen=True):
    """From `start` to `end`; an end of None was not known when the manifest was written."""

    start: Instant
    end: Instant | None


class PartEntry(msgspec.Struct, frozen=True):
    """One MP4 file. `start` and `end` are the capture times of its first and last picture; its time 0 is `start`."""

    file: str
    session: int
    codec: str
    width_px: int
    height_px: int
    packets: int
    size_bytes: int
    sha256: str
    start: Instant
    end: Instant
    duration_ns: int
    repaired_timestamps: int
    encoded: bool = False
    """the pictures were encoded here: the camera sends no packets that a clip can keep"""
    encoded_from: str = ""
    """the codec or pixel format they came in, where encoded"""
    left_out: int = 0
    """pictures that could not be decoded, and so not be encoded"""


class GapEntry(msgspec.Struct, frozen=True):
    """Time within the window asked for which no packets are in the clip."""

    cause: str
    """not_kept, lapped, reconnected, missing, silent or stopped"""
    start: Instant
    end: Instant


class TimeError(msgspec.Struct, frozen=True):
    """How wrong capture times can be, in nanoseconds: of the result's picture, of the clip's, and between both."""

    detect_ns: int | None
    record_ns: int | None
    between_ns: int | None
    """0 where both are one stream; their sum where they are two"""


class BoxEntry(msgspec.Struct, frozen=True):
    """`xyxy` in pixels of the picture, left, top, right, bottom."""

    xyxy: tuple[float, float, float, float]
    confidence: float
    class_id: int
    class_name: str
    tracker_id: int | None


class ResultEntry(msgspec.Struct, frozen=True):
    """The result that confirmed the event, and the picture it is of."""

    model: str
    weight_hash: str
    session: int
    seq: int
    width_px: int
    height_px: int
    captured: Instant
    time_basis: str
    boxes: tuple[BoxEntry, ...]
    classes: dict[str, float]
    scalars: dict[str, float]


class SnapshotEntry(msgspec.Struct, frozen=True):
    """The picture of `ResultEntry`, as it was decoded, without anything drawn on it."""

    file: str
    sha256: str
    quality: int


class Manifest(msgspec.Struct, frozen=True):
    """The evidence of one event."""

    version: int
    software: str
    event_id: str
    rule: str
    camera: str
    run_id: str
    host_id: str
    boot_id: str
    made: Instant
    confirmed: Instant
    event: Span
    asked: Span
    delivered: Span | None
    parts: tuple[PartEntry, ...]
    gaps: tuple[GapEntry, ...]
    truncated: str
    """why the clip ends before the window asked for; empty where it does not"""
    failure: str
    """why there is no clip; empty where there is one"""
    time_error: TimeError
    result: ResultEntry | None
    snapshot: SnapshotEntry | None
    snapshot_failure: str
    sequence: int
    """place in the camera's chain, from 1"""
    previous: str
    """the manifest before it, relative to the camera's folder; empty for the first"""
    previous_sha256: str


def instant(utc_ns: int) -> Instant:
    return Instant(utc_ns, iso_utc(utc_ns))


def result_entry(result: Result, clock: ClockReading) -> ResultEntry:
    """A result as the manifest states it."""
    frame = result.frame
    found = () if result.detections is None else tuple(result.detections.detections())
    return ResultEntry(
        model=result.model,
        weight_hash=result.weight_hash,
        session=frame.id.stream.session,
        seq=frame.id.seq,
        width_px=frame.width_px,
        height_px=frame.height_px,
        captured=instant(clock.utc_ns_of(frame.capture.mono_ns)),
        time_basis=frame.capture.basis.value,
        boxes=tuple(BoxEntry(d.xyxy, d.confidence, d.class_id, d.class_name, d.tracker_id) for d in found),
        classes={c.class_name: c.confidence for c in result.classifications},
        scalars=dict(result.scalars),
    )


def encode_manifest(manifest: Manifest) -> bytes:
    """The bytes of the file: indented JSON and a newline. Its SHA-256 is what the next manifest repeats."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def read_manifest(path: Path) -> Manifest:
    """Raises OSError, or ValueError naming the file where it is no manifest."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is not a manifest: {error}") from error


def verify_manifest(path: Path) -> list[str]:
    """What is wrong with the files that a manifest names, and with its link to the one before; [] if nothing.

    A previous manifest that is no longer there (retention removes old clips) is not a fault of this one.
    """
    try:
        manifest = read_manifest(path)
    except (OSError, ValueError) as error:
        return [str(error)]
    problems: list[str] = []
    files: list[tuple[str, str]] = [(part.file, part.sha256) for part in manifest.parts]
    if manifest.snapshot is not None:
        files.append((manifest.snapshot.file, manifest.snapshot.sha256))
    for name, expected in files:
        file = path.parent / name
        if Path(name).name != name:
            problems.append(f"{path}: names {name!r}, which is not a file beside it")
        elif not file.is_file():
            problems.append(f"{file} is missing")
        else:
            problems += _unlike(file, expected, f"in {MANIFEST}")
    if manifest.previous:
        before = path.parents[2] / manifest.previous
        if before.is_file():
            problems += _unlike(before, manifest.previous_sha256, f"that {path} repeats")
    return problems


def _unlike(file: Path, expected: str, where: str) -> list[str]:
    try:
        found = sha256_of(file)
    except OSError as error:
        return [f"{file} cannot be read: {error.strerror}"]
    return [] if found == expected else [f"{file} was changed: its SHA-256 is not the one {where}"]


def verify_chain(folder: Path) -> list[str]:
    """What is wrong with all manifests of one camera's folder, in chain order; a missing one in the middle shows.

    A folder that does not exist is a problem; one without any manifest is not.
    """
    if not folder.is_dir():
        return [f"{folder} is not a folder of clips: there is none of this name"]
    problems: list[str] = []
    links: list[tuple[int, Manifest, Path]] = []
    for path in manifests_in(folder):
        problems += verify_manifest(path)
        try:
            manifest = read_manifest(path)
        except (OSError, ValueError):
            continue
        links.append((manifest.sequence, manifest, path))
    links.sort(key=lambda link: link[0])
    for (before, _, _), (sequence, _, path) in pairwise(links):
        if sequence != before + 1:
            problems.append(f"{path} is number {sequence} of its camera, but number {sequence - 1} is missing")
    return problems


def manifests_in(folder: Path) -> Iterator[Path]:
    """All manifests of one camera's folder, newest day first."""
    yield from sorted(folder.glob(f"*/*/{MANIFEST}"), reverse=True)


class ClipChain:
    """The newest link of one camera's chain; continues from what is on disk after a restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.sequence = 0
        self.previous = ""
        self.previous_sha256 = ""

    def load(self) -> None:
        """Finds the newest manifest on disk. Events of one day may end on the next, so order is by number, not name."""
        days = sorted((day for day in self._folder.glob("*/") if any(day.glob(f"*/{MANIFEST}"))), reverse=True)
        for path in (path for day in days[:3] for path in day.glob(f"*/{MANIFEST}")):
            try:
                manifest = read_manifest(path)
            except (OSError, ValueError):
                continue  # verify_chain names it; the chain goes on from the newest that can be read
            if manifest.sequence > self.sequence:
                self.appended(path, manifest.sequence, path.read_bytes())

    def appended(self, path: Path, sequence: int, data: bytes) -> None:
        """`path` with the bytes `data` is now the newest manifest."""
        self.sequence = sequence
        self.previous = str(path.relative_to(self._folder))
        self.previous_sha256 = hashlib.sha256(data).hexdigest()


def schema() -> dict[str, Any]:
    """JSON Schema of a manifest."""
    return msgspec.json.schema(Manifest)

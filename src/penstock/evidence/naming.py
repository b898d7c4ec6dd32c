"""Every event has one folder, whose name people can read and which two events never share.

`clips/<camera>/<YYYY-MM-DD>/<HH-MM-SS>_<rule>_<event>` in UTC: sorted by time, safe on every file system. A name
that had to be changed gets a short hash of what it was, so that `front door` and `front-door` stay apart.
"""

import hashlib
import os
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

CLIPS = "clips"
MANIFEST = "manifest.json"
SNAPSHOT = "snapshot.jpg"
PARTIAL = ".partial"
_LONGEST = 48


def iso_utc(utc_ns: int) -> str:
    """UTC nanoseconds as ISO 8601 with microseconds, `2026-01-31T12:00:00.250000Z`."""
    seconds, rest_ns = divmod(utc_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns // 1000:06d}Z"


def safe_name(name: str) -> str:
    """`name` as one path component: letters, digits, `.`, `_` and `-`, at most 55 characters, never hidden or empty."""
    plain = unicodedata.normalize("NFC", name)
    kept = "".join(c if c.isalnum() or c in "._-" else "-" for c in plain)[:_LONGEST].strip(".-")
    if kept and kept == name:
        return kept
    return f"{kept or 'unnamed'}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"


def camera_folder(data_dir: Path, camera: str) -> Path:
    """Where all clips of `camera` lie."""
    return data_dir / CLIPS / safe_name(camera)


def event_folder(data_dir: Path, camera: str, rule: str, event_id: str, start_utc_ns: int) -> Path:
    """The one folder of an event, by its camera, the UTC instant of its start, its rule and its id."""
    day = datetime.fromtimestamp(start_utc_ns // 1_000_000_000, tz=UTC)
    name = f"{day:%H-%M-%S}_{safe_name(rule)}_{safe_name(event_id[:8])}"
    return camera_folder(data_dir, camera) / f"{day:%Y-%m-%d}" / name


def partial_path(path: Path) -> Path:
    """The hidden temporary name, in the same folder, of a file that is still being written."""
    return path.with_name(f".{path.name}{PARTIAL}")


def leftovers(folder: Path) -> Iterator[Path]:
    """Temporary files of one camera that a recorder which is no more left behind."""
    return folder.glob(f"*/*/.*{PARTIAL}")


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable: a rename is only kept once its folder is synced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Puts `data` at `path` at once or not at all: temporary name, sync, rename, sync of the folder.

    Raises OSError, and leaves nothing behind, where the disk is full or the folder is not writable.
    """
    temporary = partial_path(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)

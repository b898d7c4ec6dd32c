"""One segment while it is written: what `append` returned from is on the disk, and so is the segment's name."""

import contextlib
import logging
import os
from pathlib import Path

from penstock.store.records import MAGIC
from penstock.store.segments import records_in, segment_path

log = logging.getLogger(__name__)


class SegmentFile:
    """Segment `number` of the journal in `folder`. Used by one thread; every method but `close` raises OSError."""

    def __init__(self, folder: Path, number: int) -> None:
        self.number = number
        self.size_bytes = 0
        """up to here, all is synced"""
        self._folder = folder
        self._path = segment_path(folder, number)
        self._head_bytes = 0
        self._descriptor: int | None = None

    @property
    def appended_bytes(self) -> int:
        """Size without what `create` wrote."""
        return self.size_bytes - self._head_bytes

    def create(self, first_record: bytes) -> None:
        """Makes the file with its first record, synced together with its name; leaves nothing where it cannot."""
        self._descriptor = os.open(
            self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o640
        )
        try:
            self.append(MAGIC + first_record)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError:
            self.close()
            self._path.unlink(missing_ok=True)
            raise
        self._head_bytes = self.size_bytes

    def append(self, data: bytes) -> None:
        """Writes and syncs `data`. After a failure it is not known what the disk kept: `cut_back`, then `close`."""
        if self._descriptor is None:
            raise OSError(f"{self._path} is not open")
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        os.fdatasync(self._descriptor)
        self.size_bytes += len(data)

    def cut_back(self) -> None:
        """Removes what a failed `append` left, as far as the disk lets it; readers tell the rest by its checksum."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self.size_bytes)

    def close(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = None


def cut_torn_tail(path: Path) -> int:
    """Cuts a segment behind its last whole record, with a warning; the number of bytes that went. Raises OSError."""
    whole = len(MAGIC)
    for _, end in records_in(path):
        whole = end
    torn_bytes = path.stat().st_size - whole
    if torn_bytes <= 0:
        return 0
    log.warning("%s ends in %d bytes that are no whole record; cut off", path, torn_bytes)
    with path.open("r+b") as file:
        file.truncate(whole)
        os.fsync(file.fileno())
    return torn_bytes

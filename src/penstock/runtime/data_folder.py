"""The folder in which a run keeps its journal, database and clips: there, writable, and this run's alone."""

import fcntl
import os
from pathlib import Path
from typing import BinaryIO

_LOCK = ".lock"


class DataFolderError(OSError):
    """The folder cannot be used; says which, why and what to do."""

    def __str__(self) -> str:
        return str(self.args[0])


class DataFolder:
    """Held between `take` and `give_back`; the kernel gives it back too when the process ends, however it does.

    Two engines in one journal would close each other's events.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: BinaryIO | None = None

    def take(self) -> None:
        """Makes the folder where it is missing, and locks it; raises DataFolderError."""
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            lock = (self._path / _LOCK).open("a+b")
        except OSError as error:
            raise DataFolderError(
                f"the data folder {self._path} cannot be written: {error.strerror}. "
                "Choose a folder that this user may write to with data_dir in the configuration, or --data-dir"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            holder = lock.read().decode("ascii", "replace").strip()
            lock.close()
            raise DataFolderError(
                f"the data folder {self._path} is in use by another run{f' (process {holder})' if holder else ''}. "
                "End that run, or give this one a folder of its own with data_dir in the configuration, or --data-dir"
            ) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n".encode())
        lock.flush()
        self._lock = lock

    def give_back(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

"""A camera whose pictures a program on this host pushes: ingest listens on a Unix socket, one sender at a time.

The socket stays open from the first attempt on, so that a program finds it whenever it comes; a second one waits until
the first has gone. A lock beside it keeps a second listener (`penstock probe`) from taking it away from the first. What
does not speak as `push_wire` says is disconnected.
"""

import contextlib
import fcntl
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from penstock.base.clock import NS_PER_S, Clock
from penstock.contracts.identity import StreamKey
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.sources import push_address, push_wire
from penstock.sources.push_session import PushSession
from penstock.sources.reopenable import ReopenableSource

_LOOK_NS = NS_PER_S // 10


class PushSource(ReopenableSource[PushSession]):
    """`wait_open` waits for a program to come, `open_timeout_ns` at most; `interrupt` is final."""

    def __init__(
        self,
        spec: StreamSpec,
        *,
        key: Callable[[int], StreamKey],
        clock: Clock,
        new_session: Callable[[], int],
        data_dir: Path,
    ) -> None:
        super().__init__(spec, key=key, clock=clock, new_session=new_session)
        self._data_dir = data_dir
        self._listener: socket.socket | None = None
        self._lock: BinaryIO | None = None
        self._accepting = threading.Lock()
        self._path = data_dir / push_address.FOLDER

    def interrupt(self) -> None:
        super().interrupt()
        listener = self._listener
        if listener is None:
            return
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._path.unlink()
        if self._accepting.acquire(blocking=False):
            # Else whoever accepts closes it: closed under its hands, its number could pass to another file.
            self._close_listener()
            self._accepting.release()

    def _wait_connect(self) -> PushSession:
        """Raises SourceError `timeout` where no program comes."""
        with self._accepting:
            connection = self._wait_accepted()
        connection.settimeout(self._spec.stall_timeout_ns / NS_PER_S)
        with contextlib.suppress(OSError):
            connection.sendall(push_wire.GREETING)
        return PushSession(connection, spec=self._spec, url=self._url, key=self._next_key(), clock=self._clock)

    def _wait_accepted(self) -> socket.socket:
        listener = self._listener or self._listen()
        if self._interruption.is_set():
            self._close_listener()
        self._refuse_interrupted()
        until_ns = self._clock.now_ns() + self._spec.open_timeout_ns
        try:
            while (left_ns := until_ns - self._clock.now_ns()) > 0:
                # Not every kernel wakes who waits for a connection when the socket is shut down.
                listener.settimeout(min(left_ns, _LOOK_NS) / NS_PER_S)
                with contextlib.suppress(TimeoutError):
                    return listener.accept()[0]
                if self._interruption.is_set():
                    self._close_listener()
                    self._refuse_interrupted()
            raise SourceError(
                SourceFault.TIMEOUT,
                f"{self._url}: no program pushes pictures",
                f"Start it, with PushCamera({str(self._data_dir)!r}, {push_address.name_in(self._spec.url)!r})",
            )
        except OSError as error:
            self._close_listener()
            self._refuse_interrupted()
            raise SourceError(SourceFault.IO_ERROR, f"{self._url}: cannot listen ({error.strerror})") from None

    def _listen(self) -> socket.socket:
        try:
            name = push_address.name_in(self._spec.url)
        except ValueError as error:
            raise SourceError(SourceFault.UNSUPPORTED, str(error)) from None
        folder = self._data_dir / push_address.FOLDER
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_lock(folder / f"{name}.lock")
            self._path = folder / f"{name}.sock"
            # What is there was left by an engine that died: nobody else holds the lock.
            self._path.unlink(missing_ok=True)
            with push_address.short_path(self._data_dir, name) as path:
                listener.bind(path)
            os.chmod(self._path, 0o600)
            listener.listen(4)
        except SourceError:
            listener.close()
            raise
        except OSError as error:
            listener.close()
            self._close_listener()
            raise SourceError(
                SourceFault.IO_ERROR,
                f"{self._url}: no socket can be made in {folder} ({error.strerror})",
                "Choose a data folder on a local file system that this user may write to",
            ) from None
        self._listener = listener
        return listener

    def _close_listener(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    def _take_lock(self, path: Path) -> None:
        """The kernel gives it back when this process ends, however it does."""
        self._lock = path.open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            raise SourceError(
                SourceFault.REFUSED,
                f"{self._url}: another engine takes this camera's pictures",
                "End that run, or push to another name",
            ) from None

"""Gives Penstock pictures from a Python program on the same host, without ever making that program wait.

The camera's address in the configuration is `push://NAME`; its pictures go through a Unix socket in the data folder.

    with PushCamera("penstock-data", "NAME") as camera:
        camera.push_nowait(picture)
"""

import contextlib
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from penstock.sources import push_address, push_wire
from penstock.sources.push_wire import PushedHeader

RETRY_S = 0.2
SEND_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class PushStatistics:
    """Cumulative counts since the camera was made."""

    pushed: int
    """handed to the sending thread"""
    refused: int
    """the engine was away, or had not yet taken the picture before"""
    sent: int
    lost: int
    """handed over, but the connection broke before they were sent whole"""
    connections: int


class PushCamera:
    """The sending end of one `push://NAME` camera; the engine may come, go and come back.

    `start` and `stop`, or a `with` block, bracket its use. Any thread may push; one picture waits at most.
    """

    def __init__(self, data_dir: str | Path, name: str) -> None:
        self._data_dir = Path(data_dir)
        self._name = push_address.name_in(f"push://{name}")
        self._lock = threading.Condition()
        self._next: tuple[PushedHeader, bytes] | None = None
        self._connected = False
        self._busy = False
        self._stopping = threading.Event()
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._counts = {"pushed": 0, "refused": 0, "sent": 0, "lost": 0, "connections": 0}

    @property
    def connected(self) -> bool:
        """Whether an engine takes pictures of this camera from here now."""
        return self._connected

    def push_nowait(
        self, picture: npt.NDArray[np.uint8] | bytes, captured_ns: int | None = None, *, rgb: bool = False
    ) -> bool:
        """Hands one picture over; False, and counted, where the engine does not keep up or is not there.

        `picture` is H×W×3 uint8 in BGR order (RGB where `rgb`), H×W uint8 grey, or the bytes of a JPEG; it is copied.
        `captured_ns` is `time.monotonic_ns()` at the exposure; without it the picture is dated by its arrival. Raises
        ValueError for anything else, and for pictures beyond 16384 pixels a side or 64 MiB.
        """
        header, size = _described(picture, captured_ns, rgb)
        with self._lock:
            if not self._connected or self._next is not None or self._busy:
                self._counts["refused"] += 1
                return False
            data = picture if isinstance(picture, bytes) else np.ascontiguousarray(picture).tobytes()
            assert len(data) == size
            self._next = (header, data)
            self._counts["pushed"] += 1
            self._lock.notify()
        return True

    def wait_connected(self, timeout_s: float) -> bool:
        """Waits until an engine takes pictures from here; False where none did in time."""
        with self._lock:
            return self._lock.wait_for(lambda: self._connected, timeout_s)

    def statistics(self) -> PushStatistics:
        with self._lock:
            return PushStatistics(**self._counts)

    def start(self) -> None:
        """Looks for the engine from now on, in a thread of its own."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=f"push-{self._name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Disconnects; returns when the thread has ended. A picture that is not yet sent is lost, and counted."""
        self._stopping.set()
        with self._lock:
            self._lock.notify_all()
        self._shut()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> "PushCamera":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                self._socket = connection
                self._serve(connection)
            self._socket = None
            with self._lock:
                self._connected = False
                self._counts["lost"] += int(self._busy) + int(self._next is not None)
                self._busy, self._next = False, None
            self._stopping.wait(RETRY_S)

    def _serve(self, connection: socket.socket) -> None:
        """Raises OSError when the connection is over."""
        # Where five wait already, to connect would wait too, and not even `stop` could end that.
        connection.settimeout(SEND_TIMEOUT_S)
        with push_address.short_path(self._data_dir, self._name) as path:
            connection.connect(path)
        connection.settimeout(None)
        if self._stopping.is_set():
            return
        # Whoever is second waits here until the first has gone.
        greeting = connection.recv(len(push_wire.GREETING), socket.MSG_WAITALL)
        if greeting != push_wire.GREETING:
            return
        connection.settimeout(SEND_TIMEOUT_S)
        with self._lock:
            self._connected = True
            self._counts["connections"] += 1
            self._lock.notify_all()
        while not self._stopping.is_set():
            with self._lock:
                self._lock.wait_for(lambda: self._next is not None or self._stopping.is_set(), RETRY_S)
                taken, self._next = self._next, None
                self._busy = taken is not None
            if taken is None:
                self._look_alive(connection)
                continue
            header, data = taken
            connection.sendall(push_wire.encode_header(header))
            connection.sendall(data)
            with self._lock:
                self._busy = False
                self._counts["sent"] += 1

    def _look_alive(self, connection: socket.socket) -> None:
        """The engine says nothing after its greeting: what can be read is its end."""
        with contextlib.suppress(BlockingIOError):
            if not connection.recv(1, socket.MSG_DONTWAIT):
                raise ConnectionResetError

    def _shut(self) -> None:
        shut = self._socket
        if shut is not None:
            with contextlib.suppress(OSError):
                shut.shutdown(socket.SHUT_RDWR)


def _described(picture: npt.NDArray[np.uint8] | bytes, captured_ns: int | None, rgb: bool) -> tuple[PushedHeader, int]:
    if isinstance(picture, bytes):
        if not picture.startswith(b"\xff\xd8") or len(picture) > push_wire.LARGEST_BYTES:
            raise ValueError("bytes are taken for a JPEG of at most 64 MiB, and these are none")
        return PushedHeader("jpeg", 0, 0, captured_ns, len(picture)), len(picture)
    shape: tuple[int, ...] = tuple(getattr(picture, "shape", ()))
    grey = len(shape) == 2
    if getattr(picture, "dtype", None) != np.uint8 or not (grey or (len(shape) == 3 and shape[2] == 3)):
        raise ValueError(
            f"a picture is a uint8 array of H×W×3 or H×W, or JPEG bytes, not {getattr(picture, 'dtype', '')} {shape}"
        )
    height_px, width_px = shape[0], shape[1]
    size = height_px * width_px * (1 if grey else 3)
    largest_px = push_wire.LARGEST_SIDE_PX
    if not (0 < width_px <= largest_px and 0 < height_px <= largest_px) or size > push_wire.LARGEST_BYTES:
        raise ValueError(
            f"a picture has 1 to {largest_px} pixels a side and at most 64 MiB, not {width_px}x{height_px}"
        )
    name = "gray" if grey else "rgb24" if rgb else "bgr24"
    return PushedHeader(name, width_px, height_px, captured_ns, size), size

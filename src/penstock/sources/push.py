"""A camera whose pictures a program on this host pushes: ingest listens on a Unix socket, one sender at a time.

The socket stays open from the first attempt on, so that a program finds it whenever it comes; a second one waits until
the first has gone. What does not speak as `push_wire` says is disconnected. A picture is read whole or not at all.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from penstock.base.clock import NS_PER_MS, NS_PER_S, Clock
from penstock.contracts.identity import FrameId, StreamKey
from penstock.contracts.packets import EncodedImage, RawFrame, StreamInfo
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.sources import faults, push_address, push_wire
from penstock.sources.arrival_clock import ArrivalClock
from penstock.sources.interruption import Interruption
from penstock.sources.reopenable import ReopenableSource

SENDER_ERROR_NS = NS_PER_MS
"""claimed for a time that the program states: what lies between exposure and its reading of the clock is its affair"""
OLDEST_NS = 30 * NS_PER_S
"""a stated time further back, or in the future, is not believed"""
_PIECE_BYTES = 1 << 20


class PushSource(ReopenableSource["PushSession"]):
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

    def _wait_connect(self) -> "PushSession":
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
        listener.settimeout(self._spec.open_timeout_ns / NS_PER_S)
        try:
            return listener.accept()[0]
        except TimeoutError:
            raise SourceError(
                SourceFault.TIMEOUT,
                f"{self._url}: no program pushes pictures",
                f"Start it, with PushCamera({str(self._data_dir)!r}, {push_address.name_in(self._spec.url)!r})",
            ) from None
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
            self._path = folder / f"{name}.sock"
            # What is there was left by an engine that died: a data folder has one engine at a time.
            self._path.unlink(missing_ok=True)
            with push_address.short_path(self._data_dir, name) as path:
                listener.bind(path)
            os.chmod(self._path, 0o600)
            listener.listen(4)
        except OSError as error:
            listener.close()
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


class PushSession:
    """One program's connection."""

    def __init__(self, connection: socket.socket, *, spec: StreamSpec, url: str, key: StreamKey, clock: Clock) -> None:
        self._connection = connection
        self._spec = spec
        self._url = url
        self._key = key
        self._clock = clock
        self._interruption = Interruption()
        self._arrival = ArrivalClock()
        self._last_sender_ns = 0
        self._seq = 0
        self.times_refused = 0
        """stated times that could not be: older than the one before, in the future, or long past"""

    @property
    def session(self) -> int:
        return self._key.session

    def info(self, info_id: int) -> StreamInfo:
        raise LookupError(f"pushed pictures describe themselves; there is no configuration {info_id}")

    def wait_read(self) -> EncodedImage | RawFrame:
        """The next picture, whole; raises SourceError where none is within `stall_timeout_ns`."""
        first = self._wait_bytes(push_wire.HEADER.size)
        began_ns = self._clock.now_ns()
        try:
            header = push_wire.decode_header(bytes(first))
        except push_wire.PushProtocolError as error:
            raise SourceError(
                SourceFault.INVALID_DATA,
                f"{self._url}: the program that pushes is disconnected: {error}",
                "Push with penstock.push.PushCamera of this version",
            ) from None
        data = bytes(self._wait_bytes(header.size_bytes))
        capture = self._captured(header.captured_ns, began_ns)
        identity = FrameId(self._key, self._seq)
        self._seq += 1
        received_ns = self._clock.now_ns()
        if header.format == "jpeg":
            return EncodedImage(identity, "image/jpeg", data, received_ns, capture)
        return RawFrame(identity, header.format, header.width_px, header.height_px, data, received_ns, capture)

    def interrupt(self) -> None:
        self._interruption.set()
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._connection.close()

    def _captured(self, stated_ns: int | None, began_ns: int) -> CaptureTime:
        arrival = self._arrival.stamp(began_ns)
        if stated_ns is None:
            return arrival
        if not max(self._last_sender_ns, began_ns - OLDEST_NS) <= stated_ns <= began_ns:
            self.times_refused += 1
            return arrival
        self._last_sender_ns = stated_ns
        return CaptureTime(stated_ns, TimeBasis.SENDER, SENDER_ERROR_NS)

    def _wait_bytes(self, count: int) -> bytearray:
        data = bytearray(count)
        view, got = memoryview(data), 0
        until_ns = self._clock.now_ns() + self._spec.stall_timeout_ns
        while got < count:
            if self._interruption.is_set():
                raise faults.interrupted(self._url)
            try:
                size = self._connection.recv_into(view[got : got + _PIECE_BYTES])
            except TimeoutError:
                raise faults.stalled(self._url, self._spec.stall_timeout_ns) from None
            except OSError as error:
                raise self._ended(error.strerror or "") from None
            if not size:
                raise self._ended("")
            got += size
            if got < count and self._clock.now_ns() > until_ns:
                raise faults.stalled(self._url, self._spec.stall_timeout_ns)
        return data

    def _ended(self, why: str) -> SourceError:
        if self._interruption.is_set():
            return faults.interrupted(self._url)
        reason = f" ({why})" if why else ""
        return SourceError(SourceFault.IO_ERROR, f"{self._url}: the program that pushes has gone{reason}")

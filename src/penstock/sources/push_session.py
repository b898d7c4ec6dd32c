"""Reads the pictures that one program pushes, each whole or not at all, and dates them.

A time that the program states is believed where it can be; else the picture is dated by its arrival.
"""

import contextlib
import socket

from penstock.base.clock import NS_PER_MS, NS_PER_S, Clock
from penstock.contracts.identity import FrameId, StreamKey
from penstock.contracts.packets import EncodedImage, RawFrame, StreamInfo
from penstock.contracts.sources import SessionStatistics, SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.sources import faults, push_wire
from penstock.sources.arrival_clock import ArrivalClock
from penstock.sources.interruption import Interruption

SENDER_ERROR_NS = NS_PER_MS
"""claimed for a time that the program states: what lies between exposure and its reading of the clock is its affair"""
OLDEST_NS = 30 * NS_PER_S
"""a stated time further back, or in the future, is not believed"""
_PIECE_BYTES = 1 << 20


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
        self._last_given_ns = 0
        self._seq = 0
        self._times_refused = 0

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

    def statistics(self) -> SessionStatistics:
        return SessionStatistics(times_refused=self._times_refused)

    def _captured(self, stated_ns: int | None, began_ns: int) -> CaptureTime:
        """A stated time is refused where it is older than the one before, in the future, or long past."""
        capture = self._arrival.stamp(began_ns)
        if stated_ns is not None:
            if max(self._last_sender_ns, began_ns - OLDEST_NS) <= stated_ns <= began_ns:
                self._last_sender_ns = stated_ns
                # After a picture that was dated by its arrival the true time may lie before what was given for that.
                given_ns = max(stated_ns, self._last_given_ns)
                capture = CaptureTime(given_ns, TimeBasis.SENDER, SENDER_ERROR_NS + given_ns - stated_ns)
            else:
                self._times_refused += 1
        self._last_given_ns = capture.mono_ns
        return capture

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

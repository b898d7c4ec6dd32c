"""One camera through the product's own reading and decoding, every picture's stated time beside its true one."""

import random
import threading
from collections.abc import Callable
from itertools import count

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

from penstock.base.clock import SystemClock
from penstock.contracts.specs import GateSpec, StreamSpec
from penstock.framebus.counters import CounterBlock
from penstock.framebus.regions import HeapRegions
from penstock.framebus.ring import RingWriter, format_ring, ring_bytes
from penstock.ingest import books
from penstock.ingest.books import UnitReading
from penstock.ingest.gate import Gate
from penstock.ingest.newest import NewestFrame
from penstock.ingest.stream import StreamWorker
from penstock.runtime.wiring import RING_ENTRIES
from penstock.sources.backoff import Backoff
from penstock.sources.opening import open_source

TrueTime = Callable[[NDArray[np.uint8], int], int | None]
"""(luma, instant at which it was received) → true instant of capture, None where the picture does not tell"""


class Seen(msgspec.Struct, frozen=True):
    """One decoded picture; times are monotonic."""

    stated_ns: int
    claimed_error_ns: int
    true_ns: int | None
    received_ns: int

    @property
    def error_ns(self) -> int | None:
        """How far the stated time lies after the true one; None where the picture did not tell."""
        return None if self.true_ns is None else self.stated_ns - self.true_ns


class Watched(msgspec.Struct, frozen=True):
    connect_ns: int
    first_picture_ns: int
    """from the start of the connection to the first decoded picture; 0 where none came"""
    seen: tuple[Seen, ...]
    units: UnitReading
    said: str
    """why the stream was not up, where it was not"""


class _Notes:
    """Notes each picture in the thread that decoded it."""

    def __init__(self, true_time: TrueTime, clock: SystemClock) -> None:
        self._true_time = true_time
        self._clock = clock
        self._index = 0
        self.newest = NewestFrame()
        self.first_ns = 0
        self.began = threading.Event()
        self.seen: list[Seen] = []

    def note(self) -> None:
        newest = self.newest.look().newest
        if newest is None or newest.ref.index == self._index:
            return
        self.first_ns = self.first_ns or self._clock.now_ns()
        ref, self._index = newest.ref, newest.ref.index
        true_ns = self._true_time(_luma(newest.picture), ref.received_ns)
        self.seen.append(Seen(ref.capture.mono_ns, ref.capture.error_ns, true_ns, ref.received_ns))
        self.began.set()


def watch(spec: StreamSpec, true_time: TrueTime, *, seconds: float, first_within_s: float = 30.0) -> Watched:
    """Plays `spec` for `seconds` after its first picture, for which it waits `first_within_s`."""
    clock, regions, sessions = SystemClock(), HeapRegions(), count(1)
    notes = _Notes(true_time, clock)
    ring = regions.create("ring", ring_bytes(spec.ring_bytes, RING_ENTRIES))
    format_ring(ring, spec.ring_bytes, RING_ENTRIES)
    source = open_source(
        spec, host_id="host", boot_id="boot", run_id="bench", clock=clock, new_session=sessions.__next__
    )
    worker = StreamWorker(
        spec,
        source,
        books=books.UnitBooks(CounterBlock(memoryview(bytearray(8 * books.WORDS)), books.WORDS)),
        ring=RingWriter(ring, spec.ring_seconds_ns),
        newest=notes.newest,
        gate=Gate(GateSpec(enabled=False)),
        backoff=Backoff(spec.reconnect_cap_ns, random.random),
        clock=clock,
        on_news=notes.note,
    )
    began_ns = clock.now_ns()
    worker.start()
    try:
        if notes.began.wait(first_within_s):
            clock.wait(threading.Event(), seconds)
        status = worker.status()
    finally:
        worker.stop_nowait()
        worker.wait_stopped(5.0)
    return Watched(
        connect_ns=status.connect_ns,
        first_picture_ns=notes.first_ns - began_ns if notes.first_ns else 0,
        seen=tuple(notes.seen),
        units=worker.status().units,
        said=status.reason,
    )


def _luma(picture: av.VideoFrame) -> NDArray[np.uint8]:
    plane = picture.planes[0]
    rows: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: picture.height, : picture.width]

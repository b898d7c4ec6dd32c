"""The ingest loop's share of control work: what it takes to tell of a frame and to answer an ask, without pixels.

The loop's own calls on real workers, real links and real slots, timed by the processor time of the calling thread; the
maker of views is replaced by one that touches no pixel. The other end of the link is emptied between the samples.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import av

from bench import scripted
from bench.child_rig import clock_reading
from bench.records import Series
from bench.stopwatch import thread_cpu_us
from penstock.base.clock import SystemClock
from penstock.contracts.frames import Affine, Location, Plane, View, ViewSpec
from penstock.contracts.messages import Ask, Box, Message, ViewReady
from penstock.contracts.specs import GateSpec
from penstock.framebus.counters import CounterBlock
from penstock.framebus.links import Link, link_pair
from penstock.framebus.regions import HeapRegions
from penstock.framebus.ring import RingWriter
from penstock.framebus.slots import LeaseBook, SlotAllocator
from penstock.ingest import books
from penstock.ingest.gate import Gate
from penstock.ingest.newest import NewestFrame
from penstock.ingest.service import IngestService, ServedCamera
from penstock.ingest.stream import StreamWorker
from penstock.ingest.views import ViewMaker
from penstock.runtime import wiring
from penstock.sources.backoff import Backoff
from penstock.sources.opening import open_source

CAMERAS = 8
_UP_WITHIN_S = 10.0


class NoPixels(ViewMaker):
    """Says what a real view of this picture would be, and writes nothing."""

    def make(
        self, picture: av.VideoFrame, spec: ViewSpec, slot: memoryview, box: Box | None = None
    ) -> tuple[Plane, Affine, str, bool]:
        del picture, slot, box
        return Plane(0, spec.width_px * 3, spec.width_px, spec.height_px), Affine(1.54, 1.54, 0.0, 0.0), "bt601", False


@contextmanager
def ingest(video: Path) -> Iterator[tuple[IngestService, list[ServedCamera], LeaseBook]]:
    """Cameras that play `video` live in threads, all up, and the service that speaks for them."""
    clock, regions = SystemClock(), HeapRegions()
    spec = scripted.run_spec(str(video.parent), clock_reading(), CAMERAS, url=str(video))
    memory = wiring.create_regions(spec, regions)
    leases = LeaseBook()
    sessions = count(1)
    served = []
    for camera in spec.cameras:
        stream = camera.streams[0]
        source = open_source(
            stream, host_id="host", boot_id="boot", run_id="bench", clock=clock, new_session=sessions.__next__
        )
        worker = StreamWorker(
            stream,
            source,
            books=books.UnitBooks(CounterBlock(memory[wiring.units_region(camera.name, 0)].memory, books.WORDS)),
            ring=RingWriter(memory[wiring.ring_region(camera.name, 0)], stream.ring_seconds_ns),
            newest=NewestFrame(),
            gate=Gate(GateSpec(enabled=False)),
            backoff=Backoff(stream.reconnect_cap_ns, random.random),
            clock=clock,
            on_news=lambda: None,
        )
        pool = memory[wiring.pool_region(camera.name)]
        leases.attach(pool)
        one = ServedCamera(worker, SlotAllocator(pool), Location.MEMFD)
        one.maker = NoPixels()
        served.append(one)
    for one in served:
        one.worker.start()
    try:
        until_s = time.monotonic() + _UP_WITHIN_S
        while any(one.worker.newest.look().newest is None for one in served):
            if time.monotonic() > until_s:
                raise RuntimeError(f"the drawn cameras gave no picture within {_UP_WITHIN_S:g} s")
            time.sleep(0.02)
        yield IngestService(served, clock), served, leases
    finally:
        for one in served:
            one.worker.stop_nowait()
        for one in served:
            one.worker.wait_stopped(2.0)


def measure(video: Path, samples: int, pause_s: float) -> dict[str, Series]:
    """`pause_s` between samples lets caches go cold, as they do between frames."""
    ours, theirs = link_pair()
    here, there = Link(ours, "engine").open(), Link(theirs, "ingest").open()
    notices: list[float] = []
    answers: list[float] = []
    with ingest(video) as (service, served, leases):
        service.connect(here.send_nowait)
        _empty(there)
        for number in range(samples):
            camera = served[number % len(served)]
            time.sleep(pause_s)
            # As if the engine had heard of no frame of this camera: exactly one notice is due.
            for one in served:
                newest = one.worker.newest.look().newest
                one.told_index = newest.ref.index if newest is not None and one is not camera else 0
            notices.append(thread_cpu_us(service.tell_news))
            _empty(there)
            time.sleep(pause_s)
            newest = camera.worker.newest.look().newest
            assert newest is not None
            ask = Ask(number, camera.worker.spec.camera, scripted.VIEW, newest.ref.index - 1, 0)
            answers.append(thread_cpu_us(partial(service.handle, ask)))
            views = [message.views[0] for message in _empty(there) if isinstance(message, ViewReady)]
            assert len(views) == 1, "the ask was not answered with a view"
            _give_back(leases, views[0])
    here.close()
    there.close()
    return {"ingest, per frame told": Series("µs", notices), "ingest, per view asked for": Series("µs", answers)}


def _give_back(leases: LeaseBook, view: View) -> None:
    assert leases.take(view), "the view's lease had ended"
    leases.give_back(view.lease)


def _empty(link: Link) -> list[Message]:
    found = []
    while (received := link.receive_nowait()) is not None:
        found.append(received[0])
    return found

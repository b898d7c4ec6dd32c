"""The executor's share of control work: from a submission on its link to the outcome on it, without a network.

The real executor with its stream threads and a loop as an executor process has it; its model answers from a script.
"""

import select
import threading
import time

from bench import scripted
from bench.records import Series
from penstock.base.clock import SystemClock
from penstock.base.reactor import Reactor
from penstock.contracts.frames import Affine, Location, Plane, View
from penstock.contracts.messages import Completed, Submit
from penstock.contracts.results import Result
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import Work
from penstock.framebus.links import Link, link_pair
from penstock.framebus.regions import HeapRegions
from penstock.framebus.slots import SlotAllocator, SlotReader, format_pool, pool_bytes
from penstock.models.executor import ModelExecutor
from penstock.models.model import Pixels

SLOT_BYTES = 416 * 416 * 3
_ANSWER_S = 5.0


class AtOnce:
    """A model that says five people without looking."""

    description = scripted.DESCRIPTION

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:
        del stream, pixels
        return scripted.result(view.frame)

    def close(self) -> None:
        """Holds nothing."""


def measure(samples: int, pause_s: float) -> dict[str, Series]:
    """Processor time of all threads but the one that submits, by call."""
    clock = SystemClock()
    region = HeapRegions().create("pool:camera-0", pool_bytes(4, SLOT_BYTES))
    format_pool(region, 4, SLOT_BYTES)
    slots, reader = SlotAllocator(region), SlotReader()
    reader.attach(region)
    slot = slots.acquire_nowait()
    assert slot is not None
    ours, theirs = link_pair()
    engine, link = Link(ours, "executor").open(), Link(theirs, "engine").open()
    reactor = Reactor(clock).open()
    executor = ModelExecutor(
        "cpu",
        "cpu",
        (ModelSpec(scripted.MODEL),),
        2,
        reader,
        clock,
        on_completed=reactor.wake_nowait,
        on_loaded=lambda model, told: None,  # noqa: ARG005
        load=lambda spec, streams: AtOnce(),  # noqa: ARG005
    )

    def take() -> None:
        while (received := link.receive_nowait()) is not None:
            assert isinstance(received[0], Submit)
            executor.submit_nowait(received[0].work)

    def tell() -> None:
        for outcome in executor.completed_nowait():
            link.send_nowait(Completed(outcome))

    reactor.on_readable(link, take)
    reactor.on_wake(tell)
    executor.start()
    executor.wait_loaded(_ANSWER_S)
    loop = threading.Thread(target=reactor.run, name="loop")
    loop.start()
    calls: list[float] = []
    try:
        for number in range(samples):
            time.sleep(pause_s)
            frame = scripted.frame("camera-0", number + 1, time.monotonic_ns())
            view = View(
                frame,
                scripted.VIEW,
                slot[0],
                Location.HEAP,
                "cpu",
                (Plane(0, 416 * 3, 416, 416),),
                Affine(1.54, 1.54, 0.0, 0.0),
            )
            work = Work(number, 1, scripted.MODEL, "camera-0/people", (view,), 1 << 62, frame.decoded_ns)
            spent_ns = time.process_time_ns() - time.thread_time_ns()
            engine.send_nowait(Submit(work))
            if not select.select([engine.fileno()], [], [], _ANSWER_S)[0]:
                raise RuntimeError(f"the executor gave no outcome within {_ANSWER_S:g} s")
            received = engine.receive_nowait()
            # The threads that answered may still be on their way back to waiting: that belongs to the call, too.
            time.sleep(0.0005)
            assert received is not None
            assert isinstance(received[0], Completed)
            assert received[0].outcome.results, f"the call failed: {received[0].outcome.failure}"
            calls.append((time.process_time_ns() - time.thread_time_ns() - spent_ns) / 1000)
    finally:
        reactor.stop_nowait()
        loop.join()
        executor.stop()
        reactor.close()
        engine.close()
        link.close()
    return {"executor": Series("µs", calls)}

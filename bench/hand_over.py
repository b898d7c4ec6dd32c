"""A 416×416×3 picture to another process and an answer back: a leased slot and a message, beside a pickled pipe.

Both contestants give the receiver a NumPy array of the picture, of which it adds up every 4,096th byte; both answer
with a small message. The sender's picture lies in an array of its own, as a scaled frame does.
"""

import multiprocessing
import select
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray

from bench import scripted
from bench.records import Benchmark, Comparison, Context, Effort, Series, Taken
from penstock.contracts.frames import Affine, Location, Plane, View
from penstock.contracts.messages import Attach, FrameDone, ViewReady
from penstock.framebus.links import Link, link_pair
from penstock.framebus.regions import MemfdRegions
from penstock.framebus.slots import LeaseBook, SlotAllocator, SlotReader, format_pool, pool_bytes

SLOT, PIPE = "leased slot and message", "pickled pipe"
SHAPE = (416, 416, 3)
NBYTES = 416 * 416 * 3
WARM_UP = 50
PAUSE_S = 0.002
Picture = NDArray[np.uint8]
_ANSWER_S = 10.0


def looked_at(picture: Picture) -> int:
    """What the receiver does with a picture: a touch of every page."""
    return int(picture.reshape(-1)[::4096].sum())


def measure(variant: str, effort: Effort, context: Context) -> Taken:
    del context
    count = WARM_UP + effort.pick(1500, 300)
    pictures = [np.full(SHAPE, n, np.uint8) for n in range(7)]
    samples = _through_slots(pictures, count) if variant == SLOT else _through_pipe(pictures, count)
    return Taken({"there and back": Series("µs", samples[WARM_UP:])})


def _through_slots(pictures: list[Picture], count: int) -> list[float]:
    region = MemfdRegions().create("pool:camera-0", pool_bytes(4, NBYTES))
    format_pool(region, 4, NBYTES)
    slots = SlotAllocator(region)
    ours, theirs = link_pair()
    link = Link(ours, "receiver").open()
    receiver = subprocess.Popen(
        [sys.executable, "-m", "bench.hand_over", str(theirs.fileno())], pass_fds=[theirs.fileno()]
    )
    theirs.close()
    samples = []
    try:
        assert region.fd is not None
        link.send_nowait(Attach(region=region.handle), [region.fd])
        for number in range(count):
            time.sleep(PAUSE_S)
            picture = pictures[number % len(pictures)]
            frame = scripted.frame("camera-0", number + 1, time.monotonic_ns())
            began_ns = time.perf_counter_ns()
            slot = slots.acquire_nowait()
            assert slot is not None
            lease, memory = slot
            np.copyto(np.frombuffer(memory, np.uint8, NBYTES).reshape(SHAPE), picture)
            plane = Plane(0, 416 * 3, 416, 416)
            view = View(frame, scripted.VIEW, lease, Location.MEMFD, "cpu", (plane,), Affine(1, 1, 0, 0))
            link.send_nowait(ViewReady(number, (view,), moved=True))
            if not select.select([link.fileno()], [], [], _ANSWER_S)[0]:
                raise RuntimeError("the receiver does not answer")
            received = link.receive_nowait()
            samples.append((time.perf_counter_ns() - began_ns) / 1000)
            assert received is not None
            assert isinstance(received[0], FrameDone)
            assert received[0].index == looked_at(picture)
    finally:
        link.close()
        receiver.send_signal(signal.SIGKILL)
        receiver.wait()
    return samples


def receive_slots(descriptor: int) -> None:
    """The other process: reads leased pixels, gives the lease back, answers."""
    link = Link(socket.socket(fileno=descriptor), "sender").open()
    leases, reader = LeaseBook(), SlotReader()
    while True:
        select.select([link.fileno()], [], [])
        received = link.receive_nowait()
        if received is None:
            continue
        message, descriptors = received
        if isinstance(message, Attach):
            assert message.region is not None
            region = MemfdRegions().open(message.region, descriptors[0])
            leases.attach(region)
            reader.attach(region)
        elif isinstance(message, ViewReady):
            view = message.views[0]
            leases.take(view)
            seen = looked_at(np.frombuffer(reader.pixels(view), np.uint8).reshape(SHAPE))
            leases.give_back(view.lease)
            link.send_nowait(FrameDone("camera-0", seen))


def _through_pipe(pictures: list[Picture], count: int) -> list[float]:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    receiver = spawn.Process(target=receive_pickles, args=(there,), daemon=True)
    receiver.start()
    samples = []
    try:
        for number in range(count):
            time.sleep(PAUSE_S)
            picture = pictures[number % len(pictures)]
            began_ns = time.perf_counter_ns()
            here.send((number, picture))
            answer = here.recv()
            samples.append((time.perf_counter_ns() - began_ns) / 1000)
            assert answer == (number, looked_at(picture))
    finally:
        receiver.kill()
        receiver.join()
    return samples


def receive_pickles(pipe: "Connection[object, tuple[int, Picture]]") -> None:
    """The other process: unpickles and answers."""
    while True:
        number, picture = pipe.recv()
        pipe.send((number, looked_at(picture)))


BENCHMARK = Benchmark(
    name="hand_over",
    title="a 416×416×3 picture to another process and an answer back",
    variants=(SLOT, PIPE),
    measure=measure,
    rounds=5,
    quick_rounds=2,
    comparisons=(Comparison("there and back", SLOT, PIPE),),
)

if __name__ == "__main__":
    receive_slots(int(sys.argv[1]))

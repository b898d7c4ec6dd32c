"""Pixel work beside the control work: decoding, the gate, views, the slot copy, by processor time of one thread."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import av
import numpy as np

from bench import scripted
from bench.drawn_video import drawn_video
from bench.records import Benchmark, Context, Effort, Series, Taken
from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.contracts.specs import GateSpec
from penstock.framebus.regions import MemfdRegions
from penstock.framebus.slots import SlotAllocator, format_pool, pool_bytes
from penstock.ingest.gate import Gate
from penstock.ingest.views import ViewMaker

SIZES = {"640×360": (640, 360), "1920×1080": (1920, 1080)}
SMALL_GREY = ViewSpec(320, 180, PixelFormat.GRAY8, Fit.STRETCH)


def measure(variant: str, effort: Effort, context: Context) -> Taken:
    frames = effort.pick(250, 75)
    series: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        began_ns = time.thread_time_ns()
        work()
        series.setdefault(name, []).append((time.thread_time_ns() - began_ns) / 1000)

    region = MemfdRegions().create("pool:bench", pool_bytes(1, 1920 * 1080 * 3))
    format_pool(region, 1, 1920 * 1080 * 3)
    slots, gate, maker = SlotAllocator(region), Gate(GateSpec()), ViewMaker()
    whole = np.zeros((416, 416, 3), np.uint8)
    with av.open(context[variant]) as container:
        container.streams.video[0].codec_context.thread_count = 1
        pictures = container.decode(video=0)
        next(pictures)
        for _ in range(frames):
            began_ns = time.thread_time_ns()
            picture = next(pictures, None)
            if picture is None:
                break
            series.setdefault("demux and decode a frame", []).append((time.thread_time_ns() - began_ns) / 1000)
            timed("gate", partial(gate.moved, picture))
            slot = slots.acquire_nowait()
            assert slot is not None
            lease, memory = slot
            timed("view 416×416 BGR into its slot", partial(maker.make, picture, scripted.VIEW, memory))
            timed("view 320×180 grey into its slot", partial(maker.make, picture, SMALL_GREY, memory))
            target = np.frombuffer(memory, np.uint8, whole.nbytes).reshape(whole.shape)
            timed("copy 416×416×3 into a slot", partial(np.copyto, target, whole))
            slots.abandon(lease)
    # The first of each kind makes scalers and tables.
    return Taken({name: Series("µs", samples[1:]) for name, samples in series.items()})


@contextmanager
def surroundings(folder: Path, effort: Effort) -> Iterator[Context]:
    del effort
    yield {name: str(drawn_video(folder, *size)) for name, size in SIZES.items()}


BENCHMARK = Benchmark(
    name="pixel_work",
    title="pixel work per frame, by processor time of one thread",
    variants=tuple(SIZES),
    measure=measure,
    rounds=3,
    surroundings=surroundings,
)

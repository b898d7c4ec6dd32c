"""How long a camera takes from nothing to its first decoded picture: our source beside plain `av.open`.

gst-rtsp-server serves H.264, 640×360 at 25 frames a second, a keyframe a second, and sends each client the GOP under
way first, as good cameras do: so what is measured is the connecting, not the wait for a keyframe.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import av

from bench.foreign_server import foreign_server
from bench.records import Benchmark, Comparison, Context, Effort, Goal, Series, Taken
from penstock.base.clock import SystemClock
from penstock.contracts.packets import EncodedPacket
from penstock.contracts.specs import StreamSpec
from penstock.framebus.counters import CounterBlock
from penstock.ingest import books
from penstock.ingest.decoder import Decoder
from penstock.sources.opening import open_source

OURS, TCP, PLAIN = "our source", "av.open over TCP", "av.open, all defaults"
PAUSE_S = 0.13
"""between connections, and no multiple of the frame interval: the phase of the stream varies"""


def measure(variant: str, effort: Effort, context: Context) -> Taken:
    url = context["url"]
    opened: list[float] = []
    pictured: list[float] = []
    sessions = count(1)
    for _ in range(effort.pick(15, 5)):
        time.sleep(PAUSE_S)
        if variant == OURS:
            to_open, to_picture = _ours(url, sessions)
        else:
            to_open, to_picture = _plain(url, {"rtsp_transport": "tcp"} if variant == TCP else {})
        opened.append(to_open)
        pictured.append(to_picture)
    return Taken({"open": Series("ms", opened), "first picture": Series("ms", pictured)})


def _ours(url: str, sessions: "count[int]") -> tuple[float, float]:
    spec = StreamSpec("camera", url)
    clock = SystemClock()
    counters = books.UnitBooks(CounterBlock(memoryview(bytearray(8 * books.WORDS)), books.WORDS))
    began_ns = time.monotonic_ns()
    source = open_source(
        spec, host_id="host", boot_id="boot", run_id="bench", clock=clock, new_session=sessions.__next__
    )
    session = source.wait_open()
    opened_ns = time.monotonic_ns()
    decoder: Decoder | None = None
    try:
        while True:
            packet = session.wait_read()
            assert isinstance(packet, EncodedPacket)
            decoder = decoder or Decoder(session.info(packet.info_id), counters).open()
            for _ in decoder.decode(packet):
                return (opened_ns - began_ns) / 1e6, (time.monotonic_ns() - began_ns) / 1e6
    finally:
        session.close()


def _plain(url: str, options: dict[str, str]) -> tuple[float, float]:
    began_ns = time.monotonic_ns()
    with av.open(url, options=options) as container:
        opened_ns = time.monotonic_ns()
        next(container.decode(video=0))
        return (opened_ns - began_ns) / 1e6, (time.monotonic_ns() - began_ns) / 1e6


@contextmanager
def surroundings(folder: Path, effort: Effort) -> Iterator[Context]:
    del effort
    with foreign_server(folder) as server:
        server.add_timecode("camera", cached_gop=True)
        time.sleep(1.5)  # a whole GOP to cache
        yield {"url": server.url("camera")}


BENCHMARK = Benchmark(
    name="connect",
    title="connecting to an RTSP camera of another make",
    variants=(OURS, TCP, PLAIN),
    measure=measure,
    rounds=3,
    surroundings=surroundings,
    goals=(Goal(OURS, "open", 300.0), Goal(OURS, "first picture", 300.0)),
    comparisons=(Comparison("first picture", OURS, TCP), Comparison("first picture", OURS, PLAIN)),
)

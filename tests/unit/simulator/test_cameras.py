"""What faults make of a camera, instant by instant, on the mounts of a server that listens nowhere."""

import asyncio
from collections.abc import Awaitable, Callable

from penstock.base.clock import NS_PER_S, SimulatedClock
from penstock.restream.broadcast import Broadcast
from penstock.restream.media import MediaDescription
from penstock.restream.server import RtspServer
from penstock.simulator.cameras import CameraPlan, SimulatedCamera, StreamPlan
from penstock.simulator.faults import parse_fault
from penstock.simulator.film import Film, FilmUnit

MS = 1_000_000
EPOCH_NS = 1000 * NS_PER_S


def film(codec: str = "h264", width_px: int = 64, gop_ms: int = 200) -> Film:
    """A loop of a second with a picture each 100 ms."""
    media = MediaDescription(codec, width_px, 36, 10.0)  # type: ignore[arg-type]
    units = tuple(
        FilmUnit(f"{codec} {width_px} {at}".encode(), at % gop_ms == 0, at * MS, at * MS) for at in range(0, 1000, 100)
    )
    return Film(media, units, NS_PER_S)


MAIN = film()
OTHERS = {"mjpeg": film("mjpeg"), "128x72": film(width_px=128)}


class Stage:
    """One camera with these faults, and its server; `at` moves time and lets the camera act."""

    def __init__(self, *faults: str) -> None:
        self.clock = SimulatedClock(EPOCH_NS)
        self.server = RtspServer("127.0.0.1", 0, clock=self.clock, seed=1)
        streams = (StreamPlan("yard", MAIN, OTHERS), StreamPlan("yard/sub", film(width_px=66), OTHERS))
        plan = CameraPlan("yard", streams, EPOCH_NS, tuple(map(parse_fault, faults)))
        self.camera = SimulatedCamera(plan, self.server, self.clock)

    async def at(self, ms: int) -> None:
        self.clock.advance_to(EPOCH_NS + ms * MS)
        await self.camera.wait_applied(ms * MS)
        # The players skip what is too old, and publish what is due, in their first turns.
        for _ in range(3):
            await asyncio.sleep(0)

    def broadcast(self, path: str = "/yard") -> Broadcast | None:
        mount = self.server.find_mount(path)
        return mount.broadcast if mount else None

    @property
    def description(self) -> MediaDescription:
        broadcast = self.broadcast()
        assert broadcast is not None
        assert broadcast.description is not None
        return broadcast.description

    @property
    def published(self) -> int:
        broadcast = self.broadcast()
        assert broadcast is not None
        return broadcast.statistics().published


def played(stage: Stage, scenario: Callable[[Stage], Awaitable[None]]) -> None:
    async def run() -> None:
        try:
            await scenario(stage)
        finally:
            await stage.camera.wait_stopped()
        assert stage.broadcast() is None
        assert stage.broadcast("/yard/sub") is None

    asyncio.run(run())


def test_both_streams_are_served_from_the_beginning_and_play() -> None:
    async def scenario(stage: Stage) -> None:
        assert stage.broadcast() is None
        await stage.at(0)
        assert stage.description == MAIN.media
        assert stage.broadcast("/yard/sub") is not None
        assert stage.published == 1

    played(Stage(), scenario)


def test_a_stalled_camera_stays_where_it_is_and_plays_nothing() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(0)
        await stage.at(1000)
        before = stage.published
        await stage.at(2500)
        assert stage.published == before
        assert stage.description == MAIN.media
        await stage.at(3000)
        # It goes on at a keyframe that is at most two seconds old, after all that was seen before.
        assert stage.published > before

    played(Stage("yard:stall@1s+2s"), scenario)


def test_a_camera_that_is_down_is_not_there_and_comes_back() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(0)
        await stage.at(1000)
        assert stage.broadcast() is stage.broadcast("/yard/sub") is None
        await stage.at(1999)
        assert stage.broadcast() is None
        await stage.at(2000)
        assert stage.description == MAIN.media
        assert stage.broadcast("/yard/sub") is not None

    played(Stage("yard:down@1s+1s"), scenario)


def test_another_codec_and_size_and_back() -> None:
    async def scenario(stage: Stage) -> None:
        seen = []
        for ms in (0, 1000, 2000, 3000, 4000):
            await stage.at(ms)
            seen.append((stage.description.codec, stage.description.width_px))
        assert seen == [("h264", 64), ("h264", 128), ("mjpeg", 64), ("mjpeg", 64), ("h264", 64)]

    played(Stage("yard:size=128x72@1s+2s", "yard:codec=mjpeg@2s+2s"), scenario)


def test_time_never_runs_back_when_the_film_changes() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.at(0)
        broadcast = stage.broadcast()
        assert broadcast is not None
        viewer = broadcast.subscribe(lambda: None, cached_gop=True)
        for ms in (1500, 1600, 1700, 1800, 2000):
            await stage.at(ms)
        seen = []
        while (taken := viewer.take_nowait()) is not None:
            seen.append((taken[0].width_px, (taken[1].captured_ns - EPOCH_NS) // MS))
        captured = [at for _, at in seen]
        assert captured == sorted(set(captured))
        assert {width for width, _ in seen} >= {64, 128}

    played(Stage("yard:size=128x72@1600ms+200ms"), scenario)


def test_loss_and_damage_hold_as_long_as_they_are_meant_to() -> None:
    async def scenario(stage: Stage) -> None:
        packets = [bytes(12) + bytes([n]) for n in range(100)]
        await stage.at(0)
        mount = stage.server.find_mount("/yard")
        assert mount is not None
        network = mount.new_filter(0)
        assert network.pass_on(packets, 0) == packets
        await stage.at(1000)
        assert list(network.pass_on(packets, 0)) == []
        await stage.at(2000)
        assert all(sent != packet for sent, packet in zip(network.pass_on(packets, 0), packets, strict=True))
        await stage.at(3000)
        assert network.pass_on(packets, 0) == packets

    played(Stage("yard:loss=50%@1s+1s", "yard:loss=100%@1s+1s", "yard:corrupt=100%@2s+1s"), scenario)

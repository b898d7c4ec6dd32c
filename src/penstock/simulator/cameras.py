"""One simulated camera: a main stream and, with it, a sub-stream of the same scene, on the mounts of an RTSP server.

It plays on whatever happens to its viewers; its faults stall it, take it away or change what it sends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from penstock.base.clock import Clock
from penstock.restream.authentication import Authentication
from penstock.restream.broadcast import Broadcast
from penstock.restream.server import RtspServer
from penstock.simulator.faults import Fault, FaultKind
from penstock.simulator.film import Film
from penstock.simulator.packet_faults import PacketTrouble
from penstock.simulator.player import FilmPlayer


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One stream: where it is served and what it plays."""

    path: str
    film: Film
    instead: Mapping[str, Film] = field(default_factory=dict)
    """films of the same scene by what a fault asks for: a codec's name, or `320x240`"""


@dataclass(frozen=True, slots=True)
class CameraPlan:
    """One camera."""

    name: str
    streams: tuple[StreamPlan, ...]
    epoch_ns: int
    """monotonic: when the first picture of the first loop was captured; may lie before the start"""
    faults: tuple[Fault, ...] = ()
    cached_gop: bool = False
    authentication: Authentication | None = None
    seed: int = 0


class _Stream:
    """One mount and the player behind it."""

    def __init__(self, plan: StreamPlan, camera: CameraPlan, server: RtspServer, clock: Clock, number: int) -> None:
        self._plan = plan
        self._camera = camera
        self._server = server
        self._clock = clock
        self._broadcast = Broadcast(plan.film.media)
        self._trouble = PacketTrouble(1000 * camera.seed + number)
        self._film = plan.film
        self._player: FilmPlayer | None = None
        self._captured_ns: int | None = None
        self._mounted = False

    def mount(self) -> None:
        if not self._mounted:
            self._server.add_mount(
                self._plan.path,
                self._broadcast,
                cached_gop=self._camera.cached_gop,
                authentication=self._camera.authentication,
                new_filter=self._trouble.new_filter,
            )
            self._mounted = True

    def unmount(self) -> None:
        if self._mounted:
            self._server.remove_mount(self._plan.path)
            self._mounted = False

    async def wait_applied(self, faults: Sequence[Fault]) -> None:
        """Makes the stream what `faults`, all that hold now, want it to be."""
        kinds = {fault.kind: fault for fault in faults}
        self._trouble.loss = max((fault.share for fault in faults if fault.kind is FaultKind.LOSS), default=0.0)
        self._trouble.corrupt = max((fault.share for fault in faults if fault.kind is FaultKind.CORRUPT), default=0.0)
        film = self._plan.film
        for kind in (FaultKind.SIZE, FaultKind.CODEC):
            if kind in kinds:
                film = self._plan.instead[wanted_film(kinds[kind])]
        away = FaultKind.DOWN in kinds
        if away:
            self.unmount()
        plays = not away and FaultKind.STALL not in kinds
        if not plays or film is not self._film:
            await self.wait_stopped()
        self._film = film
        if plays and self._player is None:
            self._player = FilmPlayer(
                film, self._broadcast, self._clock, epoch_ns=self._camera.epoch_ns, after_ns=self._captured_ns
            )
            self._player.start()
        if not away:
            self.mount()

    async def wait_stopped(self) -> None:
        player, self._player = self._player, None
        if player is not None:
            await player.wait_stopped()
            self._captured_ns = player.captured_ns


class SimulatedCamera:
    """`wait_applied` begins it and lets faults begin and end; `wait_stopped` ends it. Belongs to the server's loop."""

    def __init__(self, plan: CameraPlan, server: RtspServer, clock: Clock) -> None:
        self.plan = plan
        self._streams = [_Stream(stream, plan, server, clock, number) for number, stream in enumerate(plan.streams)]

    async def wait_applied(self, since_start_ns: int) -> None:
        """Makes the camera what its faults want it to be at this instant of the simulation."""
        holding = [fault for fault in self.plan.faults if fault.holds(since_start_ns)]
        for stream in self._streams:
            await stream.wait_applied(holding)

    async def wait_stopped(self) -> None:
        for stream in self._streams:
            stream.unmount()
            await stream.wait_stopped()


def wanted_film(fault: Fault) -> str:
    """The key of `StreamPlan.instead` that a `codec` or `size` fault asks for."""
    return fault.codec or f"{fault.size_px[0]}x{fault.size_px[1]}"

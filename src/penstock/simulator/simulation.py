"""All simulated cameras on one RTSP server in one asyncio loop, with their faults in time."""

import asyncio
import ssl
from collections.abc import Callable, Sequence

from penstock.base.clock import NS_PER_S, Clock
from penstock.restream.authentication import Authentication
from penstock.restream.server import RtspServer
from penstock.restream.statistics import ServerStatistics
from penstock.simulator.cameras import CameraPlan, SimulatedCamera
from penstock.simulator.faults import next_change_ns


class Simulation:
    """`wait_run` serves `cameras` until it is told to stop."""

    def __init__(
        self,
        cameras: Sequence[CameraPlan],
        clock: Clock,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        authentication: Authentication | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._plans = tuple(cameras)
        self._clock = clock
        self._server = RtspServer(host, port, clock=clock, authentication=authentication, tls=tls)
        self._stop = asyncio.Event()

    def url(self, path: str) -> str:
        """Address of a mount; right once the server listens."""
        return self._server.url(path)

    def statistics(self) -> ServerStatistics:
        return self._server.statistics()

    def stop_nowait(self) -> None:
        """Makes `wait_run` end; belongs to its loop."""
        self._stop.set()

    async def wait_run(self, on_ready: Callable[[], None], for_ns: int | None = None) -> None:
        """Serves until `stop_nowait`, or for `for_ns`. `on_ready` is called once clients can connect.

        Raises OSError where the address cannot be listened on.
        """
        await self._server.start()
        began_ns = self._clock.now_ns()
        cameras = [SimulatedCamera(plan, self._server, self._clock) for plan in self._plans]
        try:
            for camera in cameras:
                await camera.wait_applied(0)
            on_ready()
            await self._wait_through_faults(cameras, began_ns, for_ns)
        finally:
            for camera in cameras:
                await camera.wait_stopped()
            await self._server.wait_stopped()

    async def _wait_through_faults(self, cameras: Sequence[SimulatedCamera], began_ns: int, for_ns: int | None) -> None:
        faults = [fault for plan in self._plans for fault in plan.faults]
        while True:
            now_ns = self._clock.now_ns() - began_ns
            if for_ns is not None and now_ns >= for_ns:
                return
            ends = [instant for instant in (next_change_ns(faults, now_ns), for_ns) if instant is not None]
            timeout_s = max(min(ends) - now_ns, 0) / NS_PER_S if ends else None
            try:
                await asyncio.wait_for(self._stop.wait(), timeout_s)
            except TimeoutError:
                for camera in cameras:
                    await camera.wait_applied(self._clock.now_ns() - began_ns)
            else:
                return

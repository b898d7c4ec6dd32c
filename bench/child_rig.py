"""One real child process of Penstock, with this process at the other end of all its links."""

import contextlib
import os
import select
from collections.abc import Iterator

from penstock.base.clock import NS_PER_S, SystemClock
from penstock.contracts.messages import Attach, Message, Ready, Start, Unusable
from penstock.contracts.specs import RunSpec
from penstock.contracts.times import ClockReading
from penstock.control.launchers import Child, ProcessLauncher
from penstock.framebus.links import Link, link_pair
from penstock.framebus.regions import MemfdRegions, Region
from penstock.runtime import wiring

STARTED_WITHIN_NS = 20 * NS_PER_S


def clock_reading() -> ClockReading:
    clock = SystemClock()
    return ClockReading(clock.clock_id, clock.now_ns(), clock.utc_ns())


class ChildRig:
    """The process named `name` in the process tree of `spec`; `links` are its peers' ends, by peer."""

    def __init__(self, spec: RunSpec, name: str) -> None:
        self.spec = spec
        self.links: dict[str, Link] = {}
        self.memory: dict[str, Region] = {}
        self._plan = next(plan for plan in wiring.process_plans(spec) if plan.name == name)
        self._child: Child | None = None
        self._control: Link | None = None

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @contextlib.contextmanager
    def running(self) -> Iterator["ChildRig"]:
        """The child, ready and with all links; it is gone afterwards."""
        os.environ.setdefault("PENSTOCK_LOG_LEVEL", "error")
        regions = MemfdRegions()
        self.memory = wiring.create_regions(self.spec, regions)
        spec_region = wiring.create_spec_region(self.spec, regions)
        ours, theirs = link_pair()
        control = self._control = Link(ours, self._plan.name, 1).open()
        self._child = ProcessLauncher().launch(self._plan.name, theirs)
        try:
            start = Start(
                self._plan.kind, self._plan.name, 1, spec_region.handle, len(self._plan.regions), clock_reading()
            )
            self._tell(start, spec_region.fd)
            for name in self._plan.regions:
                region = self.memory[name]
                self._tell(Attach(region=region.handle), region.fd)
            for peer in self._plan.peers:
                mine, its = link_pair()
                self._tell(Attach(peer=peer, peer_generation=1), its.fileno())
                its.close()
                self.links[peer] = Link(mine, peer, 1).open()
            self._wait_ready()
            yield self
        finally:
            self._child.kill()
            self._child.wait_ended(5.0)
            for link in (control, *self.links.values()):
                link.close()
            for region in (spec_region, *self.memory.values()):
                region.close()

    def drain_control(self) -> None:
        """Reads what the child told its supervisor; raises RuntimeError where it cannot do its work."""
        assert self._control is not None
        while (received := self._control.receive_nowait()) is not None:
            if isinstance(received[0], Unusable):
                raise RuntimeError(received[0].reason)

    def _tell(self, message: Message, fd: int | None) -> None:
        assert self._control is not None
        if not self._control.send_nowait(message, [] if fd is None else [fd]):
            raise RuntimeError(f"{type(message).__name__} was refused by the link to {self._plan.name}")

    def _wait_ready(self) -> None:
        assert self._control is not None
        clock = SystemClock()
        until_ns = clock.now_ns() + STARTED_WITHIN_NS
        while clock.now_ns() < until_ns:
            select.select([self._control.fileno()], [], [], 0.5)
            while (received := self._control.receive_nowait()) is not None:
                if isinstance(received[0], Unusable):
                    raise RuntimeError(received[0].reason)
                if isinstance(received[0], Ready):
                    return
        raise RuntimeError(f"{self._plan.name} was not ready within {STARTED_WITHIN_NS // NS_PER_S} s")

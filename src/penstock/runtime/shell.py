"""What every child process has in common: its control link, its memory, its heartbeat, its end.

A `Unit` is the work of one kind of process; the shell brings it to life, feeds it messages and publishes its numbers.
"""

import logging
import os
import resource
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from penstock.base.clock import NS_PER_S, Clock
from penstock.base.reactor import Reactor
from penstock.contracts.messages import Attach, Heartbeat, Message, Ready, Start, Stop, Unusable
from penstock.contracts.specs import RunSpec
from penstock.framebus.cell import LatestCell
from penstock.framebus.links import Link, LinkClosed
from penstock.framebus.regions import Region, Regions
from penstock.runtime import wiring
from penstock.telemetry.statistics import ProcessStatistics, decode, encode

log = logging.getLogger(__name__)

HEARTBEAT_NS = 500_000_000
PUBLISH_NS = 500_000_000
RETELL_NS = 20_000_000


class CannotStart(Exception):
    """This process cannot do its work, and a restart will not help: what, where and what to do."""


class Unit(Protocol):
    """The work of one process. All methods run in the shell's loop."""

    def start(self) -> None:
        """All memory is here; links follow."""
        ...

    def attached(self, link: Link) -> None:
        """A peer is connected: a new one, or a new life of one."""
        ...

    def detached(self, link: Link) -> None:
        """A peer is gone, or replaced by a newer link."""
        ...

    def received(self, link: Link, message: Message) -> None: ...

    def statistics(self, base: ProcessStatistics) -> ProcessStatistics:
        """`base` with this unit's numbers filled in."""
        ...

    def stop(self, grace_ns: int) -> None:
        """Begin to end; call `shell.done` when nothing is left to do."""
        ...

    def close(self) -> None:
        """The loop has ended: wait for threads, give back what was taken."""
        ...


class Shell:
    """Runs one unit. `run` returns when it has ended, or when the supervisor has."""

    def __init__(self, name: str, control: Link, regions: Regions, clock: Clock) -> None:
        self.name = name
        self.clock = clock
        self.reactor = Reactor(clock)
        self.regions: dict[str, Region] = {}
        self.spec: RunSpec
        self.start_message: Start
        self.links: dict[str, Link] = {}
        self._control = control
        self._opener = regions
        self._unit: Unit | None = None
        self._started_utc_ns = 0
        self._orphaned = False
        self._untold: deque[Message] = deque()

    @property
    def generation(self) -> int:
        return self.start_message.generation

    @property
    def orphaned(self) -> bool:
        """Whether the supervisor went away, rather than asking to stop."""
        return self._orphaned

    def run(self, make_unit: Callable[["Shell"], Unit]) -> None:
        self._started_utc_ns = self.clock.utc_ns()
        self.reactor.open()
        self._control.open()
        self.reactor.on_readable(self._control, lambda: self._on_control(make_unit))
        self.reactor.call_every(HEARTBEAT_NS, self._beat)
        try:
            self.reactor.run()
        finally:
            if self._unit is not None:
                self._unit.close()
                self._publish()
            for link in self.links.values():
                link.close()
            self._control.close()
            self.reactor.close()

    def tell_supervisor(self, message: Message) -> None:
        """Says something that must not be lost: where the control link is full, again until it has room."""
        self._untold.append(message)
        if len(self._untold) == 1:
            self._tell()

    def _tell(self) -> None:
        while self._untold:
            if not self._control.send_nowait(self._untold[0]):
                self.reactor.call_at(self.clock.now_ns() + RETELL_NS, self._tell)
                return
            self._untold.popleft()

    def done(self) -> None:
        """The unit has nothing left to do."""
        self.reactor.stop_nowait()

    def previous_statistics(self) -> ProcessStatistics | None:
        """What an earlier life of this process last published, so that sums go on."""
        value = LatestCell(self.regions[wiring.statistics_region(self.name)].memory).read()
        try:
            return None if value is None else decode(value)
        except msgspec.MsgspecError:
            return None

    # control

    def _on_control(self, make_unit: Callable[["Shell"], Unit]) -> None:
        while True:
            try:
                received = self._control.receive_nowait()
            except LinkClosed:
                self._orphaned = True
                log.warning("%s: the supervisor is gone, ending", self.name)
                self.reactor.stop_nowait()
                return
            if received is None:
                return
            message, descriptors = received
            match message:
                case Start():
                    self.start_message = message
                    region = self._opener.open(message.spec, descriptors[0] if descriptors else None)
                    self.spec = wiring.read_spec(region)
                    self._begin_when_complete(make_unit)
                case Attach(region=None):
                    self._attach_link(message, descriptors[0])
                case Attach(region=handle) if handle is not None:
                    self.regions[handle.name] = self._opener.open(handle, descriptors[0] if descriptors else None)
                    self._begin_when_complete(make_unit)
                case Stop():
                    if self._unit is None:
                        self.reactor.stop_nowait()
                    else:
                        self._unit.stop(message.grace_ns)
                case _:
                    log.warning("%s does not take %s from its supervisor", self.name, type(message).__name__)

    def _begin_when_complete(self, make_unit: Callable[["Shell"], Unit]) -> None:
        if self._unit is None and len(self.regions) == self.start_message.regions:
            try:
                self._unit = make_unit(self)
                self._unit.start()
            except CannotStart as error:
                self._unit = None
                self.tell_supervisor(Unusable(str(error)))
                return
            self.reactor.call_every(PUBLISH_NS, self._publish)
            self.tell_supervisor(Ready())

    # peers

    def _attach_link(self, message: Attach, descriptor: int) -> None:
        self._drop(message.peer)
        link = Link.from_descriptor(descriptor, message.peer, message.peer_generation).open()
        self.links[message.peer] = link
        self.reactor.on_readable(link, lambda: self._on_link(link))
        if self._unit is not None:
            self._unit.attached(link)

    def _on_link(self, link: Link) -> None:
        while not link.closed:
            try:
                received = link.receive_nowait()
            except LinkClosed:
                if self.links.get(link.peer) is link:
                    self._drop(link.peer)
                return
            if received is None:
                return
            if self._unit is not None:
                self._unit.received(link, received[0])

    def _drop(self, peer: str) -> None:
        link = self.links.pop(peer, None)
        if link is None:
            return
        self.reactor.forget(link)
        link.close()
        if self._unit is not None:
            self._unit.detached(link)

    # numbers

    def _beat(self) -> None:
        self._control.send_nowait(Heartbeat(self.clock.now_ns()))

    def _publish(self) -> None:
        assert self._unit is not None
        base = ProcessStatistics(
            process=self.name,
            kind=self.start_message.kind.value,
            pid=os.getpid(),
            started_utc_ns=self._started_utc_ns,
            published_ns=self.clock.now_ns(),
            cpu_s=processor_ns() / NS_PER_S,
            rss_bytes=resident_bytes(),
            threads=threading.active_count(),
        )
        value = encode(self._unit.statistics(base))
        try:
            LatestCell(self.regions[wiring.statistics_region(self.name)].memory).write(value)
        except ValueError as error:
            log.error("%s cannot publish its numbers: %s", self.name, error)


def processor_ns() -> int:
    """User and system time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return round((usage.ru_utime + usage.ru_stime) * NS_PER_S)


def resident_bytes() -> int:
    """This process's resident memory, shared pages included."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def proportional_bytes(pid: int) -> int:
    """A process's memory with shared pages divided among their users: what sums over processes; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            return next((int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:")), 0)
    except OSError:
        return 0

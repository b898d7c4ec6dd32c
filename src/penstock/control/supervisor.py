"""Spawns the processes of a run, connects them, restarts what ends, and stops all within its time.

The supervisor owns every region of shared memory: rings, slots and counters outlive any child. It decides nothing
about video, decodes nothing and loads no model, so that there is little in it that could fail.
"""

import logging
from collections.abc import Callable, Iterable, Mapping

from penstock.base.clock import NS_PER_S, Clock
from penstock.base.reactor import Reactor
from penstock.contracts.messages import (
    Attach,
    Finished,
    Heartbeat,
    Message,
    Ready,
    ReplaceProcess,
    Start,
    Stop,
    Unusable,
)
from penstock.contracts.times import ClockReading
from penstock.control.launchers import Child, Launcher
from penstock.control.managed import ManagedProcess, Posted, ProcessPlan
from penstock.framebus.links import Link, LinkClosed, link_pair
from penstock.framebus.regions import Region

log = logging.getLogger(__name__)

CHECK_INTERVAL_NS = 250_000_000
STOP_LIMIT_NS = 5 * NS_PER_S
# How long a child may take to exit after its control link has closed, and to be gone after it was killed.
EXIT_NS = NS_PER_S
EXIT_CHECK_NS = 5_000_000


class Supervisor:
    """The root of the process tree. Its loop runs in the thread that calls `run`."""

    def __init__(
        self,
        plans: Iterable[ProcessPlan],
        regions: Mapping[str, Region],
        spec_region: Region,
        launcher: Launcher,
        reactor: Reactor,
        clock: Clock,
        on_finished: Callable[[], None],
    ) -> None:
        self._processes = {plan.name: ManagedProcess(plan) for plan in plans}
        self._regions = regions
        self._spec_region = spec_region
        self._launcher = launcher
        self._reactor = reactor
        self._clock = clock
        self._on_finished = on_finished
        self._stopping = False
        self._stop_started_ns = 0
        self._stop_took_ns = 0
        self._failed = ""

    @property
    def failed(self) -> str:
        """Why the run cannot go on, where a child said that starting it again will not help."""
        return self._failed

    @property
    def stopping(self) -> bool:
        return self._stopping

    @property
    def stop_took_ns(self) -> int:
        return self._stop_took_ns

    def processes(self) -> list[ManagedProcess]:
        return list(self._processes.values())

    def start(self) -> None:
        """Launches every child, in order of their plans."""
        for process in self._processes.values():
            self._launch(process)
        self._reactor.call_every(CHECK_INTERVAL_NS, self._check)
        self._reactor.on_cycle(self._flush_outboxes)

    def run(self) -> None:
        """Runs until every child has ended after `stop`."""
        self._reactor.run()

    def stop(self) -> None:
        """Ends the children in the order of their stop stages; whoever takes longer than its grace is killed."""
        if self._stopping:
            return
        self._stopping = True
        self._stop_started_ns = self._clock.now_ns()
        for process in self._processes.values():
            away = process.child is None and process.restart_at_ns is not None
            process.restart_at_ns = None
            if away:
                self._start_to_finish(process)
        self._stop_next_stage()

    def kill(self, name: str) -> None:
        """Ends a child at once; it is restarted like one that crashed."""
        process = self._processes.get(name)
        if process is not None and process.child is not None:
            process.child.kill()

    # lives

    def _launch(self, process: ManagedProcess) -> None:
        ours, theirs = link_pair()
        now_ns = self._clock.now_ns()
        process.generation += 1
        process.started_ns = process.heard_ns = now_ns
        process.ready = False
        process.restart_at_ns = None
        try:
            process.child = self._launcher.launch(process.plan.name, theirs)
        except OSError as error:
            ours.close()
            process.last_exit = f"could not be started: {error}"
            self._restart_later(process, 0)
            return
        process.control = Link(ours, process.plan.name, process.generation).open()
        self._reactor.on_readable(process.control, lambda: self._on_message(process))
        clock = ClockReading(self._clock.clock_id, now_ns, self._clock.utc_ns())
        spec = self._spec_region
        self._post(
            process,
            Start(
                kind=process.plan.kind,
                name=process.plan.name,
                generation=process.generation,
                spec=spec.handle,
                regions=len(process.plan.regions),
                clock=clock,
            ),
            spec.fd,
        )
        for name in process.plan.regions:
            region = self._regions[name]
            self._post(process, Attach(region=region.handle), region.fd)
        for peer in process.plan.peers:
            other = self._processes.get(peer)
            if other is not None and other.alive:
                self._connect(process, other)

    def _connect(self, one: ManagedProcess, other: ManagedProcess) -> None:
        """Gives both a new link; the descriptors are closed here once they are sent."""
        a, b = link_pair()
        self._post(one, Attach(peer=other.plan.name, peer_generation=other.generation), a.detach(), lend=False)
        self._post(other, Attach(peer=one.plan.name, peer_generation=one.generation), b.detach(), lend=False)

    def _hung_up(self, process: ManagedProcess) -> None:
        """Its control link has closed: at once with a crash, shortly before an orderly exit."""
        self._drop_control(process)
        if process.child is not None:
            self._await_exit(process, process.child, self._clock.now_ns() + EXIT_NS)

    def _await_exit(self, process: ManagedProcess, child: Child, until_ns: int) -> None:
        """Looks again and again rather than wait: the other children go on being served."""
        if process.child is not child:
            return
        now_ns = self._clock.now_ns()
        if child.ended() is None and now_ns < until_ns:
            self._reactor.call_at(now_ns + EXIT_CHECK_NS, lambda: self._await_exit(process, child, until_ns))
            return
        self._ended(process)

    def _drop_control(self, process: ManagedProcess) -> None:
        if process.control is not None:
            self._reactor.forget(process.control)
            process.control.close()
            process.control = None

    def _ended(self, process: ManagedProcess) -> None:
        """A child has ended, or is ended here and now."""
        child = process.child
        if child is None:
            return
        gone = child.wait_ended(0.0)
        if not gone:
            child.kill()
            gone = child.wait_ended(EXIT_NS / NS_PER_S)
        self._drop_control(process)
        lived_ns = self._clock.now_ns() - process.started_ns
        process.last_exit = child.ended() or "gone"
        process.child = None
        process.ready = False
        if not gone:
            # A thread that hangs: nothing can end it, and a second one beside it would write the same memory.
            process.last_exit = "hangs and cannot be ended"
            process.unusable = process.last_exit
            log.error("%s %s: it stays away until the next start", process.plan.name, process.last_exit)
        for posted in process.outbox:
            posted.release()
        process.outbox.clear()
        if self._stopping:
            if gone and not process.stopping:
                self._start_to_finish(process)
            self._stop_next_stage()
            return
        if process.unusable:
            return
        self._restart_later(process, lived_ns)

    def _restart_later(self, process: ManagedProcess, lived_ns: int) -> None:
        delay_ns = process.policy.delay_ns(lived_ns)
        process.restarts += 1
        process.restart_at_ns = self._clock.now_ns() + delay_ns
        log.warning(
            "%s ended (%s) after %.1f s; starting it again in %.1f s",
            process.plan.name,
            process.last_exit,
            lived_ns / NS_PER_S,
            delay_ns / NS_PER_S,
        )
        self._reactor.call_at(process.restart_at_ns, lambda: self._restart(process))

    def _start_to_finish(self, process: ManagedProcess) -> None:
        """The run ends while this process is away: it is started once more where it has something to finish."""
        if process.plan.finishes and not process.started_to_finish:
            process.started_to_finish = True
            self._launch(process)

    def _restart(self, process: ManagedProcess) -> None:
        if process.restart_at_ns is not None and not self._stopping and process.child is None:
            self._launch(process)

    # messages

    def _on_message(self, process: ManagedProcess) -> None:
        control = process.control
        while control is not None and process.control is control:
            try:
                received = control.receive_nowait()
            except LinkClosed:
                self._hung_up(process)
                return
            if received is None:
                return
            self._handle(process, received[0])

    def _handle(self, process: ManagedProcess, message: Message) -> None:
        process.heard_ns = self._clock.now_ns()
        match message:
            case Heartbeat():
                pass
            case Ready():
                process.ready = True
                log.debug("%s is ready", process.plan.name)
            case Finished():
                self._on_finished()
            case Unusable():
                self._failed = self._failed or message.reason
                log.error("%s cannot work: %s", process.plan.name, message.reason)
                self.stop()
            case ReplaceProcess():
                target = self._processes.get(message.name)
                if target is not None and target.generation == message.generation:
                    log.error("%s is replaced: %s", message.name, message.reason)
                    self.kill(message.name)
            case _:
                log.warning("%s sent %s, which a supervisor does not take", process.plan.name, type(message).__name__)

    def _post(self, process: ManagedProcess, message: Message, descriptor: int | None, *, lend: bool = True) -> None:
        process.outbox.append(Posted(message, descriptor, lend))
        self._flush(process)

    def _flush(self, process: ManagedProcess) -> None:
        control = process.control
        while control is not None and process.outbox:
            posted = process.outbox[0]
            if not control.send_nowait(posted.message, [] if posted.descriptor is None else [posted.descriptor]):
                return
            process.outbox.popleft().release()

    def _flush_outboxes(self) -> int | None:
        waiting = False
        for process in self._processes.values():
            if process.outbox:
                self._flush(process)
                waiting = waiting or bool(process.outbox)
        return self._clock.now_ns() + 2_000_000 if waiting else None

    # watching and stopping

    def _check(self) -> None:
        now_ns = self._clock.now_ns()
        for process in self._processes.values():
            if process.is_silent(now_ns):
                log.error(
                    "%s has not been heard for %.0f s: killing it",
                    process.plan.name,
                    1e-9 * (now_ns - process.heard_ns),
                )
                self._ended(process)
            elif process.child is not None and process.child.ended() is not None:
                # What it said last may still lie in its control link.
                self._on_message(process)
                self._ended(process)

    def _stop_next_stage(self) -> None:
        """Stops the lowest stage that is still alive; called again whenever a child has ended."""
        alive = [process for process in self._processes.values() if process.alive]
        if not alive:
            self._stop_took_ns = self._clock.now_ns() - self._stop_started_ns
            self._reactor.stop_nowait()
            return
        stage = min(process.plan.stop_stage for process in alive)
        for process in alive:
            if process.plan.stop_stage == stage and not process.stopping:
                process.stopping = True
                grace_ns = min(process.plan.stop_grace_ns, self._time_left_ns())
                self._post(process, Stop(grace_ns), None)
                self._reactor.call_at(self._clock.now_ns() + grace_ns, lambda p=process: self._stop_overdue(p))  # type: ignore[misc]

    def _stop_overdue(self, process: ManagedProcess) -> None:
        if process.child is not None:
            log.warning("%s did not end within its grace: killing it", process.plan.name)
            self._ended(process)

    def _time_left_ns(self) -> int:
        return max(0, self._stop_started_ns + STOP_LIMIT_NS - self._clock.now_ns())

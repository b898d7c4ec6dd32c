"""The supervisor on simulated time, over real links to scripted children."""

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from penstock.base.clock import SimulatedClock
from penstock.base.reactor import Reactor
from penstock.contracts.messages import (
    Attach,
    Finished,
    Heartbeat,
    Message,
    ProcessKind,
    Ready,
    ReplaceProcess,
    Start,
    Stop,
    Unusable,
)
from penstock.control.managed import ProcessPlan
from penstock.control.supervisor import Supervisor
from penstock.framebus.links import Link, LinkClosed
from penstock.framebus.regions import MemfdRegions

MS = 1_000_000
STEP_MS = 5


@dataclass
class ScriptedChild:
    """One life: reads its control link at every step and beats, unless told to behave otherwise."""

    name: str
    control: Link
    clock: SimulatedClock
    born_ms: int
    pid: int = 1
    got: list[Message] = field(default_factory=list)
    fds: list[int] = field(default_factory=list)
    peers: dict[str, tuple[int, Link]] = field(default_factory=dict)
    end: str | None = None
    killed: bool = False
    reads: bool = True
    beats: bool = True
    stops_after_ms: int | None = 20
    exits_after_ms: int = 0
    hangs: bool = False
    """cannot be ended: a thread"""
    ended_ns: int = 0
    _stop_at_ms: int | None = None
    _exit_at_ms: int | None = None

    def step(self, now_ms: int) -> None:
        if self.end is not None:
            return
        if self._exit_at_ms is not None:
            if now_ms >= self._exit_at_ms:
                self._end("exit code 0")
            return
        if self.reads:
            self._read(now_ms)
        if self.beats and now_ms % 500 == 0:
            self.control.send_nowait(Heartbeat(now_ms * MS))
        if self._stop_at_ms is not None and now_ms >= self._stop_at_ms:
            self.leave(now_ms)

    def _read(self, now_ms: int) -> None:
        while (received := self.control.receive_nowait()) is not None:
            message, fds = received
            self.got.append(message)
            match message:
                case Attach(region=None):
                    old = self.peers.get(message.peer)
                    if old is not None:
                        old[1].close()
                    link = Link.from_descriptor(fds[0], message.peer).open()
                    self.peers[message.peer] = (message.peer_generation, link)
                case Stop():
                    if self.stops_after_ms is not None:
                        self._stop_at_ms = now_ms + self.stops_after_ms
                case _:
                    self.fds += fds
            if isinstance(message, Start):
                self.control.send_nowait(Ready())

    def leave(self, now_ms: int) -> None:
        """Closes what it has; the process ends a little later."""
        self._close()
        self._exit_at_ms = now_ms + self.exits_after_ms
        if not self.exits_after_ms:
            self._end("exit code 0")

    def crash(self) -> None:
        self._close()
        self._end("killed by SIGSEGV")

    def _end(self, how: str) -> None:
        self.end = how
        self.ended_ns = self.clock.now_ns()

    def _close(self) -> None:
        self.control.close()
        for fd in self.fds:
            os.close(fd)
        self.fds.clear()
        for _, link in self.peers.values():
            link.close()

    def ended(self) -> str | None:
        return self.end

    def kill(self) -> None:
        if self.end is None and not self.hangs:
            self.killed = True
            if self._exit_at_ms is None:
                self._close()
            self._end("killed by SIGKILL")

    def wait_ended(self, timeout_s: float) -> bool:
        if self.end is None:
            self.clock.advance(round(timeout_s * 1e9))
        return self.end is not None


class Launcher:
    def __init__(self, clock: SimulatedClock) -> None:
        self.lives: list[ScriptedChild] = []
        self.prepare: Callable[[ScriptedChild], None] = lambda child: None
        self.fails: list[str] = []
        self._clock = clock
        self.began_ns = clock.now_ns()

    def launch(self, name: str, control: socket.socket) -> ScriptedChild:
        if name in self.fails:
            self.fails.remove(name)
            control.close()
            raise BlockingIOError(11, "Resource temporarily unavailable")
        now_ms = (self._clock.now_ns() - self.began_ns) // MS
        child = ScriptedChild(name, Link(control, "supervisor").open(), self._clock, now_ms)
        self.prepare(child)
        self.lives.append(child)
        return child

    def of(self, name: str) -> list[ScriptedChild]:
        return [child for child in self.lives if child.name == name]


def plan(name: str, peers: Sequence[str], stage: int = 0, grace_ms: int = 1_000) -> ProcessPlan:
    return ProcessPlan(name, ProcessKind.ENGINE, tuple(peers), ("ring", "pool"), stage, grace_ms * MS)


class Tree:
    """A supervisor with its loop; every step takes `STEP_MS`."""

    def __init__(self, plans: Sequence[ProcessPlan]) -> None:
        self.clock = SimulatedClock(1_000_000 * MS)
        self.launcher = Launcher(self.clock)
        self.reactor = Reactor(self.clock).open()
        regions = MemfdRegions()
        self.regions = {name: regions.create(name, 4096) for name in ("ring", "pool", "spec")}
        self.finished = 0
        self.supervisor = Supervisor(
            plans,
            {name: region for name, region in self.regions.items() if name != "spec"},
            self.regions["spec"],
            self.launcher,
            self.reactor,
            self.clock,
            self._on_finished,
        )
        self._began_ns = self.clock.now_ns()
        self._at: list[tuple[int, Callable[[], object]]] = []

    def _on_finished(self) -> None:
        self.finished += 1

    @property
    def ms(self) -> int:
        return (self.clock.now_ns() - self._began_ns) // MS

    def crash(self, ms: int, *names: str) -> None:
        """The newest lives of these children crash then."""
        for name in names:
            self.at(ms, lambda of=name: self.launcher.of(of)[-1].crash())  # type: ignore[misc]

    def at(self, ms: int, what: Callable[[], object]) -> None:
        self._at.append((ms, what))

    def run(self, until_ms: int) -> None:
        """Until then, or until every child has ended after `stop`."""
        self.supervisor.start()
        flush = self.reactor._on_cycle

        def cycle() -> int:
            assert flush is not None
            flush()
            for due in [one for one in self._at if one[0] <= self.ms]:
                self._at.remove(due)
                due[1]()
            for child in list(self.launcher.lives):
                child.step(self.ms)
            if self.ms >= until_ms:
                self.reactor.stop_nowait()
            return self.clock.advance(STEP_MS * MS)

        self.reactor.on_cycle(cycle)
        self.reactor.run()

    def close(self) -> None:
        for child in self.launcher.lives:
            child.hangs = False
            child.kill()
        for process in self.supervisor.processes():
            if process.control is not None:
                process.control.close()
            for posted in process.outbox:
                posted.release()
        for region in self.regions.values():
            region.close()
        self.reactor.close()


@pytest.fixture
def grow() -> Iterator[Callable[..., Tree]]:
    before = sorted(os.listdir("/proc/self/fd"))
    trees: list[Tree] = []

    def make(*plans: ProcessPlan) -> Tree:
        trees.append(Tree(plans))
        return trees[-1]

    yield make
    for tree in trees:
        tree.close()
    assert sorted(os.listdir("/proc/self/fd")) == before, "descriptors are left open"


MODEL, ENGINE, INGEST = plan("model", ["engine"], 2), plan("engine", ["ingest", "model"], 1), plan("ingest", ["engine"])


def test_a_child_gets_its_specification_its_memory_then_its_peers(grow: Callable[..., Tree]) -> None:
    tree = grow(MODEL, ENGINE, INGEST)
    tree.run(100)
    model, engine, ingest = tree.launcher.lives
    for child in (model, engine, ingest):
        start, one, two, *peers = child.got
        assert isinstance(start, Start)
        assert (start.name, start.generation, start.regions) == (child.name, 1, 2)
        assert isinstance(one, Attach)
        assert isinstance(two, Attach)
        assert [one.region, two.region] == [tree.regions["ring"].handle, tree.regions["pool"].handle]
        assert all(isinstance(peer, Attach) and peer.region is None for peer in peers)
        assert len(child.fds) == 3
    assert {name: generation for name, (generation, _) in engine.peers.items()} == {"model": 1, "ingest": 1}
    assert engine.peers["model"][1].send_nowait(Ready())
    assert model.peers["engine"][1].receive_nowait() == (Ready(), [])
    assert [process.state for process in tree.supervisor.processes()] == ["running"] * 3


def test_a_crashed_child_comes_back_ever_later_with_links_made_anew_on_both_sides(grow: Callable[..., Tree]) -> None:
    tree = grow(MODEL, ENGINE, INGEST)
    for ms in (1_000, 2_000, 3_000):
        tree.crash(ms, "engine")
    tree.run(4_000)
    engines = tree.launcher.of("engine")
    assert [child.born_ms for child in engines] == pytest.approx([0, 1_100, 2_200, 3_400], abs=4 * STEP_MS)
    assert [one.got[0].generation for one in engines if isinstance(one.got[0], Start)] == [1, 2, 3, 4]
    for name in ("model", "ingest"):
        (other,) = tree.launcher.of(name)
        assert other.peers["engine"][0] == 4
        assert other.peers["engine"][1].send_nowait(Ready())
        assert engines[-1].peers[name][1].receive_nowait() == (Ready(), [])
    engine = tree.supervisor.processes()[1]
    assert (engine.restarts, engine.last_exit, engine.state) == (3, "killed by SIGSEGV", "running")


def test_two_that_crash_at_once_find_each_other(grow: Callable[..., Tree]) -> None:
    tree = grow(MODEL, ENGINE, INGEST)
    tree.crash(1_000, "engine", "ingest")
    tree.run(2_000)
    (_, engine), (_, ingest) = tree.launcher.of("engine"), tree.launcher.of("ingest")
    assert engine.peers["ingest"][0] == ingest.peers["engine"][0] == 2
    assert engine.peers["ingest"][1].send_nowait(Ready())
    assert ingest.peers["engine"][1].receive_nowait() == (Ready(), [])


def test_a_silent_child_is_killed_and_replaced(grow: Callable[..., Tree]) -> None:
    tree = grow(ENGINE)
    tree.at(2_000, lambda: setattr(tree.launcher.lives[0], "beats", False))
    tree.run(13_000)
    first, second = tree.launcher.lives
    assert first.killed
    assert second.born_ms == pytest.approx(1_500 + 10_000 + 250 + 100, abs=251)
    assert second.beats


def test_a_start_may_take_longer(grow: Callable[..., Tree]) -> None:
    tree = grow(ENGINE)

    def slow(child: ScriptedChild) -> None:
        child.reads = child.beats = False

    tree.launcher.prepare = slow
    tree.run(59_000)
    assert len(tree.launcher.lives) == 1
    assert tree.supervisor.processes()[0].state == "starting"


def test_a_child_that_closes_its_link_and_stays_is_ended_without_holding_up_the_others(
    grow: Callable[..., Tree],
) -> None:
    tree = grow(ENGINE, INGEST)
    tree.launcher.prepare = lambda child: setattr(child, "exits_after_ms", 10_000)
    tree.at(1_000, lambda: tree.launcher.of("engine")[0].leave(1_000))
    heard = []
    for ms in range(1_100, 2_000, 100):
        tree.at(ms, lambda: heard.append((tree.ms, tree.supervisor.processes()[1].heard_ns // MS - 1_000_000)))
    tree.run(2_500)
    engine = tree.launcher.of("engine")[0]
    assert engine.killed
    assert tree.launcher.of("engine")[1].born_ms == pytest.approx(1_000 + 1_000 + 100, abs=4 * STEP_MS)
    assert heard[-1][1] >= 1_500, "the other was listened to all the while"


def test_a_child_that_cannot_be_launched_is_tried_again(grow: Callable[..., Tree]) -> None:
    tree = grow(ENGINE, INGEST)
    tree.launcher.fails = ["engine", "engine"]
    tree.run(1_000)
    (engine,) = tree.launcher.of("engine")
    assert engine.born_ms == pytest.approx(100 + 200, abs=4 * STEP_MS)
    assert set(engine.peers) == {"ingest"}
    assert set(tree.launcher.of("ingest")[0].peers) == {"engine"}


def test_what_hangs_and_cannot_be_ended_stays_away(grow: Callable[..., Tree]) -> None:
    tree = grow(ENGINE, INGEST)
    tree.launcher.prepare = lambda child: setattr(child, "hangs", child.name == "engine")
    tree.at(1_000, lambda: tree.launcher.of("engine")[0].__dict__.update(beats=False, reads=False))
    tree.run(20_000)
    assert len(tree.launcher.of("engine")) == 1
    engine = tree.supervisor.processes()[0]
    assert (engine.unusable, engine.alive) == ("hangs and cannot be ended", False)


def test_a_hung_process_is_replaced_on_request_but_not_its_successor(grow: Callable[..., Tree]) -> None:
    tree = grow(MODEL, ENGINE)

    def ask(generation: int) -> None:
        engine = tree.launcher.of("engine")[0]
        engine.control.send_nowait(ReplaceProcess("model", generation, "a call has been running for 10 s"))

    tree.at(1_000, lambda: ask(1))
    tree.at(2_000, lambda: ask(1))
    tree.at(2_100, lambda: tree.launcher.of("engine")[0].control.send_nowait(ReplaceProcess("nobody", 1, "")))
    tree.run(3_000)
    assert [(child.killed, child.born_ms // 100) for child in tree.launcher.of("model")] == [(True, 0), (False, 11)]


# stopping


@pytest.mark.parametrize(
    ("slow", "ends_ms", "took_ms"),
    [
        pytest.param({}, {"ingest": 20, "engine": 40, "model": 60}, 60, id="all in order"),
        pytest.param({"engine": None}, {"ingest": 20, "engine": 1_020, "model": 1_040}, 1_040, id="one is killed"),
        pytest.param(
            {"ingest": None, "engine": None, "model": None},
            {"ingest": 1_000, "engine": 2_000, "model": 3_000},
            3_000,
            id="all are killed",
        ),
    ],
)
def test_children_stop_stage_by_stage(
    grow: Callable[..., Tree], slow: dict[str, int | None], ends_ms: dict[str, int], took_ms: int
) -> None:
    tree = grow(MODEL, ENGINE, INGEST)

    def prepare(child: ScriptedChild) -> None:
        child.stops_after_ms = slow.get(child.name, 20)

    tree.launcher.prepare = prepare
    tree.at(1_000, tree.supervisor.stop)
    tree.at(1_001, tree.supervisor.stop)
    tree.run(20_000)
    began_ns = tree.launcher.began_ns + 1_000 * MS
    ends = {child.name: (child.ended_ns - began_ns) // MS for child in tree.launcher.lives}
    assert ends == pytest.approx(ends_ms, abs=6 * STEP_MS)
    assert tree.supervisor.stop_took_ns == pytest.approx(took_ms * MS, abs=6 * STEP_MS * MS)
    assert {child.name for child in tree.launcher.lives if child.killed} == {n for n, ms in slow.items() if ms is None}
    assert len(tree.launcher.lives) == 3, "nothing is started again"
    for child in tree.launcher.lives:
        assert sum(isinstance(message, Stop) for message in child.got) == 1


def test_all_is_over_within_five_seconds(grow: Callable[..., Tree]) -> None:
    tree = grow(*(plan(f"p{n}", [], n, grace_ms=2_000) for n in range(6)))
    tree.launcher.prepare = lambda child: setattr(child, "stops_after_ms", None)
    tree.at(1_000, tree.supervisor.stop)
    tree.run(20_000)
    assert tree.supervisor.stop_took_ns <= 5_000 * MS + 12 * STEP_MS * MS
    assert all(child.killed for child in tree.launcher.lives)


def test_a_child_that_waits_to_be_restarted_is_not_when_the_run_stops(grow: Callable[..., Tree]) -> None:
    tree = grow(ENGINE)
    tree.crash(1_000, "engine")
    tree.at(1_050, tree.supervisor.stop)
    tree.run(5_000)
    assert len(tree.launcher.lives) == 1
    assert tree.ms < 1_100


def test_a_child_that_cannot_work_ends_the_run_with_its_reason(
    grow: Callable[..., Tree], caplog: pytest.LogCaptureFixture
) -> None:
    """Also where it exits at once, and with messages of ours unread."""
    tree = grow(ENGINE, INGEST)

    def unusable() -> None:
        engine = tree.launcher.of("engine")[0]
        engine.control.send_nowait(Unusable("no model could be loaded"))
        engine.reads = False
        tree.supervisor._post(tree.supervisor.processes()[0], Stop(1), None)
        engine.leave(tree.ms)

    tree.at(1_000, unusable)
    with caplog.at_level(logging.ERROR):
        tree.run(5_000)
    assert tree.supervisor.failed == "no model could be loaded"
    assert "engine cannot work: no model could be loaded" in caplog.text
    assert len(tree.launcher.lives) == 2
    assert all(child.end == "exit code 0" for child in tree.launcher.lives)


def test_the_end_of_the_work_is_passed_on(grow: Callable[..., Tree]) -> None:
    tree = grow(ENGINE)
    tree.at(1_000, lambda: tree.launcher.lives[0].control.send_nowait(Finished()))
    tree.run(1_500)
    assert tree.finished == 1


def test_what_does_not_fit_waits_and_comes_in_order(grow: Callable[..., Tree]) -> None:
    """A child that does not read while its peer crashes again and again: nothing is lost, no descriptor leaks."""
    tree = grow(plan("engine", ["ingest"]), plan("ingest", ["engine"]))
    tree.launcher.prepare = lambda child: setattr(child, "reads", child.name != "engine")
    for n in range(30):
        tree.crash(1_000 + n * 6_000, "ingest")
        tree.at(1_000 + n * 6_000, lambda: setattr(tree.supervisor.processes()[0], "heard_ns", tree.clock.now_ns()))
    tree.at(185_000, lambda: setattr(tree.launcher.of("engine")[0], "reads", True))
    tree.run(186_000)
    engine = tree.launcher.of("engine")[0]
    made = [message.peer_generation for message in engine.got if isinstance(message, Attach) and message.peer]
    assert made == list(range(1, 32))
    assert engine.peers["ingest"][1].send_nowait(Ready())
    ingest = tree.launcher.of("ingest")[-1]
    assert ingest.peers["engine"][1].receive_nowait() == (Ready(), [])


def test_a_gone_peer_is_seen_by_its_link(grow: Callable[..., Tree]) -> None:
    tree = grow(ENGINE, INGEST)
    tree.crash(1_000, "ingest")
    tree.run(1_050)
    with pytest.raises(LinkClosed):
        tree.launcher.of("engine")[0].peers["ingest"][1].receive_nowait()

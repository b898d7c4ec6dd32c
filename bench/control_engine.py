"""The engine's share of control work: the real engine process, fed by scripted ingest and executor peers.

Every message crosses a real socket, the journal is a real file, and the processor time is what the kernel counted for
the engine's threads. Only pixels and models are missing: leases are taken and returned without anybody writing to them.
"""

import select
import time
from heapq import heappop, heappush

from bench import scripted
from bench.child_rig import ChildRig, clock_reading
from bench.records import Series
from bench.stopwatch import thread_cpu_ns
from penstock.contracts.frames import Affine, FrameRef, Location, Plane, View
from penstock.contracts.messages import (
    Ask,
    CameraState,
    CameraUpdate,
    Completed,
    HeldLeases,
    ModelReady,
    Notice,
    Submit,
    ViewReady,
)
from penstock.contracts.work import Outcome, OutcomeStatus, Work
from penstock.framebus.cell import LatestCell
from penstock.framebus.links import Link
from penstock.framebus.slots import SlotAllocator
from penstock.runtime import wiring
from penstock.telemetry.histogram import merged
from penstock.telemetry.statistics import decode

NS_PER_S = 1_000_000_000
VIEW_NS, CALL_NS = 1_000_000, 20_000_000
FRAMES_PER_ANALYSIS = 5
_PLANE = (Plane(0, 416 * 3, 416, 416),)
_TO_SOURCE = Affine(1.54, 1.54, 0.0, 0.0)
_ANSWER_S = 2.0
_PUBLISHED_S = 0.7
"""longer than the engine waits between two publications"""
OWN_SPAN = "of which ages and rules of a result, by the engine's own clock"


class Peers:
    """Ingest and executor at the other end of the engine's links."""

    def __init__(self, rig: ChildRig) -> None:
        self.ingest: Link = rig.links["ingest-0"]
        self.executor: Link = rig.links["executor-cpu"]
        self.cameras = [camera.name for camera in rig.spec.cameras]
        self._slots = {name: SlotAllocator(rig.memory[wiring.pool_region(name)]) for name in self.cameras}
        self._newest: dict[str, FrameRef] = {}
        self.analysed = 0
        self.notices = 0

    def begin(self) -> None:
        for name in self.cameras:
            self.ingest.send_nowait(CameraUpdate(name, CameraState.UP, scripted.SESSION, time.monotonic_ns()))
        self.executor.send_nowait(ModelReady(scripted.DESCRIPTION, 3))

    def notice(self, camera: str, capture_ns: int) -> None:
        before = self._newest.get(camera)
        newest = self._newest[camera] = scripted.frame(camera, before.index + 1 if before else 1, capture_ns)
        if not self.ingest.send_nowait(Notice(newest, moved=True)):
            raise RuntimeError("the engine does not take notices: its link is full")
        self.notices += 1

    def asked(self) -> list[Ask]:
        """Asks that are here by now."""
        found = []
        while (received := self.ingest.receive_nowait()) is not None:
            if isinstance(received[0], Ask):
                found.append(received[0])
            else:
                assert isinstance(received[0], HeldLeases), f"unexpected {received[0]}"
        return found

    def submitted(self) -> list[Work]:
        found = []
        while (received := self.executor.receive_nowait()) is not None:
            assert isinstance(received[0], Submit), f"unexpected {received[0]}"
            found.append(received[0].work)
        return found

    def send_view(self, ask: Ask) -> None:
        slot = self._slots[ask.camera].acquire_nowait()
        assert slot is not None, f"{ask.camera}: the engine returned no lease"
        view = View(
            self._newest[ask.camera],
            ask.spec,
            slot[0],
            Location.MEMFD,
            "cpu",
            _PLANE,
            _TO_SOURCE,
            made_ns=time.monotonic_ns(),
        )
        self.ingest.send_nowait(ViewReady(ask.ticket, (view,), moved=True))

    def complete(self, work: Work) -> None:
        now_ns = time.monotonic_ns()
        outcome = Outcome(
            work.work_id,
            work.lease_epoch,
            work.model,
            OutcomeStatus.DONE,
            "cpu",
            results=(scripted.result(work.views[0].frame),),
            received_ns=now_ns - CALL_NS,
            started_ns=now_ns - CALL_NS,
            finished_ns=now_ns,
            compute_ns=CALL_NS,
        )
        self.executor.send_nowait(Completed(outcome))
        self.analysed += 1

    def wait_one(self, link: Link) -> None:
        if not select.select([link.fileno()], [], [], _ANSWER_S)[0]:
            raise RuntimeError(f"no answer from the engine on its link to {link.peer} within {_ANSWER_S:g} s")


def back_to_back(folder: str, batches: int, batch: int) -> dict[str, Series]:
    """One camera after another as fast as the engine answers, five notices to each result: all caches warm."""
    spec = scripted.run_spec(folder, clock_reading(), 8)
    with ChildRig(spec, wiring.ENGINE).running() as rig:
        peers = Peers(rig)
        peers.begin()
        began_ns = time.monotonic_ns()
        captured_ns: dict[str, int] = {}

        def one_frame(camera: str) -> None:
            # Captures lie ahead of the clock: nothing expires, whatever the pace.
            captured_ns[camera] = captured_ns.get(camera, began_ns + 60 * NS_PER_S) + scripted.FRAME_NS
            peers.notice(camera, captured_ns[camera])

        def answer() -> int:
            asks = peers.asked()
            for ask in asks:
                peers.send_view(ask)
                peers.wait_one(peers.executor)
                for work in peers.submitted():
                    peers.complete(work)
            return len(asks)

        # Frame by frame until the lanes have found their step: from then on the last of five is the one due.
        for camera in peers.cameras:
            answered = 0
            while answered < 3:
                one_frame(camera)
                select.select([peers.ingest.fileno()], [], [], 0.02)
                answered += answer()

        def analyse(camera: str) -> None:
            for _ in range(FRAMES_PER_ANALYSIS):
                one_frame(camera)
            peers.wait_one(peers.ingest)
            answer()

        whole: list[float] = []
        journal: list[float] = []
        for number in range(batches + 1):
            before, count = thread_cpu_ns(rig.pid), peers.analysed
            for n in range(batch):
                analyse(peers.cameras[n % len(peers.cameras)])
            rig.drain_control()
            after = thread_cpu_ns(rig.pid)
            if number > 0:  # the first batch warms up
                done = peers.analysed - count
                whole.append((sum(after.values()) - sum(before.values())) / 1000 / done)
                journal.append(whole[-1] - (after["main"] - before["main"]) / 1000 / done)
        span = _own_span(rig)
    return {"engine": Series("µs", whole), "of which threads beside its loop": Series("µs", journal), OWN_SPAN: span}


def paced(folder: str, cameras: int, seconds: float) -> tuple[dict[str, Series], dict[str, float]]:
    """Cameras in real time at 25 frames a second; what the engine takes without any frame is taken off."""
    spec = scripted.run_spec(folder, clock_reading(), cameras)
    with ChildRig(spec, wiring.ENGINE).running() as rig:
        peers = Peers(rig)
        peers.begin()
        _cpu_of(rig, peers, 1.5, frames=True)
        # Only now: compiling the rules is over, and every histogram has the range that it publishes.
        idle_ns_per_s = _cpu_of(rig, peers, seconds / 2, frames=False)[0]
        _cpu_of(rig, peers, 0.5, frames=True)
        analysed, notices = peers.analysed, peers.notices
        spent_ns_per_s, took_s = _cpu_of(rig, peers, seconds, frames=True)
        analysed, notices = peers.analysed - analysed, peers.notices - notices
        span = _own_span(rig)
    whole_us = spent_ns_per_s * took_s / analysed / 1000
    per_frame_us = (spent_ns_per_s - idle_ns_per_s) * took_s / analysed / 1000
    series = {
        "engine": Series("µs", [per_frame_us]),
        "engine, with what it takes when idle": Series("µs", [whole_us]),
        OWN_SPAN: span,
    }
    facts = {
        "analysed_per_s": analysed / took_s,
        "notices_per_analysis": notices / analysed,
        "engine_idle_ms_per_s": idle_ns_per_s / 1e6,
    }
    return series, facts


def _own_span(rig: ChildRig) -> Series:
    """Median of what the engine itself says it took for each result, once it was decoded; as last published."""
    time.sleep(_PUBLISHED_S)
    value = LatestCell(rig.memory[wiring.statistics_region(wiring.ENGINE)].memory).read()
    assert value is not None
    engine = decode(value).engine
    assert engine is not None
    return Series("µs", [merged([engine.control]).percentile_ns(50) / 1000])


def _cpu_of(rig: ChildRig, peers: Peers, seconds: float, *, frames: bool) -> tuple[float, float]:
    """Processor time of the whole engine per second of real time, and how long it was watched."""
    began_ns = time.monotonic_ns()
    before = sum(thread_cpu_ns(rig.pid).values())
    _play(rig, peers, began_ns + round(seconds * NS_PER_S), frames=frames)
    took_s = (time.monotonic_ns() - began_ns) / NS_PER_S
    return (sum(thread_cpu_ns(rig.pid).values()) - before) / took_s, took_s


_FRAME, _VIEW, _DONE = range(3)


def _play(rig: ChildRig, peers: Peers, until_ns: int, *, frames: bool) -> None:
    """Sends each frame when it is due, and answers what the engine asks for after the time that it would take."""
    agenda: list[tuple[int, int, int, object]] = []
    order = 0

    def at(at_ns: int, kind: int, subject: object) -> None:
        nonlocal order
        order += 1
        heappush(agenda, (at_ns, order, kind, subject))

    now_ns = time.monotonic_ns()
    if frames:
        for n, camera in enumerate(peers.cameras):
            at(now_ns + n * scripted.FRAME_NS // len(peers.cameras), _FRAME, camera)
    descriptors = [peers.ingest.fileno(), peers.executor.fileno()]
    # What was asked for before the end is still answered, so that no call hangs over into the next stretch.
    while (now_ns := time.monotonic_ns()) < until_ns or any(kind != _FRAME for _, _, kind, _ in agenda):
        due_ns = agenda[0][0] if agenda else until_ns
        select.select(descriptors, [], [], max(0, min(due_ns, max(until_ns, now_ns)) - now_ns) / NS_PER_S)
        now_ns = time.monotonic_ns()
        for ask in peers.asked():
            at(now_ns + VIEW_NS, _VIEW, ask)
        for work in peers.submitted():
            at(now_ns + CALL_NS, _DONE, work)
        while agenda and agenda[0][0] <= now_ns:
            due_ns, _, kind, subject = heappop(agenda)
            if kind == _VIEW:
                assert isinstance(subject, Ask)
                peers.send_view(subject)
            elif kind == _DONE:
                assert isinstance(subject, Work)
                peers.complete(subject)
            elif now_ns < until_ns:
                peers.notice(str(subject), due_ns - 10_000_000)
                at(due_ns + scripted.FRAME_NS, _FRAME, subject)
        rig.drain_control()

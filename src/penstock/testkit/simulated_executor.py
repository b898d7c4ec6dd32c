"""One executor of a simulated host: so many streams, a queue for what was submitted ahead, and calls that the host's
processor may slow down while they run.

As the real one does: calls start in the order in which they came, one per free stream; a call that cannot start before
its deadline is answered `expired` without running. The stream is free when the call ends, not when the engine hears of
it, one hop later.
"""

import random
from collections import deque
from collections.abc import Iterable, Iterator

from penstock.contracts.frames import FrameRef
from penstock.contracts.work import OutcomeStatus
from penstock.testkit.call_costs import NEVER_NS
from penstock.testkit.host_model import ExecutorModel
from penstock.testkit.processor import Processor
from penstock.testkit.simulated_cameras import SimulatedCamera
from penstock.testkit.simulated_models import SimulatedModel


class AskedView:
    """One ask and the frame that was taken for it."""

    __slots__ = (
        "asked_ns",
        "camera",
        "capture_ns",
        "decoded_ns",
        "index",
        "lane",
        "made_ns",
        "moving",
        "session",
        "stream",
        "ticket",
        "views",
    )

    def __init__(self, ticket: int, lane: int, camera: SimulatedCamera, asked_ns: int) -> None:
        self.ticket = ticket
        self.lane = lane
        """its number"""
        self.camera = camera
        self.session = camera.session
        self.stream = camera.stream
        self.asked_ns = asked_ns
        self.views = 1
        self.index = 0
        """0 where ingest had no frame to give"""
        self.capture_ns = 0
        self.decoded_ns = 0
        self.made_ns = 0
        self.moving = True

    @property
    def frame(self) -> FrameRef:
        return self.camera.ref(self.stream, self.index, self.capture_ns, self.decoded_ns)


class SimulatedCall:
    """One call, from its submission to its outcome."""

    __slots__ = (
        "deadline_ns",
        "end_ns",
        "left_ns",
        "load",
        "model",
        "raises",
        "received_ns",
        "since_ns",
        "started_ns",
        "status",
        "submitted_ns",
        "views",
        "work",
    )

    def __init__(
        self, work: int, model: SimulatedModel, views: list[AskedView], deadline_ns: int, submitted_ns: int
    ) -> None:
        self.work = work
        self.model = model
        self.views = views
        self.deadline_ns = deadline_ns
        self.submitted_ns = submitted_ns
        self.received_ns = submitted_ns
        self.started_ns = 0
        self.since_ns = 0
        """when `left_ns` was true"""
        self.left_ns = 0.0
        """work that is left, in nanoseconds at full speed"""
        self.end_ns = NEVER_NS
        self.raises = False
        self.load = 0
        self.status = OutcomeStatus.DONE


class SimulatedExecutor:
    """Streams and queue. What must happen at an instant is returned to the host, which has the events."""

    def __init__(self, model: ExecutorModel, processor: Processor, chance: random.Random, hop: Iterator[int]) -> None:
        self.model = model
        self.models = {one.name: one for one in model.models}
        self.running: set[SimulatedCall] = set()
        self.busy_ns = 0
        """stream time of calls that have ended"""
        self.calls = 0
        self.alive = True
        self._queue: deque[SimulatedCall] = deque()
        self._processor = processor
        self._chance = chance
        self._hop = hop

    @property
    def queued(self) -> int:
        return len(self._queue)

    def submit(self, call: SimulatedCall, now_ns: int) -> bool:
        """The engine sends a call; True where it starts (its `end_ns` is set), False where it waits."""
        call.received_ns = now_ns + next(self._hop)
        if len(self.running) < self.model.streams:
            self._start(call, call.received_ns, now_ns)
            return True
        self._queue.append(call)
        return False

    def ended(self, call: SimulatedCall, now_ns: int) -> Iterable[SimulatedCall]:
        """The engine hears of the call's end: whatever its stream took up then, with `end_ns` set; calls that came too
        late are among them, as `expired`."""
        self.running.discard(call)
        self._processor.add_call(-call.model.host_share, now_ns)
        self.busy_ns += call.end_ns - call.started_ns
        self.calls += 1
        if not self._queue:
            return ()
        begun: list[SimulatedCall] = []
        while self._queue:
            waiting = self._queue.popleft()
            start_ns = max(call.end_ns, waiting.received_ns)
            begun.append(waiting)
            if start_ns <= waiting.deadline_ns:
                self._start(waiting, start_ns, now_ns)
                break
            waiting.status = OutcomeStatus.EXPIRED
            waiting.started_ns = waiting.end_ns = start_ns
        return begun

    def die(self, now_ns: int) -> None:
        """It was killed: whatever it had is gone."""
        self.alive = False
        for call in self.running:
            self._processor.add_call(-call.model.host_share, now_ns)
            self.busy_ns += now_ns - call.started_ns
        self.running.clear()
        self._queue.clear()

    def retime(self, before: float, now_ns: int) -> list[SimulatedCall]:
        """The processor's speed was `before` until now: calls whose end has moved."""
        moved = []
        for call in self.running:
            if call.end_ns >= NEVER_NS or call.end_ns <= now_ns:
                continue
            call.left_ns -= max(0, now_ns - call.since_ns) * before
            call.since_ns = max(now_ns, call.since_ns)
            call.end_ns = call.since_ns + round(max(0.0, call.left_ns) / self._processor.speed)
            moved.append(call)
        moved.sort(key=_by_work)
        return moved

    def _start(self, call: SimulatedCall, start_ns: int, now_ns: int) -> None:
        self.running.add(call)
        running = call.load = len(self.running)
        alone_ns, call.raises = call.model.begin(start_ns, call.views, running, self._chance)
        call.started_ns = call.since_ns = start_ns
        self._processor.add_call(call.model.host_share, now_ns)
        if alone_ns >= NEVER_NS:
            return
        call.left_ns = alone_ns * self._processor.stretch(running - 1)
        call.end_ns = start_ns + round(call.left_ns / self._processor.speed)


def _by_work(call: SimulatedCall) -> int:
    return call.work

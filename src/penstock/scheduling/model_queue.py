"""One model of one executor: the lanes that wait for it, in order, and what is known of it."""

from collections import deque
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from penstock.scheduling.batching import BatchSizes
from penstock.scheduling.cost import FASTER_COUNT, SLOWER_COUNT, CostModel, RunningQuantile
from penstock.scheduling.lane import Lane
from penstock.scheduling.measurements import COST_MEMORY_NS, DecayingMean
from penstock.scheduling.suspension import Suspension

if TYPE_CHECKING:
    from penstock.scheduling.executors import ExecutorState

DEFAULT_COST_NS = 30_000_000

Entry = tuple[int, int, int, int, Lane]
"""rank, deadline, lane number, token, lane: the first four never tie"""


class ModelQueue:
    """A heap by rank and deadline. An entry whose token is not its lane's is stale: its lane has left."""

    __slots__ = (
        "_heap",
        "_newest",
        "_usual",
        "changes",
        "costs",
        "executor",
        "model",
        "sizes",
        "stream",
        "suspension",
        "used",
        "waiting",
    )

    def __init__(self, model: str, executor: "ExecutorState") -> None:
        self.model = model
        self.executor = executor
        self._heap: list[Entry] = []
        self.waiting = 0
        """lanes in it"""
        self.changes = 0
        """times that the model became clearly slower or quicker"""
        self.costs = CostModel(DEFAULT_COST_NS)
        self.sizes = BatchSizes()
        self.stream = DecayingMean(COST_MEMORY_NS)
        """nanoseconds for which one view takes a stream"""
        self._usual = RunningQuantile()
        """stream time of one view"""
        self._newest: deque[tuple[int, int]] = deque(maxlen=max(SLOWER_COUNT, FASTER_COUNT))
        """stream time and views of the last calls"""
        self.suspension = Suspension()
        self.used = False
        """any lane runs it"""

    def push(self, lane: Lane) -> None:
        """The lane waits from now on."""
        lane.queue_token += 1
        heappush(self._heap, (lane.rank, lane.waiting_since_ns + lane.budget_ns, lane.number, lane.queue_token, lane))
        self.waiting += 1
        self.executor.waiting += 1
        if len(self._heap) > 2 * self.waiting + 64:
            self._heap = [entry for entry in self._heap if entry[3] == entry[4].queue_token]
            heapify(self._heap)

    def leave(self, lane: Lane) -> None:
        """The lane waits no longer."""
        lane.queue_token += 1
        self.waiting -= 1
        self.executor.waiting -= 1

    def first(self) -> Entry | None:
        """The entry that comes first; it stays."""
        heap = self._heap
        while heap:
            entry = heap[0]
            if entry[3] == entry[4].queue_token:
                return entry
            heappop(heap)
        return None

    def take(self) -> Lane:
        """Removes what `first` has just returned."""
        lane = heappop(self._heap)[4]
        lane.queue_token += 1
        self.waiting -= 1
        self.executor.waiting -= 1
        return lane

    def _begin_anew(self, slower: bool, now_ns: int, *, probe: bool) -> None:
        """The model has changed: of what was measured, only the calls count that showed it."""
        self.changes += 1
        self.stream.forget()
        if not probe:
            showed = (SLOWER_COUNT if slower else FASTER_COUNT) - 1
            for stream_ns, views in list(self._newest)[-showed:]:
                self.stream.add(stream_ns, views, now_ns)

    def observe(self, duration_ns: int, stream_ns: int, load: int, views: int, now_ns: int, *, probe: bool) -> None:
        """A call of so many views succeeded."""
        self.costs.observe(duration_ns, load, now_ns, views=views, probe=probe)
        # By the time on a stream, which does not depend on what ran beside it: seen sooner than case by case.
        if self._usual.add(stream_ns // views) or probe:
            self._begin_anew(stream_ns > self.stream.value * views, now_ns, probe=probe)
        self._newest.append((stream_ns, views))
        self.stream.add(stream_ns, views, now_ns)
        if self.sizes.most > 1:
            self.sizes.observe(views, stream_ns)

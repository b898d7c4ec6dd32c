"""What the scheduler knows of one executor: its calls in flight, when it will be free, and who waits for it."""

from collections.abc import Iterable

from penstock.scheduling.calls import Call
from penstock.scheduling.cost import CROWDED_PROBE_SHARE, PROBE_SHARE, RunningQuantile
from penstock.scheduling.model_queue import Entry, ModelQueue

DEFAULT_VIEW_LATENCY_NS = 3_000_000
ASK_TIMEOUT_NS = 1_000_000_000
# A batch whose views have begun to come waits for the others at most so much longer than a view usually takes.
GATHER_NS = 4_000_000


class ExecutorState:
    """One executor: `streams` calls run side by side, and one more may be on its way."""

    __slots__ = (
        "_behind",
        "_only",
        "asked",
        "gathering",
        "hang_timeout_ns",
        "models",
        "name",
        "queues",
        "started",
        "streams",
        "view_latency",
        "waiting",
    )

    def __init__(self, name: str, streams: int, models: Iterable[str], hang_timeout_ns: int) -> None:
        self.name = name
        self.streams = streams
        self.hang_timeout_ns = hang_timeout_ns
        self.models = {model: ModelQueue(model, self) for model in models}
        self.queues = list(self.models.values())
        self._only = self.queues[0] if len(self.queues) == 1 else None
        self.waiting = 0
        """lanes that wait for any of its models"""
        self.view_latency = RunningQuantile()
        self.asked: dict[int, Call] = {}
        """calls whose views are on their way, by their first ticket"""
        self.gathering = 0
        """of these, how many are batches"""
        self.started: dict[int, Call] = {}
        self._behind = 0
        """started calls for which there was no stream yet"""

    def first(self) -> Entry | None:
        """Of all lanes that wait, the one that comes first."""
        if self._only is not None:
            return self._only.first()
        best: Entry | None = None
        for queue in self.queues:
            if queue.waiting:
                entry = queue.first()
                if entry is not None and (best is None or entry < best):
                    best = entry
        return best

    def free_at_ns(self, now_ns: int) -> int | None:
        """When to ask for the next view: now where a stream idles, shortly before one ends where all are busy,
        None where one is already on its way."""
        in_flight = len(self.asked) + len(self.started)
        if in_flight < self.streams:
            return now_ns
        if self.asked or in_flight > self.streams:
            return None
        first_end_ns = min([call.finish_at_ns for call in self.started.values()])
        return first_end_ns - (self.view_latency.value or DEFAULT_VIEW_LATENCY_NS)

    @property
    def probe_share(self) -> float:
        """The part of a stream that probes of one model may take."""
        crowded = self.streams == 1 and sum(queue.used for queue in self.queues) > 1
        return CROWDED_PROBE_SHARE if crowded else PROBE_SHARE

    def free_streams(self) -> int:
        """Streams that no call has or is about to have."""
        return self.streams - len(self.asked) - len(self.started)

    def unask(self, call: Call) -> None:
        """Its views are here, or none will come."""
        del self.asked[call.id]
        self.gathering -= call.batch is not None

    def hold_ns(self) -> int:
        """How long views of a batch are waited for."""
        return (self.view_latency.value or DEFAULT_VIEW_LATENCY_NS) + GATHER_NS

    def start(self, call: Call, now_ns: int, predicted_ns: int, *, probe: bool) -> None:
        """The call is submitted; it begins when a stream is free."""
        call.started_ns = now_ns
        call.finish_at_ns = now_ns + predicted_ns
        call.probe = probe
        self.started[call.id] = call
        call.load = len(self.started)
        if call.load <= self.streams:
            call.began_ns = now_ns
        else:
            call.began_ns = 0
            self._behind += 1
        if probe:
            call.queue.costs.probing(call.load, now_ns, call.views)

    def finish(self, call: Call, now_ns: int) -> None:
        """The call has ended; one that waited for its stream has it now."""
        del self.started[call.id]
        if not self._behind:
            return
        if not call.began_ns:
            self._behind -= 1
            return
        for other in self.started.values():
            if not other.began_ns:
                other.began_ns = now_ns
                self._behind -= 1
                return

    def overdue_ask(self, now_ns: int) -> Call | None:
        """The oldest call whose views should have come long ago: the message or its answer was refused."""
        for call in self.asked.values():
            return call if now_ns - call.asked_ns >= ASK_TIMEOUT_NS else None
        return None

    def next_limit_ns(self) -> int:
        """When the oldest ask or call will have taken too long; there must be one."""
        limit_ns = 1 << 62
        for call in self.asked.values():
            limit_ns = call.asked_ns + ASK_TIMEOUT_NS
            break
        for call in self.started.values():
            return min(limit_ns, (call.started_ns or 0) + self.hang_timeout_ns)
        return limit_ns

    def hung_call(self, now_ns: int) -> Call | None:
        """The oldest call, where it has run longer than the executor's hang time-out."""
        for call in self.started.values():
            return call if now_ns - (call.started_ns or now_ns) >= self.hang_timeout_ns else None
        return None

    def reset(self) -> None:
        """The process behind it is new."""
        self.asked.clear()
        self.started.clear()
        self.gathering = 0
        self._behind = 0

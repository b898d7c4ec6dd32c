"""What the scheduler knows of one executor: its calls in flight, when it will be free, and what calls cost."""

from collections.abc import Iterable

from penstock.scheduling.cost import CostModel, RunningQuantile
from penstock.scheduling.lane import Lane

DEFAULT_COST_NS = 30_000_000
DEFAULT_VIEW_LATENCY_NS = 3_000_000
ASK_TIMEOUT_NS = 1_000_000_000


class Ticket:
    """One ask and the call that follows it."""

    __slots__ = ("asked_ns", "finish_at_ns", "id", "lane", "load", "probe", "started_ns")

    def __init__(self, ticket_id: int, lane: Lane, asked_ns: int) -> None:
        self.id = ticket_id
        self.lane = lane
        self.asked_ns = asked_ns
        self.started_ns: int | None = None
        self.finish_at_ns = 0
        self.load = 0
        """calls on the executor when this one was started, itself included"""
        self.probe = False


class ExecutorState:
    """One executor: `streams` calls run side by side, and one more may be on its way."""

    __slots__ = (
        "asked",
        "costs",
        "hang_timeout_ns",
        "name",
        "queue",
        "started",
        "streams",
        "view_latency",
    )

    def __init__(self, name: str, streams: int, models: Iterable[str], hang_timeout_ns: int) -> None:
        self.name = name
        self.streams = streams
        self.hang_timeout_ns = hang_timeout_ns
        self.costs = {model: CostModel(DEFAULT_COST_NS) for model in models}
        """from submitting a call to hearing of its end"""
        self.view_latency = RunningQuantile()
        self.queue: list[tuple[int, int, int, int]] = []
        """heap of (-priority, deadline, lane number, token)"""
        self.asked: dict[int, Ticket] = {}
        self.started: dict[int, Ticket] = {}

    def predict_ns(self, model: str) -> int:
        """From submitting a call now to its outcome."""
        return self.costs[model].predict_ns(len(self.started) + 1)

    def may_probe(self, model: str, now_ns: int) -> bool:
        """Whether a call may be started now although it is predicted to take too long."""
        return self.costs[model].may_probe(len(self.started) + 1, now_ns)

    def free_at_ns(self, now_ns: int) -> int | None:
        """When to ask for the next view: now where a stream idles, shortly before one ends where all are busy,
        None where one is already on its way."""
        in_flight = len(self.asked) + len(self.started)
        if in_flight < self.streams:
            return now_ns
        if self.asked or in_flight > self.streams:
            return None
        first_end_ns = min(ticket.finish_at_ns for ticket in self.started.values())
        return first_end_ns - (self.view_latency.value or DEFAULT_VIEW_LATENCY_NS)

    def ask(self, ticket: Ticket) -> None:
        self.asked[ticket.id] = ticket

    def unask(self, ticket: Ticket) -> None:
        del self.asked[ticket.id]

    def start(self, ticket: Ticket, now_ns: int, predicted_ns: int, *, probe: bool) -> None:
        ticket.started_ns = now_ns
        ticket.finish_at_ns = now_ns + predicted_ns
        self.started[ticket.id] = ticket
        ticket.load = len(self.started)
        ticket.probe = probe
        if probe:
            self.costs[ticket.lane.model].probing(ticket.load, now_ns)

    def finish(self, ticket: Ticket) -> None:
        del self.started[ticket.id]

    def overdue_ask(self, now_ns: int) -> Ticket | None:
        """The oldest ask, where its view should have come long ago: the message or its answer was refused."""
        for ticket in self.asked.values():
            return ticket if now_ns - ticket.asked_ns >= ASK_TIMEOUT_NS else None
        return None

    def next_limit_ns(self) -> int | None:
        """When the oldest ask or call will have taken too long; None where there is neither."""
        limit_ns: int | None = None
        for ticket in self.asked.values():
            limit_ns = ticket.asked_ns + ASK_TIMEOUT_NS
            break
        for ticket in self.started.values():
            hung_at_ns = (ticket.started_ns or 0) + self.hang_timeout_ns
            return hung_at_ns if limit_ns is None else min(limit_ns, hung_at_ns)
        return limit_ns

    def hung_call(self, now_ns: int) -> Ticket | None:
        """The oldest call, where it has run longer than the executor's hang time-out."""
        for ticket in self.started.values():
            return ticket if now_ns - (ticket.started_ns or now_ns) >= self.hang_timeout_ns else None
        return None

    def reset(self) -> None:
        """The process behind it is new."""
        self.asked.clear()
        self.started.clear()

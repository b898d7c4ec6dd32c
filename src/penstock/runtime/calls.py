"""Calls of models under way: what was asked for, the views that came, and their leases, which always find their way
back.

The scheduler decides which calls there are; what it no longer knows is over here too (`end_unknown`), however its ask,
its views or its outcome got lost.
"""

from collections.abc import Callable, Iterable

from penstock.contracts.frames import Lease, View
from penstock.contracts.messages import Box
from penstock.framebus.regions import Region
from penstock.framebus.slots import LeaseBook
from penstock.scheduling.plan import AskFor


class Call:
    """One ask of one lane, and the views that answer it."""

    __slots__ = ("ask", "asked_ns", "regions", "submitted_ns", "views")

    def __init__(self, ask: AskFor, asked_ns: int, regions: tuple[Box, ...] = ()) -> None:
        self.ask = ask
        self.asked_ns = asked_ns
        self.regions = regions
        """what the views show, one each; none where one view shows the whole picture"""
        self.views: tuple[View, ...] = ()
        """leased from when they came until the call ends"""
        self.submitted_ns = 0


class CallBook:
    """All calls by ticket, the works that they were submitted in, and the leases that they hold. Never waits."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._works: dict[int, tuple[int, ...]] = {}
        self._leases = LeaseBook()

    def __len__(self) -> int:
        return len(self._calls)

    def attach(self, pool: Region) -> None:
        self._leases.attach(pool)

    def held(self, pools: Iterable[str]) -> tuple[Lease, ...]:
        """The leases of those pools that calls hold."""
        return self._leases.held(pools)

    def asked(self, ask: AskFor, now_ns: int, regions: tuple[Box, ...] = ()) -> None:
        self._calls[ask.ticket] = Call(ask, now_ns, regions)

    def take_views(self, ticket: int, views: tuple[View, ...]) -> Call | None:
        """The call that `views` answer, which holds their leases from here on.

        None where the call is over, or a lease is: then they are nobody's, and the ask is not answered.
        """
        held = [view for view in views if self._leases.take(view)]
        call = self._calls.get(ticket)
        if call is None or len(held) < len(views) or not views:
            self._calls.pop(ticket, None)
            for view in held:
                self._leases.give_back(view.lease)
            return None
        call.views = views
        return call

    def submit(self, work: int, tickets: tuple[int, ...], now_ns: int) -> list[Call]:
        """The calls of `tickets` go to their model together, as `work`."""
        self._works[work] = tickets
        calls = [self._calls[ticket] for ticket in tickets]
        for call in calls:
            call.submitted_ns = now_ns
        return calls

    def submitted(self, work: int) -> list[Call]:
        """The calls that went to their model as `work`; none where it is over."""
        tickets = self._works.get(work, ())
        return [self._calls[ticket] for ticket in tickets if ticket in self._calls]

    def end(self, ticket: int) -> None:
        """The call is over: its leases are returned."""
        call = self._calls.pop(ticket, None)
        if call is not None:
            for view in call.views:
                self._leases.give_back(view.lease)

    def end_work(self, work: int) -> None:
        """All its calls are over."""
        for ticket in self._works.pop(work, ()):
            self.end(ticket)

    def end_unknown(self, known: Callable[[int], bool]) -> None:
        """Ends every call whose ticket is not `known`."""
        for ticket in [ticket for ticket in self._calls if not known(ticket)]:
            self.end(ticket)
        for work in [work for work, tickets in self._works.items() if not any(t in self._calls for t in tickets)]:
            del self._works[work]

    def end_all(self) -> None:
        self.end_unknown(lambda _: False)

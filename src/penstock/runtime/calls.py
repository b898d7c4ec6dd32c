"""Calls of models under way: what was asked for, the view that came, and its lease, which always finds its way back.

The scheduler decides which calls there are; what it no longer knows is over here too (`end_unknown`), however its ask,
its view or its outcome got lost.
"""

from collections.abc import Callable, Iterable

from penstock.contracts.frames import Lease, View
from penstock.framebus.regions import Region
from penstock.framebus.slots import LeaseBook
from penstock.scheduling.plan import AskFor


class Call:
    """One ask, and the view and work that follow it."""

    __slots__ = ("ask", "asked_ns", "view")

    def __init__(self, ask: AskFor, asked_ns: int) -> None:
        self.ask = ask
        self.asked_ns = asked_ns
        self.view: View | None = None
        """leased from when it came until the call ends"""


class CallBook:
    """All calls by ticket, with the leases that they hold. Never waits."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._leases = LeaseBook()

    def __len__(self) -> int:
        return len(self._calls)

    def attach(self, pool: Region) -> None:
        self._leases.attach(pool)

    def held(self, pools: Iterable[str]) -> tuple[Lease, ...]:
        """The leases of those pools that calls hold."""
        return self._leases.held(pools)

    def asked(self, ask: AskFor, now_ns: int) -> None:
        self._calls[ask.ticket] = Call(ask, now_ns)

    def take_view(self, ticket: int, view: View) -> Call | None:
        """The call that `view` answers, which holds its lease from here on.

        None where the call is over, or the lease is: then it is nobody's, and the ask is not answered.
        """
        held = self._leases.take(view)
        call = self._calls.get(ticket)
        if call is None or not held:
            self._calls.pop(ticket, None)
            if held:
                self._leases.give_back(view.lease)
            return None
        call.view = view
        return call

    def running(self, ticket: int) -> Call | None:
        """The call whose view was handed to a model; None where there is none."""
        call = self._calls.get(ticket)
        return call if call is not None and call.view is not None else None

    def end(self, ticket: int) -> None:
        """The call is over: its lease is returned."""
        call = self._calls.pop(ticket, None)
        if call is not None and call.view is not None:
            self._leases.give_back(call.view.lease)

    def end_unknown(self, known: Callable[[int], bool]) -> None:
        """Ends every call whose ticket is not `known`."""
        for ticket in [ticket for ticket in self._calls if not known(ticket)]:
            self.end(ticket)

    def end_all(self) -> None:
        self.end_unknown(lambda _: False)

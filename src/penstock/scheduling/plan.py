"""What the scheduler wants done next, as data."""

import msgspec

from penstock.contracts.fates import Fate


class AskFor(msgspec.Struct, frozen=True, gc=False):
    """Ask ingest for a view of the camera's newest frame."""

    ticket: int
    lane: str
    camera: str
    model: str
    executor: str
    after_index: int
    deadline_ns: int


class StartWork(msgspec.Struct, frozen=True, gc=False):
    """Submit the view that arrived with `ticket`."""

    ticket: int
    lane: str
    executor: str
    deadline_ns: int
    probe: bool = False
    """may come too late: started all the same, to learn whether the model is still that slow"""


class FateGiven(msgspec.Struct, frozen=True, gc=False):
    """A frame's end, for those who follow single frames; the ledger has counted it."""

    lane: str
    index: int
    fate: Fate


class Hung(msgspec.Struct, frozen=True, gc=False):
    """A call has run longer than its executor's hang time-out."""

    executor: str
    ticket: int
    running_ns: int


class Plan(msgspec.Struct, frozen=True, gc=False):
    """Asks and time-outs to act on, and when to plan again at the latest if nothing happens before."""

    ask: tuple[AskFor, ...] = ()
    hung: tuple[Hung, ...] = ()
    wake_at_ns: int | None = None


NOTHING = Plan()

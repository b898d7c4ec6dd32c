"""What the scheduler wants done next, as data."""

import msgspec


class AskFor(msgspec.Struct, frozen=True, gc=False):
    """Ask ingest for a view of the camera's newest frame, or of frame `frame_index` where that is not 0."""

    ticket: int
    lane: str
    camera: str
    model: str
    executor: str
    after_index: int
    deadline_ns: int
    frame_index: int = 0
    """this very frame, for a lane that looks at crops: one view per box that was found in it"""
    batch: int = 0
    """asks with the same number share one call; 0 for a call of its own"""


class StartWork(msgspec.Struct, frozen=True, gc=False):
    """Submit the views that arrived with `tickets`, together in one call."""

    work: int
    """the call's number, by which `finished` ends it: the first of `tickets`"""
    tickets: tuple[int, ...]
    lanes: tuple[str, ...]
    """of each ticket"""
    model: str
    executor: str
    deadline_ns: int
    """the earliest of its frames'"""
    probe: bool = False
    """may come too late: started all the same, to learn whether the model is still that slow"""


class Hung(msgspec.Struct, frozen=True, gc=False):
    """A call has run longer than its executor's hang time-out."""

    executor: str
    work: int
    running_ns: int


class Plan(msgspec.Struct, frozen=True, gc=False):
    """Asks, calls and time-outs to act on, and when to plan again at the latest if nothing happens before."""

    ask: tuple[AskFor, ...] = ()
    hung: tuple[Hung, ...] = ()
    wake_at_ns: int | None = None
    start: tuple[StartWork, ...] = ()
    """batches that are waited for no longer"""


NOTHING = Plan()

"""Asks and the calls that follow them: one ticket for each lane's view, one call for what a model takes together."""

from typing import TYPE_CHECKING

from penstock.scheduling.lane import Lane

if TYPE_CHECKING:
    from penstock.scheduling.model_queue import ModelQueue


class Batch:
    """The members of a call of several lanes, by ticket."""

    __slots__ = ("deadlines_ns", "hold_until_ns", "members")

    def __init__(self, hold_until_ns: int) -> None:
        self.members: dict[int, Lane] = {}
        self.deadlines_ns: dict[int, int] = {}
        """of the frames of those whose views have come"""
        self.hold_until_ns = hold_until_ns
        """members that come later are left behind"""


class Call:
    """One call of one model, from its asks to its outcome."""

    __slots__ = (
        "asked_ns",
        "batch",
        "began_ns",
        "deadline_ns",
        "finish_at_ns",
        "id",
        "lane",
        "load",
        "probe",
        "queue",
        "started_ns",
        "views",
    )

    batch: Batch | None
    """None for a call of one lane"""
    began_ns: int
    """when a stream took it; 0 while it waits for one. This and what follows is known once it is started"""
    deadline_ns: int
    finish_at_ns: int
    load: int
    """calls on the executor when this one was started, itself included"""
    probe: bool

    def __init__(self, call_id: int, queue: "ModelQueue", lane: Lane, views: int, now_ns: int) -> None:
        self.id = call_id
        """of its first ask"""
        self.queue = queue
        self.lane = lane
        """the first that was asked for"""
        self.views = views
        self.asked_ns = now_ns
        self.batch = None
        self.started_ns: int | None = None

    @property
    def work(self) -> int:
        """The number by which the call's outcome is told: the first ticket of those that are in it."""
        return self.id if self.batch is None else next(iter(self.batch.members))

    def members(self) -> list[tuple[int, Lane]]:
        """Tickets and lanes that are in it now."""
        return [(self.id, self.lane)] if self.batch is None else list(self.batch.members.items())

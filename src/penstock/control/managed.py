"""One process of the tree as its supervisor keeps it: what it is given, its present life, its history."""

import os
from collections import deque
from typing import NamedTuple

import msgspec

from penstock.base.clock import NS_PER_S
from penstock.contracts.messages import Message, ProcessKind
from penstock.control.launchers import Child
from penstock.control.restarts import RestartPolicy
from penstock.framebus.links import Link

HEARTBEAT_LIMIT_NS = 10 * NS_PER_S
START_LIMIT_NS = 60 * NS_PER_S


class ProcessPlan(msgspec.Struct, frozen=True):
    """What one child is: its kind, the peers it is linked with, and the regions it gets."""

    name: str
    kind: ProcessKind
    peers: tuple[str, ...]
    regions: tuple[str, ...]
    stop_stage: int
    """children of a lower stage are stopped, and waited for, first"""
    stop_grace_ns: int
    finishes: bool = False
    """has something to finish when the run ends: where it is away just then, it is started for that"""


class Posted(NamedTuple):
    """A message that waits for room in the control link, with its descriptor."""

    message: Message
    descriptor: int | None
    lent: bool
    """the descriptor stays open here after it was sent"""

    def release(self) -> None:
        """Sent, or given up."""
        if self.descriptor is not None and not self.lent:
            os.close(self.descriptor)


class ManagedProcess:
    """Mutable state of one child; used by the supervisor's loop only."""

    def __init__(self, plan: ProcessPlan) -> None:
        self.plan = plan
        self.policy = RestartPolicy()
        self.generation = 0
        self.child: Child | None = None
        self.control: Link | None = None
        self.outbox: deque[Posted] = deque()
        self.started_ns = 0
        self.heard_ns = 0
        self.ready = False
        self.restart_at_ns: int | None = None
        self.restarts = 0
        self.last_exit = ""
        self.stopping = False
        """it was asked to end"""
        self.started_to_finish = False
        self.unusable = ""

    @property
    def alive(self) -> bool:
        return self.child is not None

    @property
    def state(self) -> str:
        if self.child is None:
            return "stopped" if self.restart_at_ns is None else "restarting"
        return "running" if self.ready else "starting"

    def is_silent(self, now_ns: int) -> bool:
        """Whether it should have been heard long ago. A start may take longer: models are loaded then."""
        limit_ns = HEARTBEAT_LIMIT_NS if self.ready else START_LIMIT_NS
        return self.child is not None and now_ns - self.heard_ns > limit_ns

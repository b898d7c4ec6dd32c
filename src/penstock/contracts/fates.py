"""How a frame ended in a lane: exactly one of these, counted; and how an access unit ended."""

import enum


class Fate(enum.IntEnum):
    """The one end of a frame that was offered to a lane. The number is its place in the counters."""

    ANALYSED = 0
    """a model's result was taken"""
    NOT_DUE = 1
    """the lane's rate did not ask for it"""
    GATED = 2
    """nothing moved since the last analysed frame, whose result stays valid"""
    SUPERSEDED = 3
    """the lane was due, but a newer frame came before a model was free"""
    EXPIRED = 4
    """its result could not have come within the budget"""
    SHED = 5
    """the capacity plan refused it"""
    DEPENDENCY_STALE = 6
    """what the lane requires was unknown, too long ago or not so"""
    MODEL_FAILED = 7
    """the model raised, hung, died, returned nonsense, or was suspended"""
    CANCELLED = 8
    """the lane or the run ended first"""
    LOST = 9
    """a process that held it died"""

    @property
    def label(self) -> str:
        return self.name.lower()


class UnitFate(enum.IntEnum):
    """The one end of an access unit that was received."""

    DECODED = 0
    SKIPPED = 1
    """the decode policy passed it over, or its picture was not shown"""
    UNDECODABLE = 2
    """damaged, or without the keyframe it needs"""
    LOST = 3
    """a process that held it died, or its session ended with it in the decoder"""

    @property
    def label(self) -> str:
        return self.name.lower()

"""What processes write down of single frames while somebody traces them, and who may read it.

Cameras, lanes and rules are numbers here: their places in the run's specification. Instants are monotonic nanoseconds
of the run's clock; where a frame comes from a file that is read without loss, `capture_ns` is media time instead.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from penstock.contracts.capacity import LadderStep
from penstock.contracts.fates import Fate

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


class FrameDecoded(msgspec.Struct, frozen=True, gc=False):
    """Ingest: a picture came out of the decoder."""

    camera: int
    session: int
    seq: int
    index: int
    """counts the camera's decoded frames over the run, from 1"""
    capture_ns: int
    received_ns: int
    decoded_ns: int


class ViewMade(msgspec.Struct, frozen=True, gc=False):
    """Ingest: pixels were made of a frame for a model."""

    camera: int
    index: int
    views: int
    asked_ns: int
    """when ingest read the ask"""
    begun_ns: int
    made_ns: int


class FrameAnalysed(msgspec.Struct, frozen=True, gc=False):
    """Engine: a model's result for a frame was taken."""

    lane: int
    late: bool
    """older than its lane's budget"""
    call: int
    """frames that one call analysed together have the same"""
    session: int
    seq: int
    index: int
    capture_ns: int
    decoded_ns: int
    asked_ns: int
    made_ns: int
    submitted_ns: int
    received_ns: int
    """by the executor; it and the two after it are the executor's own instants"""
    started_ns: int
    finished_ns: int
    taken_ns: int


class FramesEnded(msgspec.Struct, frozen=True, gc=False):
    """Engine: frames that a lane did not analyse, from `first_index` on."""

    lane: int
    first_index: int
    """0 where it is not known which they were"""
    count: int
    fate: Fate
    at_ns: int


class Planned(msgspec.Struct, frozen=True, gc=False):
    """Engine: one scheduling decision."""

    at_ns: int
    took_ns: int
    asks: int


class GrantChanged(msgspec.Struct, frozen=True, gc=False):
    """Engine: the capacity plan gives a lane something else."""

    lane: int
    step: LadderStep
    fps: float
    at_ns: int


class EventConfirmed(msgspec.Struct, frozen=True, gc=False):
    """Engine: a rule was true for as long as it asks."""

    camera: int
    rule: int
    session: int
    seq: int
    """of the frame whose result decided it; 0 with `session` 0 where none did"""
    at_ns: int


TraceRecord = FrameDecoded | ViewMade | FrameAnalysed | FramesEnded | Planned | GrantChanged | EventConfirmed


class FateTrace(Protocol):
    """Hears of the frames that a lane did not analyse; never waits. What scheduling needs to know of `EngineTrace`."""

    def fate(self, lane: str, first_index: int, count: int, fate: Fate, at_ns: int = 0) -> None:
        """`count` frames from `first_index` on ended; 0 where it is not known which. Without `at_ns`, now."""
        ...


class TraceTap(Protocol):
    """One reader of everything that the processes of a run write down. Never waits, never disturbs a writer."""

    def arm(self, until_ns: int) -> None:
        """Has every process write until `until_ns`; an earlier instant than somebody else asked for changes nothing."""
        ...

    def read_nowait(self) -> Sequence[TraceRecord]:
        """What was written since the last call, a bounded number; empty where nothing more is there.

        A frame's decoding comes in the same answer as what became of it, or in an earlier one.
        """
        ...

    def missed(self) -> Mapping[str, int]:
        """Records that were overwritten before this reader came to them, by process."""
        ...


def frame_trace_id(session: int, seq: int) -> str:
    """32 hex digits that name a frame's trace: its session, then 64 bits that are uniform over frames.

    So the session can be read off, and a sampler that looks at the lower bits, as OpenTelemetry's do, takes a fair
    part. The mixing is the finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
    """
    return f"{session & _MASK:016x}{_mixed((session + (seq + 1) * _GOLDEN) & _MASK):016x}"


def span_id(trace_id: str, number: int) -> int:
    """64 bits that name span `number` of a trace, never 0."""
    return _mixed((int(trace_id[16:], 16) + (number + 1) * _GOLDEN) & _MASK) or 1


def _mixed(value: int) -> int:
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
    return value ^ value >> 31

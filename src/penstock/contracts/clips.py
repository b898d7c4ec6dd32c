"""What the engine asks of the recorder, and what comes back."""

import msgspec

from penstock.contracts.events import Evidence
from penstock.contracts.results import Result
from penstock.contracts.times import ClockReading


class ClipJob(msgspec.Struct, frozen=True):
    """Make the evidence of one event: opened when it is confirmed, grown until its end is known.

    Asking again for the same event replaces the job: the engine repeats its open jobs to a new recorder.
    """

    event_id: str
    rule: str
    camera: str
    start_ns: int
    """monotonic capture time at which the condition began to hold"""
    confirmed_ns: int
    end_ns: int | None
    """None while the event lasts; a `ClipEnd` brings it"""
    clock: ClockReading
    run_id: str
    result: Result | None = None
    """the result that confirmed it: its frame is the snapshot's, its boxes go into the manifest"""
    clip: bool = True
    """False for what is on trial: its snapshot is all that is made"""


class ClipEnd(msgspec.Struct, frozen=True, gc=False):
    """The event ended: the clip goes on until `end_ns` plus the post-roll."""

    event_id: str
    end_ns: int


class ClipResult(msgspec.Struct, frozen=True):
    """The evidence as it is now; sent again when it changes, safe to deliver twice."""

    event_id: str
    evidence: tuple[Evidence, ...]

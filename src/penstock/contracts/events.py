"""Events and their evidence: durable, revised while they last."""

import enum
import hashlib

import msgspec


class Severity(enum.StrEnum):
    INFO = "info"
    WARNING = "warning"
    ALERT = "alert"


class EventState(enum.StrEnum):
    OPEN = "open"
    """confirmed, and its condition still holds"""
    ENDED = "ended"
    INTERRUPTED = "interrupted"
    """the run that opened it ended first"""


class EvidenceKind(enum.StrEnum):
    CLIP = "clip"
    SNAPSHOT = "snapshot"


class EvidenceState(enum.StrEnum):
    PENDING = "pending"
    READY = "ready"
    REFUSED = "refused"
    """the recorder had no room for the job"""
    FAILED = "failed"


class Evidence(msgspec.Struct, frozen=True):
    """One piece of evidence; `path` is relative to the data folder."""

    kind: EvidenceKind
    state: EvidenceState
    path: str = ""
    manifest: str = ""
    sha256: str = ""
    reason: str = ""
    """why it is not there, where it is not"""


class ReasonTerm(msgspec.Struct, frozen=True):
    """One comparison or signal of the rule, with the value it had and since when it held."""

    text: str
    value: str
    since_utc_ns: int | None
    """None where it did not hold"""


class Reason(msgspec.Struct, frozen=True):
    """Why the rule is true: its text, and each term that decided it."""

    rule_text: str
    terms: tuple[ReasonTerm, ...]


class Event(msgspec.Struct, frozen=True):
    """One revision of a confirmed event. The highest revision of an id is what is so.

    All instants are UTC nanoseconds: events leave the host.
    """

    event_id: str
    revision: int
    """from 1"""
    rule: str
    rule_hash: str
    camera: str
    session: int
    state: EventState
    severity: Severity
    start_utc_ns: int
    """capture time of the frame with which the condition began to hold"""
    confirmed_utc_ns: int
    """capture time at which it had held long enough"""
    end_utc_ns: int | None
    start_error_ns: int
    """how wrong `start_utc_ns` can be, from the frame's capture time"""
    reason: Reason
    run_id: str
    host_id: str
    boot_id: str
    lease_epoch: int
    frame_seq: int
    """access unit of the frame whose result confirmed it"""
    decided_utc_ns: int = 0
    """when the engine took the decision: with `confirmed_utc_ns`, its delay"""
    shadow: bool = False
    """on trial: kept beside the others, delivered to nobody"""
    shadow_model: str = ""
    """the model on trial that it was decided with; empty where the rule itself is on trial, or nothing is"""
    evidence: tuple[Evidence, ...] = ()
    trace_id: str = ""

    @property
    def awaits_evidence(self) -> bool:
        return any(one.state is EvidenceState.PENDING for one in self.evidence)


def event_id(rule_hash: str, camera: str, session: int, start_utc_ns: int) -> str:
    """The same event decided twice has the same id: 32 hex digits of SHA-256."""
    text = f"{rule_hash}\0{camera}\0{session}\0{start_utc_ns}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]

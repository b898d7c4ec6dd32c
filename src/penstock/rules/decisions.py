"""What rules decide, and what is kept of it: records that leave the evaluator.

Instants are on the camera's capture clock; `clock` is the reading that dates them in UTC, so that the id of an
event is the same whenever it is computed.
"""

import msgspec

from penstock.base.units import format_duration
from penstock.contracts.results import Result
from penstock.contracts.times import ClockReading
from penstock.rules.machine import EndCause, RuleState
from penstock.signals.logic import Truth


class Term(msgspec.Struct, frozen=True):
    """One comparison or signal of a rule, as it was at an instant."""

    text: str
    truth: Truth
    value: str
    """what was compared: `3`, `0.021`, `unknown`"""
    since_ns: int | None
    """since when the truth is what it is; None before anything was evaluated"""


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """A rule was confirmed: an event began."""

    rule: str
    rule_hash: str
    camera: str
    session: int
    """the one it started in"""
    start_ns: int
    """capture of the frame with which the condition, apart from how long, began to hold"""
    start_error_ns: int
    """how wrong that can be"""
    confirmed_ns: int
    """capture of the frame with which it had held long enough"""
    rule_text: str
    terms: tuple[Term, ...]
    result: Result | None
    """the result that confirmed it; where a still picture did, the newest of the lanes that the rule reads"""
    clock: ClockReading | None
    """in force when it was confirmed; None where none was given"""
    shadow_lane: str = ""
    """where a twin decided it, the lane on trial that it read"""


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """An open event is over. Rule hash, camera, session and start name the event; `clock` dated its opening."""

    rule: str
    rule_hash: str
    camera: str
    session: int
    start_ns: int
    end_ns: int
    """first instant at which the condition was false, or the last at which it held, as `cause` says"""
    cause: EndCause
    clock: ClockReading | None


RuleDecision = Opened | Ended


class OpenEvent(msgspec.Struct, frozen=True):
    """All that is needed to go on with an open event."""

    rule: str
    rule_hash: str
    camera: str
    session: int
    start_ns: int
    start_error_ns: int
    confirmed_ns: int
    last_held_ns: int
    """last instant at which its condition is known to have held"""
    clock: ClockReading | None
    unknown_since_ns: int | None = None
    """since when nothing was seen, from which the unknown limit counts; None means since `last_held_ns`"""


class CoolingRule(msgspec.Struct, frozen=True):
    """A rule that opens nothing before `until_ns`."""

    rule: str
    rule_hash: str
    camera: str
    until_ns: int


class CountedRule(msgspec.Struct, frozen=True):
    """Up to when blind and known time of a rule are counted; what follows was not seen by anybody, so it was blind."""

    rule: str
    camera: str
    until_ns: int
    shadow_lane: str = ""


class RulesState(msgspec.Struct, frozen=True):
    """What must outlive a crash. Monotonic instants: worth something only within the same boot."""

    open_events: tuple[OpenEvent, ...] = ()
    cooling: tuple[CoolingRule, ...] = ()
    counted: tuple[CountedRule, ...] = ()


class Explanation(msgspec.Struct, frozen=True):
    """Why a rule is, or is not, confirmed on a camera, as of the last instant it was evaluated at."""

    rule: str
    camera: str
    rule_text: str
    state: RuleState
    truth: Truth
    """of the whole condition"""
    at_ns: int | None
    """None before the first evaluation"""
    start_ns: int | None
    """of the event that is potential or confirmed"""
    cooldown_until_ns: int | None
    terms: tuple[Term, ...]

    def describe(self) -> str:
        """A few lines for people, durations counted back from `at_ns`."""
        lines = [f"{self.rule} on {self.camera}: {self.state}, condition {self.truth.label}: {self.rule_text}"]
        if self.at_ns is None:
            lines.append("  nothing has been seen yet")
            return "\n".join(lines)
        if self.start_ns is not None:
            lines.append(f"  holds for {format_duration(self.at_ns - self.start_ns)}")
        if self.cooldown_until_ns is not None:
            lines.append(f"  opens nothing for another {format_duration(max(0, self.cooldown_until_ns - self.at_ns))}")
        for term in self.terms:
            since = "" if term.since_ns is None else f" for {format_duration(self.at_ns - term.since_ns)}"
            lines.append(f"  {term.text}: {term.truth.label}{since}, value {term.value}")
        return "\n".join(lines)


class RuleStatistics(msgspec.Struct, frozen=True):
    """One rule on one camera, cumulative."""

    rule: str
    camera: str
    state: RuleState
    evaluations: int
    opened: int
    ended: int
    blind_ns: int
    """time in which the rule could not say"""
    known_ns: int
    """time in which it could; both together are the time since the camera was up, or the rule was there if later"""
    last_held_ns: int = 0
    """last instant at which an open event's condition held; 0 where none is open"""
    counted_until_ns: int | None = None
    """up to when blind and known time are counted; None while the camera has not come, or after it ended"""
    shadow: bool = False
    shadow_lane: str = ""
    """of a twin, the lane on trial that it reads"""


class RulesStatistics(msgspec.Struct, frozen=True):
    """What the evaluator has taken, cumulative, and each rule's part."""

    results: int
    """results whose signals were taken"""
    late: int
    """results and still pictures older than the last instant taken of their lane, or of a session that is over"""
    unusable: int
    """results that finished after their deadline"""
    stills: int
    ticks: int
    unaddressed: int
    """inputs for cameras or lanes that the configuration does not have"""
    rules: tuple[RuleStatistics, ...]

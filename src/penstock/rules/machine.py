"""One rule's state on one camera: Idle → Potential → Confirmed → Cooldown, moved only by truths at instants.

Two truths drive it: `whole`, the rule as written, and `inner`, the rule with every `for` taken away. `inner` says
that something has begun; `whole`, that it has lasted long enough.

    idle       inner true  → potential: an event would start at this instant
               whole true  → confirmed at once
    potential  whole true  → confirmed: the event is opened
               inner false or unknown → idle: what begins again starts again
    confirmed  whole true  → stays
               whole false → cooldown: the event ends at this instant
               whole unknown, inner true → stays: only a gap in a window makes it unknown, what is seen now holds
               whole unknown otherwise → stays, but not longer than the unknown limit since it became so; then
                             the event ends at the last instant at which it held
    cooldown   until the end of the event plus the cooldown → idle; truths are ignored meanwhile, so that
               the next event starts no earlier than the first instant evaluated after it

So unknown neither opens nor ends an event. An instant evaluated again (another lane spoke of it) is a new step.
"""

import enum

import msgspec

from penstock.signals.logic import Truth


class RuleState(enum.StrEnum):
    IDLE = "idle"
    POTENTIAL = "potential"
    CONFIRMED = "confirmed"
    COOLDOWN = "cooldown"


class EndCause(enum.StrEnum):
    """Why an event ended."""

    FALSE = "false"
    """its condition became false"""
    UNKNOWN_LIMIT = "unknown_limit"
    """its condition was unknown for too long"""
    CAMERA_ENDED = "camera_ended"
    """a lossless source was read to its end"""
    RULE_REMOVED = "rule_removed"
    """the configuration no longer has the rule in this form on this camera"""


class Move(msgspec.Struct, frozen=True, gc=False):
    """One change of state, at an exact instant."""

    at_ns: int
    before: RuleState
    after: RuleState
    start_ns: int | None = None
    """start of the event that is potential, confirmed or ended"""
    end_ns: int | None = None
    cause: EndCause | None = None


class RuleMachine:
    """The state of one rule on one camera. Instants never go back; parameters are nanoseconds."""

    __slots__ = (
        "_free_from_ns",
        "_may_begin_earlier",
        "_whole",
        "blind_ns",
        "confirmed_ns",
        "cooldown_ns",
        "cooldown_until_ns",
        "counted_until_ns",
        "known_ns",
        "last_held_ns",
        "start_ns",
        "state",
        "unknown_limit_ns",
        "unknown_since_ns",
    )

    def __init__(self, cooldown_ns: int, unknown_limit_ns: int) -> None:
        self.cooldown_ns = cooldown_ns
        self.unknown_limit_ns = unknown_limit_ns
        self.state = RuleState.IDLE
        self.start_ns: int | None = None
        self.confirmed_ns: int | None = None
        self.last_held_ns: int | None = None
        """last instant at which an open event's condition held"""
        self.unknown_since_ns: int | None = None
        self.cooldown_until_ns: int | None = None
        self.blind_ns = 0
        """how long the rule could not say; with `known_ns` it is all the time that was counted"""
        self.known_ns = 0
        self.counted_until_ns: int | None = None
        """blind and known time are counted up to here; None while nothing is counted"""
        self._may_begin_earlier = True
        self._free_from_ns = -(2**63)
        self._whole = Truth.UNKNOWN

    def step(self, at_ns: int, whole: Truth, inner: Truth) -> tuple[Move, ...]:
        """What changes because the condition is `whole`, and `inner` without its windows, at `at_ns`."""
        moves: list[Move] = []
        self._account(at_ns)
        self._whole = whole
        # A limit that ran out before this instant is decided before what is seen now.
        self._check_limit(at_ns - 1, moves)
        self._check_cooldown(at_ns, moves)
        if self.state is RuleState.CONFIRMED:
            self._while_confirmed(at_ns, whole, inner, moves)
        elif self.state is not RuleState.COOLDOWN and at_ns >= self._free_from_ns:
            # A tick may have ended the cooldown before an instant within it is heard of: that one opens nothing either.
            self._while_closed(at_ns, whole, inner, moves)
        return tuple(moves)

    def pass_time(self, until_ns: int) -> tuple[Move, ...]:
        """What changes by time alone: limits that ran out before `until_ns`, cooldowns that end by it.

        A limit that runs out at `until_ns` itself waits, for what is seen at that instant goes first.
        """
        moves: list[Move] = []
        self._account(until_ns)
        self._check_limit(until_ns - 1, moves)
        self._check_cooldown(until_ns, moves)
        return tuple(moves)

    def count_from(self, at_ns: int) -> None:
        """Time is counted from `at_ns` on: the camera is up, or a picture of it has come. Later calls change nothing,
        but that a picture from before the news of its camera moves the beginning back, where nothing was counted yet.
        """
        if self.counted_until_ns is None:
            self.counted_until_ns = at_ns
            self._may_begin_earlier = True
        elif self._may_begin_earlier:
            self.counted_until_ns = min(self.counted_until_ns, at_ns)

    def go_on_counting(self, from_ns: int) -> None:
        """Time was counted up to `from_ns` before the memory of this machine was lost; since then it was blind."""
        self.counted_until_ns = from_ns
        self._may_begin_earlier = False

    def stop_counting(self, at_ns: int) -> None:
        """The camera has ended: what follows is no time in which the rule could have said anything."""
        self._account(at_ns)
        self.counted_until_ns = None
        self._whole = Truth.UNKNOWN

    def end(self, cause: EndCause) -> tuple[Move, ...]:
        """Ends an open event at the last instant at which it held; the rest is forgotten."""
        moves: list[Move] = []
        if self.state is RuleState.CONFIRMED:
            assert self.last_held_ns is not None
            self._close(self.last_held_ns, self.last_held_ns, cause, moves)
        return tuple(moves)

    def restore_open(
        self, start_ns: int, confirmed_ns: int, last_held_ns: int, unknown_since_ns: int | None = None
    ) -> None:
        """Takes up an event that was open when the memory of this machine was lost.

        Its condition is unknown since `unknown_since_ns`, or since it last held.
        """
        self.state = RuleState.CONFIRMED
        self.start_ns = start_ns
        self.confirmed_ns = confirmed_ns
        self.last_held_ns = last_held_ns
        self.unknown_since_ns = last_held_ns if unknown_since_ns is None else unknown_since_ns

    def restore_cooldown(self, until_ns: int) -> None:
        """Takes up a cooldown."""
        self.state = RuleState.COOLDOWN
        self.cooldown_until_ns = self._free_from_ns = until_ns

    def _while_closed(self, at_ns: int, whole: Truth, inner: Truth, moves: list[Move]) -> None:
        if whole is Truth.TRUE:
            start_ns = at_ns if self.start_ns is None else self.start_ns
            self.start_ns, self.confirmed_ns, self.last_held_ns = start_ns, at_ns, at_ns
            self._go(at_ns, RuleState.CONFIRMED, moves, start_ns)
        elif inner is Truth.TRUE:
            if self.state is RuleState.IDLE:
                self.start_ns = at_ns
                self._go(at_ns, RuleState.POTENTIAL, moves, at_ns)
        elif self.state is RuleState.POTENTIAL:
            self.start_ns = None
            self._go(at_ns, RuleState.IDLE, moves)

    def _while_confirmed(self, at_ns: int, whole: Truth, inner: Truth, moves: list[Move]) -> None:
        if whole is Truth.FALSE:
            self._close(at_ns, at_ns, EndCause.FALSE, moves)
            self._check_cooldown(at_ns, moves)
        elif whole is Truth.TRUE or inner is Truth.TRUE:
            self.last_held_ns = at_ns
            self.unknown_since_ns = None
        else:
            if self.unknown_since_ns is None:
                self.unknown_since_ns = at_ns
            self._check_limit(at_ns, moves)
            self._check_cooldown(at_ns, moves)

    def _check_limit(self, until_ns: int, moves: list[Move]) -> None:
        if self.unknown_since_ns is not None and until_ns >= self.unknown_since_ns + self.unknown_limit_ns:
            assert self.last_held_ns is not None
            decided_ns = self.unknown_since_ns + self.unknown_limit_ns
            self._close(decided_ns, self.last_held_ns, EndCause.UNKNOWN_LIMIT, moves)

    def _check_cooldown(self, until_ns: int, moves: list[Move]) -> None:
        if self.cooldown_until_ns is not None and until_ns >= self.cooldown_until_ns:
            # A cooldown counted from the end may be over before the end was decided.
            over_ns = self.cooldown_until_ns
            if moves:
                over_ns = max(over_ns, moves[-1].at_ns)
            self.cooldown_until_ns = None
            self._go(over_ns, RuleState.IDLE, moves)

    def _close(self, at_ns: int, end_ns: int, cause: EndCause, moves: list[Move]) -> None:
        start_ns = self.start_ns
        self.start_ns = self.confirmed_ns = self.last_held_ns = self.unknown_since_ns = None
        self.cooldown_until_ns = self._free_from_ns = end_ns + self.cooldown_ns
        moves.append(Move(at_ns, self.state, RuleState.COOLDOWN, start_ns, end_ns, cause))
        self.state = RuleState.COOLDOWN

    def _go(self, at_ns: int, after: RuleState, moves: list[Move], start_ns: int | None = None) -> None:
        moves.append(Move(at_ns, self.state, after, start_ns))
        self.state = after

    def _account(self, at_ns: int) -> None:
        if self.counted_until_ns is not None and at_ns > self.counted_until_ns:
            if self._whole is Truth.UNKNOWN:
                self.blind_ns += at_ns - self.counted_until_ns
            else:
                self.known_ns += at_ns - self.counted_until_ns
            self.counted_until_ns = at_ns
            self._may_begin_earlier = False

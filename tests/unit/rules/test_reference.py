"""Random rules over random logs, against a reference that keeps everything and recomputes everything.

The reference shares the syntax tree with the evaluator and nothing else: it looks up statements by searching all of
them, evaluates `for` by walking all instants so far, and finds events by going through all evaluations from the first
to the last, anew after each input. Durations are nanoseconds, so that edges are hit often.
"""

import array
from dataclasses import dataclass, field

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from penstock.contracts.frames import FrameRef
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.messages import CameraState
from penstock.contracts.results import Detections, Result
from penstock.contracts.specs import RuleSpec
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.rules.decisions import Opened, RuleDecision
from penstock.rules.evaluator import RuleEvaluator
from penstock.rules.inputs import (
    CameraStateInput,
    ConfigInput,
    RestoreInput,
    ResultInput,
    RuleInput,
    StillInput,
    TickInput,
)
from penstock.rules.parser import parse
from penstock.rules.syntax import And, Comparison, Condition, Count, For, Not, Number, Or, text_of
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary

SETTLE = 4
VOCABULARY = Vocabulary(
    lanes=(
        LaneVocabulary("front/a", ("person",), budget_ns=SETTLE),
        LaneVocabulary("front/b", ("person", "car"), budget_ns=0),
    )
)
CLASSES = ("person", "car")
LANES = {"person": ("front/a", "front/b"), "car": ("front/b",)}

# ---- logs ----


def result(lane: str, at: int, persons: int, cars: int, validity: int) -> ResultInput:
    frame = FrameRef(
        FrameId(StreamKey("h", "b", "r", "front", Role.DETECT, 1), at),
        at,
        CaptureTime(at, TimeBasis.ARRIVAL, 0),
        at,
        at,
        8,
        8,
    )
    ids = [0] * persons + [1] * cars
    boxes = Detections(
        xyxy=array.array("f", [0, 0, 1, 1] * len(ids)).tobytes(),
        confidence=array.array("f", [1] * len(ids)).tobytes(),
        class_id=array.array("i", ids).tobytes(),
        class_names=CLASSES,
    )
    return ResultInput("front", lane, Result("m", "", frame, boxes), validity)


@st.composite
def logs(draw: st.DrawFn) -> list[RuleInput]:
    """Mostly results, seldom out of order; still pictures, ticks, and a camera that goes and comes."""
    log: list[RuleInput] = []
    now = 0
    for _ in range(draw(st.integers(1, 25))):
        now += draw(st.integers(0, 4))
        lane = draw(st.sampled_from(["front/a", "front/a", "front/b"]))
        match draw(st.sampled_from(["result"] * 6 + ["still", "tick", "state"])):
            case "result":
                at = now - draw(st.sampled_from([0, 0, 0, 1, 3]))
                counts = draw(st.sampled_from([(0, 0), (1, 0), (1, 1), (2, 1), (0, 2)]))
                log.append(result(lane, at, *counts, draw(st.sampled_from([0, 1, 3, 5, 8, 8, 8]))))
            case "still":
                log.append(StillInput("front", lane, now, now + draw(st.integers(0, 8))))
            case "tick":
                log.append(TickInput("front", now + draw(st.integers(0, SETTLE + 3))))
            case _:
                state = draw(st.sampled_from([CameraState.DOWN, CameraState.UP, CameraState.ENDED]))
                log.append(CameraStateInput("front", state, 1, now))
    return log


leaves: st.SearchStrategy[Condition] = st.builds(
    lambda name, sign, number: parse(f"count({name}) {sign} {number}"),
    st.sampled_from(["person", "person", "car"]),
    st.sampled_from([">=", "==", "<"]),
    st.integers(0, 2),
)
windows = st.builds(For, leaves, st.integers(1, 6))
conditions: st.SearchStrategy[Condition] = st.recursive(
    leaves | windows,
    lambda inner: st.one_of(
        st.builds(For, inner, st.integers(1, 8)),
        st.builds(Not, inner),
        st.builds(lambda a, b: And((a, b)), inner, inner),
        st.builds(lambda a, b: Or((a, b)), inner, inner),
    ),
    max_leaves=4,
)

# ---- the reference ----

FALSE, UNKNOWN, TRUE = 0, 1, 2


@dataclass
class Statement:
    lane: str
    at: int
    until: int
    counts: dict[str, int]
    gone: bool = False


@dataclass
class Evaluation:
    """One instant: an evaluation with the count of each class, or (counts is None) only time that passed."""

    at: int
    counts: dict[str, int | None] | None


@dataclass
class Reference:
    condition: Condition
    cooldown: int
    limit: int
    statements: list[Statement] = field(default_factory=list)
    history: list[Evaluation] = field(default_factory=list)
    lane_last: dict[str, int] = field(default_factory=dict)
    sees: bool = False
    late: int = 0
    ends: list[int] = field(default_factory=list)
    """lengths of the history at which the camera ended for good"""

    def take(self, given: RuleInput) -> list[tuple[str, ...]]:
        before = self.events()
        match given:
            case ResultInput():
                at = given.result.frame.capture.mono_ns
                if at < self.lane_last.get(given.lane, at):
                    self.late += 1
                else:
                    if given.lane in self.lanes():
                        self.run_out(at)
                    assert given.result.detections is not None
                    names = [box.class_name for box in given.result.detections.detections()]
                    counts = {name: names.count(name) for name in CLASSES}
                    self.statements.append(Statement(given.lane, at, at + given.validity_ns, counts))
                    self.lane_last[given.lane] = at
                    self.sees = True
                    if given.lane in self.lanes():
                        self.evaluate(at)
            case StillInput():
                if given.at_ns < self.lane_last.get(given.lane, given.at_ns):
                    self.late += 1
                else:
                    if given.lane in self.lanes():
                        self.run_out(given.at_ns)
                    newest = self.newest(given.lane)
                    if newest is not None:
                        newest.until = max(newest.until, given.valid_until_ns)
                        self.lane_last[given.lane] = given.at_ns
                        if given.lane in self.lanes():
                            self.evaluate(given.at_ns)
            case TickInput():
                self.run_out(given.now_ns - SETTLE)
                self.history.append(Evaluation(given.now_ns - SETTLE, None))
            case CameraStateInput():
                if self.sees and given.state is not CameraState.UP:
                    self.run_out(given.at_ns)
                    for statement in self.statements:
                        statement.until = min(statement.until, given.at_ns - 1)
                        statement.gone = True
                    for lane in self.lane_last:
                        self.lane_last[lane] = max(self.lane_last[lane], given.at_ns)
                    if self.evaluations():
                        self.evaluate(given.at_ns)
                    self.sees = False
                if given.state is CameraState.ENDED:
                    self.ends.append(len(self.history))
        after = self.events()
        assert after[: len(before)] == before, "what was decided stays decided"
        return after[len(before) :]

    def lanes(self) -> set[str]:
        return {lane for name in CLASSES for lane in LANES[name] if f"({name})" in text_of(self.condition)}

    def evaluations(self) -> list[Evaluation]:
        return [entry for entry in self.history if entry.counts is not None]

    def newest(self, lane: str) -> Statement | None:
        own = [statement for statement in self.statements if statement.lane == lane]
        return own[-1] if own and not own[-1].gone else None

    def count_at(self, name: str, at: int) -> int | None:
        counts = []
        for lane in LANES[name]:
            own = [statement for statement in self.statements if statement.lane == lane and statement.at <= at]
            if own and at <= own[-1].until:
                counts.append(own[-1].counts[name])
        return max(counts, default=None)

    def run_out(self, before: int) -> None:
        """Evaluates at each first instant of staleness before `before`, one nanosecond after another."""
        if not self.evaluations():
            return
        for at in range(self.evaluations()[-1].at + 1, before):
            newest = [self.newest(lane) for lane in self.lanes()]
            if any(statement is not None and statement.until + 1 == at for statement in newest):
                self.evaluate(at)

    def evaluate(self, at: int) -> None:
        at = max([at, *(entry.at for entry in self.evaluations())])
        self.history.append(Evaluation(at, {name: self.count_at(name, at) for name in CLASSES}))

    def truth(self, condition: Condition, index: int, windows: bool, past: list[Evaluation]) -> int:
        """Of `condition` at evaluation `index`, from the whole past; without windows, a `for` is its operand."""
        match condition:
            case Comparison(Count(classes), sign, Number(number)):
                counts = past[index].counts
                assert counts is not None
                count = counts[classes[0].text]
                if count is None:
                    return UNKNOWN
                return TRUE if {">=": count >= number, "==": count == number, "<": count < number}[sign] else FALSE
            case Not(operand):
                return TRUE - self.truth(operand, index, windows, past)
            case And(operands):
                return min(self.truth(operand, index, windows, past) for operand in operands)
            case Or(operands):
                return max(self.truth(operand, index, windows, past) for operand in operands)
            case For(operand, duration):
                if not windows:
                    return self.truth(operand, index, windows, past)
                edge = past[index].at - duration
                held = [i for i in range(index + 1) if past[i].at <= edge]
                first = held[-1] if held else 0
                truths = [self.truth(operand, i, windows, past) for i in range(first, index + 1)]
                return min(truths if held else [UNKNOWN, *truths])
        raise AssertionError(condition)

    def events(self) -> list[tuple[str, ...]]:
        """All that was ever decided, by walking the whole history once more."""
        told: list[tuple[str, ...]] = []
        past = self.evaluations()
        free_from = -(10**9)
        run: list[int] = []
        opened: int | None = None
        held = 0
        unknown_from: int | None = None
        index = -1
        for place in range(len(self.history) + 1):
            if place in self.ends and opened is not None:
                told.append(("ended", str(opened), str(held), "camera_ended"))
                opened, unknown_from, free_from, run = None, None, held + self.cooldown, []
            if place in self.ends:
                # A camera that ended leaves nothing potential either way: all is unknown.
                run = run if opened is not None else []
            if place == len(self.history):
                return told
            entry = self.history[place]
            if opened is not None and unknown_from is not None and entry.at > unknown_from + self.limit:
                told.append(("ended", str(opened), str(held), "unknown_limit"))
                opened, unknown_from, free_from, run = None, None, held + self.cooldown, []
            if entry.counts is None:
                continue
            index += 1
            whole = self.truth(self.condition, index, True, past)
            inner = self.truth(self.condition, index, False, past)
            if opened is not None:
                if whole == FALSE:
                    told.append(("ended", str(opened), str(entry.at), "false"))
                    opened, unknown_from, free_from, run = None, None, entry.at + self.cooldown, []
                elif TRUE in (whole, inner):
                    held, unknown_from = entry.at, None
                else:
                    unknown_from = entry.at if unknown_from is None else unknown_from
                    if entry.at == unknown_from + self.limit:
                        told.append(("ended", str(opened), str(held), "unknown_limit"))
                        opened, unknown_from, free_from, run = None, None, held + self.cooldown, []
            elif entry.at >= free_from:
                if inner == TRUE:
                    run.append(entry.at)
                elif whole != TRUE:
                    run = []
                if whole == TRUE:
                    opened, held = (run[0] if run else entry.at), entry.at
                    told.append(("opened", str(opened), str(entry.at)))
        return told


def told(decisions: list[RuleDecision]) -> list[tuple[str, ...]]:
    return [
        ("opened", str(decision.start_ns), str(decision.confirmed_ns))
        if isinstance(decision, Opened)
        else ("ended", str(decision.start_ns), str(decision.end_ns), str(decision.cause))
        for decision in decisions
    ]


def evaluator_of(condition: Condition, cooldown: int, limit: int) -> RuleEvaluator:
    evaluator = RuleEvaluator()
    evaluator.take(config_of(condition, cooldown, limit))
    return evaluator


def config_of(condition: Condition, cooldown: int, limit: int) -> ConfigInput:
    spec = RuleSpec("r", text_of(condition), cooldown_ns=cooldown, unknown_limit_ns=limit)
    return ConfigInput((spec,), {"front": VOCABULARY})


@settings(max_examples=400, deadline=None)
@given(conditions, logs(), st.integers(0, 10), st.integers(0, 12))
def test_every_decision_is_that_of_the_reference(
    condition: Condition, log: list[RuleInput], cooldown: int, limit: int
) -> None:
    evaluator = evaluator_of(condition, cooldown, limit)
    reference = Reference(parse(text_of(condition)), cooldown, limit)
    total = 0
    for entry in log:
        expected = reference.take(entry)
        assert told(evaluator.take(entry)) == expected, entry
        total += len(expected)
    assert evaluator.statistics().late == reference.late
    event(f"decisions: {min(total, 5)}")


@settings(max_examples=100, deadline=None)
@given(conditions, logs(), st.integers(0, 10), st.integers(0, 12))
def test_the_log_read_back_gives_the_same_bytes(
    condition: Condition, log: list[RuleInput], cooldown: int, limit: int
) -> None:
    full = [config_of(condition, cooldown, limit), *log]
    written = msgspec.msgpack.encode(full)
    again = msgspec.msgpack.decode(written, type=list[RuleInput])
    first, second = RuleEvaluator(), RuleEvaluator()
    assert [msgspec.msgpack.encode(first.take(entry)) for entry in full] == [
        msgspec.msgpack.encode(second.take(entry)) for entry in again
    ]
    assert msgspec.msgpack.encode(first.snapshot()) == msgspec.msgpack.encode(second.snapshot())
    assert first.explain("r", "front") == second.explain("r", "front")


@settings(max_examples=100, deadline=None)
@given(
    conditions,
    st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2), st.integers(0, 8), st.integers(-6, 0)), min_size=1),
    st.integers(0, 10),
    st.integers(0, 12),
)
def test_ticks_change_when_something_is_decided_but_never_what(
    condition: Condition, steps: list[tuple[int, int, int, int]], cooldown: int, limit: int
) -> None:
    """Ticks may come at any time before the result whose capture they have not yet settled."""
    quiet: list[RuleInput] = []
    ticking: list[RuleInput] = []
    at = 0
    for step, count, validity, earlier in steps:
        at += step
        shown = result("front/a" if step % 3 else "front/b", at, count, 1, validity)
        quiet.append(shown)
        ticking += [TickInput("front", at + SETTLE + earlier - 3), TickInput("front", at + SETTLE + earlier), shown]
    last = TickInput("front", at + 1000)
    without, with_ticks = (evaluator_of(condition, cooldown, limit) for _ in range(2))
    assert told([d for entry in [*quiet, last] for d in without.take(entry)]) == told(
        [d for entry in [*ticking, last] for d in with_ticks.take(entry)]
    )


@settings(max_examples=100, deadline=None)
@given(conditions, logs(), st.integers(0, 10))
def test_a_snapshot_is_taken_up_whole(condition: Condition, log: list[RuleInput], cooldown: int) -> None:
    first = evaluator_of(condition, cooldown, 10)
    for entry in log:
        first.take(entry)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(first.snapshot()), type=type(first.snapshot()))
    second = evaluator_of(condition, cooldown, 10)
    assert second.take(RestoreInput(kept)) == []
    assert second.snapshot() == first.snapshot()

"""The book of events: each change is one revision more, nothing is opened twice, and evidence finds its event."""

import itertools

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from penstock.contracts.clips import ClipEnd, ClipResult
from penstock.contracts.events import Event, EventState, Evidence, EvidenceKind, EvidenceState, Severity, event_id
from penstock.contracts.results import Result
from penstock.contracts.specs import CameraSpec, RecordSpec, RuleSpec, RunSpec
from penstock.contracts.times import ClockReading
from penstock.contracts.traces import frame_trace_id
from penstock.rules.decisions import Ended, Opened, OpenEvent, Term
from penstock.rules.machine import EndCause
from penstock.runtime.event_book import EventBook
from penstock.signals.logic import Truth
from penstock.testkit.views import frame_ref

S = 10**9
CLOCK = ClockReading("monotonic", 100 * S, 1_700_000_000 * S)
OFFSET_NS = CLOCK.utc_ns - CLOCK.mono_ns
SPEC = RunSpec(
    host_id="host",
    boot_id="boot",
    run_id="run-1",
    clock=CLOCK,
    data_dir="",
    cameras=(
        CameraSpec("door", ()),
        CameraSpec("plain", (), record=RecordSpec(enabled=False)),
        CameraSpec("film", (), record=RecordSpec(snapshot=False)),
    ),
    executors=(),
    lanes=(),
    rules=(RuleSpec("people", "count(person) >= 2", severity=Severity.ALERT), RuleSpec("test", "x", shadow=True)),
    ingest_groups=(),
)
RESULT = Result("m", "0" * 64, frame_ref("door", seq=41))
CLIP, SNAPSHOT = EvidenceKind.CLIP, EvidenceKind.SNAPSHOT
PENDING, READY, FAILED = EvidenceState.PENDING, EvidenceState.READY, EvidenceState.FAILED


def opened(at_s: int = 110, camera: str = "door", rule: str = "people", result: Result | None = RESULT) -> Opened:
    return Opened(
        rule=rule,
        rule_hash="hash",
        camera=camera,
        session=7,
        start_ns=at_s * S,
        start_error_ns=5,
        confirmed_ns=(at_s + 1) * S,
        rule_text="count(person) >= 2 for 1s",
        terms=(Term("count(person) >= 2", Truth.TRUE, "3", at_s * S), Term("x", Truth.UNKNOWN, "unknown", None)),
        result=result,
        clock=CLOCK,
    )


def ended(decision: Opened, at_s: int = 120) -> Ended:
    return Ended(
        decision.rule,
        decision.rule_hash,
        decision.camera,
        decision.session,
        decision.start_ns,
        at_s * S,
        EndCause.FALSE,
        CLOCK,
    )


def held(decision: Opened, until_s: int) -> OpenEvent:
    return OpenEvent(
        decision.rule,
        decision.rule_hash,
        decision.camera,
        decision.session,
        decision.start_ns,
        decision.start_error_ns,
        decision.confirmed_ns,
        until_s * S,
        decision.clock,
    )


def evidence(*states: tuple[EvidenceKind, EvidenceState]) -> tuple[Evidence, ...]:
    return tuple(Evidence(kind, state) for kind, state in states)


def utc(at_s: int) -> int:
    return at_s * S + OFFSET_NS


def test_an_event_says_what_when_where_and_why() -> None:
    book = EventBook(SPEC, lease_epoch=3)
    event = book.open(opened(), 112 * S)
    assert event is not None
    assert event.event_id == event_id("hash", "door", 7, utc(110))
    frame = RESULT.frame.id
    assert event.trace_id == frame_trace_id(frame.stream.session, frame.seq), "the trace of the frame that confirmed it"
    assert (event.revision, event.state, event.severity, event.shadow) == (1, EventState.OPEN, Severity.ALERT, False)
    assert (event.start_utc_ns, event.confirmed_utc_ns, event.end_utc_ns) == (utc(110), utc(111), None)
    assert (event.decided_utc_ns, event.start_error_ns) == (utc(112), 5)
    assert (event.run_id, event.host_id, event.boot_id, event.lease_epoch) == ("run-1", "host", "boot", 3)
    assert event.frame_seq == 41
    assert [(term.value, term.since_utc_ns) for term in event.reason.terms] == [("3", utc(110)), ("unknown", None)]
    assert event.evidence == evidence((CLIP, PENDING), (SNAPSHOT, PENDING))
    job = book.job(event.event_id)
    assert job is not None
    assert (job.start_ns, job.confirmed_ns, job.end_ns, job.result) == (110 * S, 111 * S, None, RESULT)


def test_what_is_on_trial_is_a_shadow_event_with_a_snapshot_and_no_clip() -> None:
    book = EventBook(SPEC, lease_epoch=3)
    rule_on_trial = book.open(msgspec.structs.replace(opened(rule="test"), rule_hash="test"), 112 * S)
    twin = book.open(msgspec.structs.replace(opened(), rule_hash="twin", shadow_lane="door/new"), 112 * S)
    real = book.open(opened(), 112 * S)
    assert rule_on_trial is not None
    assert twin is not None
    assert real is not None
    assert [(one.shadow, one.shadow_model) for one in (rule_on_trial, twin, real)] == [
        (True, ""),
        (True, "new"),
        (False, ""),
    ]
    assert len({one.event_id for one in (rule_on_trial, twin, real)}) == 3
    assert rule_on_trial.evidence == twin.evidence == evidence((SNAPSHOT, PENDING))
    assert [(job.event_id, job.clip, job.result) for job in book.jobs()] == [
        (rule_on_trial.event_id, False, RESULT),
        (twin.event_id, False, RESULT),
        (real.event_id, True, RESULT),
    ]
    last = book.end(msgspec.structs.replace(ended(opened()), rule_hash="twin"))
    assert last is not None
    assert (last.event_id, last.awaits_evidence) == (twin.event_id, True)
    assert book.clip_end(twin.event_id) is None, "its picture is not made longer by it"
    assert book.settle(ClipResult(twin.event_id, evidence((SNAPSHOT, READY)))) is not None
    assert {job.event_id for job in book.jobs()} == {rule_on_trial.event_id, real.event_id}


@pytest.mark.parametrize(
    "decision",
    [
        pytest.param(opened(rule="test", result=None), id="no result"),
        pytest.param(opened(rule="test", camera="film"), id="no snapshot wanted"),
        pytest.param(opened(rule="test", camera="plain"), id="nothing recorded"),
    ],
)
def test_what_is_on_trial_has_no_evidence_where_there_is_no_picture(decision: Opened) -> None:
    book = EventBook(SPEC, 1)
    event = book.open(decision, 0)
    assert event is not None
    assert (event.shadow, event.evidence, book.jobs()) == (True, (), [])


def test_what_is_on_trial_asks_for_no_clip_after_a_crash_either() -> None:
    event = EventBook(SPEC, 1).open(opened(rule="test"), 0)
    assert event is not None
    book = EventBook(SPEC, 2)
    assert book.restore([event]) == []
    (job,) = book.jobs()
    assert (job.event_id, job.clip, job.result) == (event.event_id, False, None)


@pytest.mark.parametrize(
    ("decision", "wanted"),
    [
        pytest.param(opened(), evidence((CLIP, PENDING), (SNAPSHOT, PENDING)), id="clip and snapshot"),
        pytest.param(opened(result=None), evidence((CLIP, PENDING)), id="no result, no snapshot"),
        pytest.param(opened(camera="film"), evidence((CLIP, PENDING)), id="no snapshot wanted"),
        pytest.param(opened(camera="plain"), (), id="nothing recorded"),
    ],
)
def test_which_evidence_is_to_come(decision: Opened, wanted: tuple[Evidence, ...]) -> None:
    book = EventBook(SPEC, 1)
    event = book.open(decision, 0)
    assert event is not None
    assert event.evidence == wanted
    assert len(book.jobs()) == bool(wanted)
    assert book.awaits_evidence() == bool(wanted)


def test_the_same_event_decided_twice_is_one() -> None:
    book = EventBook(SPEC, 1)
    assert book.open(opened(), 0) is not None
    assert book.open(opened(), 5) is None
    assert book.open(opened(at_s=111), 5) is not None
    assert len(book) == 2


def test_an_event_without_evidence_leaves_when_it_ends() -> None:
    book = EventBook(SPEC, 1)
    decision = opened(camera="plain")
    book.open(decision, 0)
    event = book.end(ended(decision))
    assert event is not None
    assert (event.revision, event.state, event.end_utc_ns) == (2, EventState.ENDED, utc(120))
    assert len(book) == 0
    assert book.end(ended(decision)) is None


def test_evidence_may_come_after_the_end() -> None:
    book = EventBook(SPEC, 1)
    decision = opened()
    first = book.open(decision, 0)
    assert first is not None
    key = first.event_id
    assert book.clip_end(key) is None
    assert book.end(ended(decision)) is not None
    assert book.clip_end(key) == ClipEnd(key, 120 * S)
    assert [job.end_ns for job in book.jobs()] == [120 * S]
    half = book.settle(ClipResult(key, evidence((CLIP, PENDING), (SNAPSHOT, READY))))
    assert half is not None
    assert half.revision == 3
    assert book.settle(ClipResult(key, half.evidence)) is None, "nothing new: delivered twice"
    whole = book.settle(ClipResult(key, evidence((CLIP, READY), (SNAPSHOT, READY))))
    assert whole is not None
    assert (whole.revision, whole.state) == (4, EventState.ENDED)
    assert len(book) == 0
    assert book.settle(ClipResult(key, evidence((CLIP, FAILED)))) is None


def test_an_event_that_lasts_longer_than_its_clip_stays_until_it_ends() -> None:
    book = EventBook(SPEC, 1)
    decision = opened()
    first = book.open(decision, 0)
    assert first is not None
    book.settle(ClipResult(first.event_id, evidence((CLIP, READY))))
    assert (len(book), book.jobs()) == (1, [])
    last = book.end(ended(decision))
    assert last is not None
    assert (last.revision, len(book)) == (3, 0)


def test_an_end_before_the_start_is_the_start() -> None:
    book = EventBook(SPEC, 1)
    decision = opened()
    book.open(decision, 0)
    event = book.end(ended(decision, at_s=105))
    assert event is not None
    assert event.end_utc_ns == event.start_utc_ns


def test_the_end_of_the_run_interrupts_what_is_open() -> None:
    book = EventBook(SPEC, 1)
    over, lasting = opened(), opened(at_s=111)
    book.open(over, 0)
    book.open(lasting, 0)
    book.end(ended(over))
    (event,) = book.interrupt_all([held(lasting, 127)])
    assert (event.state, event.end_utc_ns, event.start_utc_ns) == (EventState.INTERRUPTED, utc(127), utc(111))
    assert book.clip_end(event.event_id) == ClipEnd(event.event_id, 127 * S)
    assert book.interrupt_all([held(lasting, 131)]) == []
    abandoned = book.abandon_evidence("the run ended before the clip did")
    assert [one.revision for one in abandoned] == [3, 3]
    assert all(one.state is FAILED and one.reason for event in abandoned for one in event.evidence)
    assert (len(book), book.awaits_evidence()) == (0, False)


def test_an_interrupted_event_whose_rule_is_not_known_ends_when_it_was_confirmed() -> None:
    """As after a crash of the engine, where the run ends before the rules are there again."""
    book = EventBook(SPEC, 1)
    book.open(opened(), 0)
    (event,) = book.interrupt_all([])
    assert (event.state, event.end_utc_ns) == (EventState.INTERRUPTED, utc(111))
    assert book.clip_end(event.event_id) == ClipEnd(event.event_id, 111 * S)


def test_what_an_earlier_life_had_open_goes_on() -> None:
    first_life = EventBook(SPEC, 1)
    decision = opened()
    event = first_life.open(decision, 0)
    assert event is not None
    book = EventBook(SPEC, 2)
    assert book.restore([event]) == []
    (job,) = book.jobs()
    assert (job.start_ns, job.confirmed_ns, job.end_ns, job.result) == (110 * S, 111 * S, None, None)
    assert book.open(decision, 0) is None, "decided again: still the same event"
    last = book.end(ended(decision))
    assert last is not None
    assert (last.event_id, last.revision, last.lease_epoch) == (event.event_id, 2, 1)


def test_an_event_that_ended_before_the_crash_still_gets_its_clip() -> None:
    first_life = EventBook(SPEC, 1)
    decision = opened()
    first_life.open(decision, 0)
    event = first_life.end(ended(decision))
    assert event is not None
    book = EventBook(SPEC, 2)
    assert book.restore([event]) == []
    (job,) = book.jobs()
    assert job.end_ns == 120 * S
    done = book.settle(ClipResult(event.event_id, evidence((CLIP, READY))))
    assert done is not None
    assert (done.revision, len(book)) == (3, 0)


def test_events_of_another_run_are_closed() -> None:
    open_before = EventBook(msgspec.structs.replace(SPEC, run_id="run-0"), 1).open(opened(), 0)
    assert open_before is not None
    book = EventBook(SPEC, 1)
    (event,) = book.restore([open_before])
    assert (event.state, event.revision, event.run_id) == (EventState.INTERRUPTED, 2, "run-0")
    assert [one.state for one in event.evidence] == [FAILED, FAILED]
    assert len(book) == 0


class Revisions(RuleBasedStateMachine):
    """In any order of decisions, reports, crashes and ends, an event's revisions count up one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.journal: dict[str, Event] = {}
        self.epoch = 1
        self.book = EventBook(SPEC, 1)
        self.times = itertools.count(110)
        self.decisions: dict[str, Opened] = {}

    def note(self, event: Event | None) -> None:
        if event is None:
            return
        before = self.journal.get(event.event_id)
        assert event.revision == (1 if before is None else before.revision + 1)
        if before is not None:
            assert before.state is EventState.OPEN or event.state is before.state, "an end is final"
            assert (event.start_utc_ns, event.reason, event.rule) == (before.start_utc_ns, before.reason, before.rule)
            assert event != msgspec.structs.replace(before, revision=event.revision), "a revision changes something"
        self.journal[event.event_id] = event

    @rule(camera=st.sampled_from(["door", "plain", "film"]), result=st.booleans())
    def open(self, camera: str, result: bool) -> None:
        decision = opened(next(self.times), camera, result=RESULT if result else None)
        event = self.book.open(decision, 0)
        assert event is not None
        self.note(event)
        self.decisions[event.event_id] = decision

    @precondition(lambda self: self.decisions)
    @rule(data=st.data())
    def open_again(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.decisions)))
        if self.journal[key].state is EventState.OPEN:
            assert self.book.open(self.decisions[key], 0) is None

    @precondition(lambda self: self.decisions)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.decisions)))
        was_open = self.journal[key].state is EventState.OPEN
        event = self.book.end(ended(self.decisions[key], next(self.times)))
        assert (event is not None) == was_open
        self.note(event)

    @precondition(lambda self: self.decisions)
    @rule(data=st.data(), states=st.lists(st.sampled_from(EvidenceState), max_size=2))
    def report(self, data: st.DataObject, states: list[EvidenceState]) -> None:
        key = data.draw(st.sampled_from(sorted(self.decisions)))
        event = self.book.settle(ClipResult(key, evidence(*zip([CLIP, SNAPSHOT], states, strict=False))))
        assert event is None or self.decisions[key].camera != "plain", "nothing was asked of the recorder"
        self.note(event)

    @rule()
    def crash(self) -> None:
        """What the journal has of open or unsettled events is taken over."""
        self.epoch += 1
        self.book = EventBook(SPEC, self.epoch)
        unsettled = [event for event in self.journal.values() if self.is_unsettled(event)]
        assert self.book.restore(unsettled) == []

    @rule()
    def finish(self) -> None:
        last_held = [held(decision, next(self.times)) for decision in self.decisions.values()]
        for event in self.book.interrupt_all(last_held):
            self.note(event)
        for event in self.book.abandon_evidence("over"):
            self.note(event)
        assert len(self.book) == 0

    def is_unsettled(self, event: Event) -> bool:
        return event.state is EventState.OPEN or any(one.state is PENDING for one in event.evidence)

    @invariant()
    def the_book_holds_what_can_still_change(self) -> None:
        unsettled = {key for key, event in self.journal.items() if self.is_unsettled(event)}
        assert len(self.book) == len(unsettled)
        pending = {key for key, event in self.journal.items() if any(one.state is PENDING for one in event.evidence)}
        assert {job.event_id for job in self.book.jobs()} == pending
        assert self.book.awaits_evidence() == bool(pending)


Revisions.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestRevisions = Revisions.TestCase

"""From results to confirmed events: tracking, rules, the journal, and only then the clip.

An event exists once it is journalled. So a revision goes to the journal first, and what follows from it (the clip, the
number on the screen) happens when the journal's thread says that it is on disk.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from penstock.base.clock import Clock
from penstock.base.queues import BoundedQueue
from penstock.contracts.capacity import PlanChange
from penstock.contracts.clips import ClipResult
from penstock.contracts.events import Event
from penstock.contracts.messages import CameraState, EndClip, FinishClips, Message, OpenClip
from penstock.contracts.results import Result
from penstock.contracts.specs import RunSpec
from penstock.contracts.work import ModelDescription
from penstock.framebus.trace_writers import EngineTrace, EngineTraceOff
from penstock.rules.decisions import Opened
from penstock.rules.errors import RuleError
from penstock.rules.evaluator import RuleEvaluator
from penstock.rules.inputs import (
    CameraStateInput,
    ClockInput,
    ConfigInput,
    RestoreInput,
    ResultInput,
    RuleInput,
    StillInput,
    TickInput,
)
from penstock.runtime.event_book import EventBook
from penstock.runtime.event_notes import EventNotes
from penstock.runtime.rule_setup import (
    RuleKey,
    Validities,
    continued,
    placed_rule,
    recovered_rules,
    required_names,
    vocabularies_of,
)
from penstock.runtime.run_record import run_started
from penstock.signals.holding import Holding
from penstock.store.journal import JournalWriter
from penstock.store.plan_log import PlanLog
from penstock.store.records import (
    EventRecord,
    JournalRecord,
    PlanRecord,
    Position,
    RunEnded,
)
from penstock.telemetry.analysis_statistics import RuleStatistics
from penstock.telemetry.histogram import Histogram
from penstock.telemetry.statistics import EventNote, JournalStatistics, ProcessStatistics
from penstock.tracking.off import TrackingOff

log = logging.getLogger(__name__)

COMMITTED_BOUND = 4096
_UNANNOUNCED = "it ended without saying so; the next run found it so, and this is when"


def journal_folder(data_dir: str | Path) -> Path:
    return Path(data_dir) / "journal"


class DecisionPath:
    """Everything behind a result, in the engine's thread but for the journal's own."""

    def __init__(
        self,
        spec: RunSpec,
        *,
        lease_epoch: int,
        data_dir: Path,
        clock: Clock,
        send_to_recorder: Callable[[Message], bool],
        wake: Callable[[], None],
        trace: EngineTrace | None = None,
    ) -> None:
        self._trace = trace or EngineTraceOff()
        self._spec = spec
        self._clock = clock
        self._validities = Validities(spec.lanes)
        self._book = EventBook(spec, lease_epoch)
        self._tracker = TrackingOff()
        self._evaluator = RuleEvaluator()
        self._journal = JournalWriter(journal_folder(data_dir), clock, on_committed=self._on_committed)
        self._plan_log = PlanLog(spec.run_id, spec.clock)
        self._committed: BoundedQueue[EventRecord] = BoundedQueue(COMMITTED_BOUND)
        self._send_to_recorder = send_to_recorder
        self._wake = wake
        self._notes = EventNotes()
        self._ended_cameras: set[str] = set()
        self._first_life = lease_epoch == 1
        self._rules_before: dict[RuleKey, RuleStatistics] = {}
        self._recorder_behind = False
        """it was not told all: it was away, or the link to it was full"""
        self._finish_told = False
        self.configured = False
        self.inputs = 0
        self.event_delay = Histogram()

    def go_on_from(self, earlier: ProcessStatistics) -> None:
        """What an engine before this one last published: its sums, and until when open events' conditions held."""
        self._rules_before = {(rule.rule, rule.camera, rule.shadow_lane): rule for rule in earlier.rules}
        self._notes.go_on_from(earlier.recent_events)
        if earlier.engine is not None:
            self.event_delay.merge(earlier.engine.event_delay)

    def start(self) -> None:
        """Opens the journal and takes over what an engine before this one left; raises OSError."""
        self._journal.start()
        recovered = self._journal.recovered
        for event in self._book.restore(recovered.unsettled_events()):
            self._journal_event(event)
        if self._first_life:
            for run in recovered.open_runs():
                self._journal.submit_nowait(RunEnded(run.run_id, self._spec.clock.utc_ns, _UNANNOUNCED))
            self._journal.submit_nowait(run_started(self._spec))

    def stop(self) -> None:
        """Commits what is queued; waits for the journal's thread."""
        self._journal_plan(self._plan_log.rest(self._clock.now_ns()))
        self._journal.submit_nowait(RunEnded(self._spec.run_id, self._clock.utc_ns()))
        self._journal.stop()
        self.take_committed()

    def configure(self, models: Mapping[str, ModelDescription]) -> str | None:
        """Compiles the rules against what the models know; the message of the first rule that cannot be used."""
        vocabularies = vocabularies_of(self._spec, models)
        try:
            rules = tuple(placed_rule(rule, vocabularies) for rule in self._spec.rules)
            self._take(ConfigInput(rules, vocabularies))
        except RuleError as error:
            return str(error)
        for camera, names in required_names(self._spec).items():
            self._evaluator.watch(camera, names)
        self._take(ClockInput(self._spec.clock))
        self._take(RestoreInput(recovered_rules(self._spec, self._journal.recovered, self._rules_before)))
        self.configured = True
        return None

    def floors(self) -> dict[str, float]:
        """By lane, the slowest rate at which the rules that read it are decidable; see `RuleEvaluator.floors`."""
        return self._evaluator.floors()

    # the plan

    def set_granted(self, lane: str, fps: float) -> None:
        """Results and still pictures taken from here on are valid as long as the lane's interval asks for."""
        self._validities.set_granted(lane, fps)

    def plan_changed(self, changes: Iterable[PlanChange]) -> None:
        """Journals what the plan gave and took, alike changes together, of each lane and camera at most every 5 s."""
        self._journal_plan(self._plan_log.changed(changes, self._clock.now_ns()))

    def holding(self, camera: str, name: str) -> Holding | None:
        """When a signal or class that some lane of the camera requires was last so; None where it never was."""
        return self._evaluator.holding(camera, name)

    # inputs

    def result(self, camera: str, lane: str, result: Result, now_ns: int) -> None:
        """A result that came within its deadline or not (`late`); `now_ns` dates the decision."""
        del now_ns
        tracked = self._tracker.update(lane, result)
        self._take(ResultInput(camera, lane, tracked, self._validities[lane]))

    def still(self, camera: str, lane: str, at_ns: int) -> None:
        self._take(StillInput(camera, lane, at_ns, at_ns + self._validities[lane]))

    def tick(self, camera: str, now_ns: int) -> None:
        self._take(TickInput(camera, now_ns))
        self._journal_plan(self._plan_log.due(now_ns))

    def camera_state(self, camera: str, state: CameraState, session: int, at_ns: int) -> None:
        self._take(CameraStateInput(camera, state, session, at_ns))

    def camera_ended(self, camera: str, session: int, at_ns: int) -> None:
        """A lossless camera's last frame has its fate: its events end with it. Safe to repeat."""
        if camera not in self._ended_cameras:
            self._ended_cameras.add(camera)
            self._take(CameraStateInput(camera, CameraState.ENDED, session, at_ns))

    def settle(self, result: ClipResult) -> None:
        """The recorder says what evidence there is."""
        event = self._book.settle(result)
        if event is not None:
            self._journal_event(event)

    # ends

    def interrupt(self) -> None:
        """The run ends: open events are closed as interrupted where they last held, and their clips with them."""
        for event in self._book.interrupt_all(self._evaluator.snapshot().open_events):
            self._journal_event(event)
            self._tell_end(event.event_id)

    def finish_clips(self) -> None:
        """Has the recorder finish what it has; safe to repeat."""
        if not self._finish_told:
            self.tell_recorder_again()
            self._finish_told = not self._recorder_behind and self._send_to_recorder(FinishClips())

    def journalling(self) -> bool:
        """Whether a revision is not yet on disk."""
        return self._journal.statistics().queued > 0

    def awaits_evidence(self) -> bool:
        return self._book.awaits_evidence()

    def abandon_evidence(self, reason: str) -> None:
        for event in self._book.abandon_evidence(reason):
            self._journal_event(event)

    # the recorder

    def recorder_attached(self) -> None:
        """A new recorder, or a new life of it: it is told of every clip that is still to be made."""
        self._recorder_behind = True
        self._finish_told = False
        self.tell_recorder_again()

    def tell_recorder_again(self) -> None:
        """Tells all that is still to be made, with its end where that is known, where not all was told."""
        if self._recorder_behind:
            self._recorder_behind = False
            for job in self._book.jobs():
                self._tell_recorder(OpenClip(job))

    def take_committed(self) -> None:
        """In the engine's loop: acts on what the journal has put on disk."""
        while (record := self._committed.get_nowait()) is not None:
            event = record.event
            self._notes.take(event)
            if event.revision == 1:
                what = "shadow event" if event.shadow else "event"
                where = {"camera": event.camera, "rule": event.rule}
                log.info("%s %s confirmed", what, event.event_id[:8], extra=where)
                job = self._book.job(event.event_id)
                if job is not None:
                    self._tell_recorder(OpenClip(job))

    # numbers

    def rule_statistics(self) -> tuple[RuleStatistics, ...]:
        if not self.configured:
            return tuple(self._rules_before.values())
        return tuple(
            continued(rule, self._rules_before.get((rule.rule, rule.camera, rule.shadow_lane)))
            for rule in self._evaluator.statistics().rules
        )

    def journal_statistics(self) -> JournalStatistics:
        now = self._journal.statistics()
        return JournalStatistics(
            appended=now.committed, failures=now.failures, size_bytes=now.size_bytes, backlog=now.queued
        )

    def recent_events(self) -> tuple[EventNote, ...]:
        return self._notes.newest()

    @property
    def late_results(self) -> int:
        return self._evaluator.statistics().late

    # pieces

    def _take(self, given: RuleInput) -> None:
        self.inputs += 1
        for decision in self._evaluator.take(given):
            if isinstance(decision, Opened):
                now_ns = self._clock.now_ns()
                event = self._book.open(decision, now_ns)
                if event is not None:
                    self.event_delay.record(now_ns - decision.confirmed_ns)
                    frame = decision.result.frame if decision.result is not None else None
                    self._trace.confirmed(decision.camera, decision.rule, frame, now_ns)
                    self._journal_event(event)
            else:
                event = self._book.end(decision)
                if event is not None:
                    self._journal_event(event)
                    self._tell_end(event.event_id)

    def _journal_event(self, event: Event) -> None:
        if not self._journal.submit_nowait(EventRecord(event)):
            log.error("event %s could not be journalled: the journal's queue is full", event.event_id)

    def _journal_plan(self, records: list[PlanRecord]) -> None:
        for record in records:
            # Where its queue is full the journal counts it; a change of the plan is no event.
            self._journal.submit_nowait(record)

    def _tell_end(self, identity: str) -> None:
        end = self._book.clip_end(identity)
        if end is not None:
            self._tell_recorder(EndClip(end))

    def _tell_recorder(self, message: Message) -> None:
        if not self._send_to_recorder(message):
            self._recorder_behind = True

    def _on_committed(self, records: list[JournalRecord], position: Position) -> None:
        """From the journal's thread."""
        del position
        for record in records:
            if isinstance(record, EventRecord):
                self._committed.put_nowait(record)
        self._wake()

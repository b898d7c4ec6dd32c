"""The events of a run while they can still change: opened, ended, given their evidence, each change a revision.

An event leaves the book when it has ended and all its evidence is settled. The book is what a new recorder is told to
do, and what a run that ends must close.
"""

from collections.abc import Iterable

import msgspec

from penstock.contracts.clips import ClipEnd, ClipJob, ClipResult
from penstock.contracts.events import (
    Event,
    EventState,
    Evidence,
    EvidenceKind,
    EvidenceState,
    Reason,
    ReasonTerm,
    event_id,
)
from penstock.contracts.specs import CameraSpec, RuleSpec, RunSpec
from penstock.contracts.times import ClockReading
from penstock.contracts.traces import frame_trace_id
from penstock.rules.decisions import Ended, Opened, OpenEvent


class _Entry:
    """One event with the job of its evidence; `job` is None where none is wanted, or its run is over."""

    __slots__ = ("event", "job")

    def __init__(self, event: Event, job: ClipJob | None) -> None:
        self.event = event
        self.job = job


class EventBook:
    """All methods return the revisions to be journalled, newest state last."""

    def __init__(self, spec: RunSpec, lease_epoch: int) -> None:
        self._spec = spec
        self._lease_epoch = lease_epoch
        self._cameras: dict[str, CameraSpec] = {camera.name: camera for camera in spec.cameras}
        self._rules: dict[str, RuleSpec] = {rule.name: rule for rule in spec.rules}
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def open(self, decision: Opened, now_ns: int) -> Event | None:
        """A rule was confirmed; None where this very event is known already (decided again after a crash)."""
        clock = decision.clock or self._spec.clock
        start_utc_ns = clock.utc_ns_of(decision.start_ns)
        identity = event_id(decision.rule_hash, decision.camera, decision.session, start_utc_ns)
        if identity in self._entries:
            return None
        rule = self._rules[decision.rule]
        shadow = rule.shadow or bool(decision.shadow_lane)
        record = self._cameras[decision.camera].record
        result = decision.result
        pending: list[Evidence] = []
        if record.enabled:
            # What is on trial gets a picture to be judged by; the 16 clips at once and the disk are for what is real.
            if not shadow:
                pending.append(Evidence(EvidenceKind.CLIP, EvidenceState.PENDING))
            if record.snapshot and result is not None:
                pending.append(Evidence(EvidenceKind.SNAPSHOT, EvidenceState.PENDING))
        event = Event(
            event_id=identity,
            revision=1,
            rule=decision.rule,
            rule_hash=decision.rule_hash,
            camera=decision.camera,
            session=decision.session,
            state=EventState.OPEN,
            severity=rule.severity,
            start_utc_ns=start_utc_ns,
            confirmed_utc_ns=clock.utc_ns_of(decision.confirmed_ns),
            end_utc_ns=None,
            start_error_ns=decision.start_error_ns,
            reason=reason_of(decision, clock),
            run_id=self._spec.run_id,
            host_id=self._spec.host_id,
            boot_id=self._spec.boot_id,
            lease_epoch=self._lease_epoch,
            frame_seq=result.frame.id.seq if result is not None else 0,
            decided_utc_ns=clock.utc_ns_of(now_ns),
            shadow=shadow,
            shadow_model=decision.shadow_lane.removeprefix(f"{decision.camera}/"),
            evidence=tuple(pending),
            trace_id=frame_trace_id(result.frame.id.stream.session, result.frame.id.seq) if result else identity,
        )
        job = ClipJob(
            event_id=identity,
            rule=decision.rule,
            camera=decision.camera,
            start_ns=decision.start_ns,
            confirmed_ns=decision.confirmed_ns,
            end_ns=None,
            clock=clock,
            run_id=self._spec.run_id,
            result=result,
            clip=not shadow,
        )
        self._entries[identity] = _Entry(event, job if pending else None)
        return event

    def end(self, decision: Ended) -> Event | None:
        """The condition holds no longer; None for an event that is not in the book."""
        clock = decision.clock or self._spec.clock
        identity = event_id(decision.rule_hash, decision.camera, decision.session, clock.utc_ns_of(decision.start_ns))
        return self._close(identity, decision.end_ns, clock.utc_ns_of(decision.end_ns), EventState.ENDED)

    def interrupt_all(self, held: Iterable[OpenEvent]) -> list[Event]:
        """The run ends: what is open is closed as interrupted, at the last instant at which `held` says that its
        condition held. An event that `held` does not name is known to have held when it was confirmed, no longer."""
        ends: dict[str, tuple[int, int]] = {}
        for one in held:
            clock = one.clock or self._spec.clock
            identity = event_id(one.rule_hash, one.camera, one.session, clock.utc_ns_of(one.start_ns))
            ends[identity] = (one.last_held_ns, clock.utc_ns_of(one.last_held_ns))
        closed = []
        for identity, entry in list(self._entries.items()):
            confirmed_utc_ns = entry.event.confirmed_utc_ns
            confirmed_ns = self._spec.clock.mono_ns + confirmed_utc_ns - self._spec.clock.utc_ns
            end_ns, end_utc_ns = ends.get(identity, (confirmed_ns, confirmed_utc_ns))
            closed.append(self._close(identity, end_ns, end_utc_ns, EventState.INTERRUPTED))
        return [event for event in closed if event is not None]

    def settle(self, result: ClipResult) -> Event | None:
        """The recorder says what there is; None where it says nothing new, or nothing was asked of it."""
        entry = self._entries.get(result.event_id)
        if entry is None or entry.job is None or entry.event.evidence == result.evidence:
            return None
        event = self._revise(entry, evidence=result.evidence)
        self._forget_settled(event)
        return event

    def abandon_evidence(self, reason: str) -> list[Event]:
        """Nobody will bring the evidence that is still pending: say so."""
        revised = []
        for entry in list(self._entries.values()):
            evidence = tuple(
                msgspec.structs.replace(one, state=EvidenceState.FAILED, reason=reason)
                if one.state is EvidenceState.PENDING
                else one
                for one in entry.event.evidence
            )
            if evidence != entry.event.evidence:
                revised.append(self._revise(entry, evidence=evidence))
                self._forget_settled(revised[-1])
        return revised

    def restore(self, events: Iterable[Event]) -> list[Event]:
        """Takes over what an earlier life of the engine had open; events of other runs are interrupted: they end when
        they were confirmed, the last instant at which they are known to have held.

        Evidence of events from before the restart is asked for again by `jobs`; of another run's it is given up.
        """
        revised = []
        for event in events:
            entry = _Entry(event, None)
            self._entries[event.event_id] = entry
            if event.run_id != self._spec.run_id:
                state = EventState.INTERRUPTED if event.state is EventState.OPEN else event.state
                evidence = tuple(
                    msgspec.structs.replace(one, state=EvidenceState.FAILED, reason="its run ended first")
                    if one.state is EvidenceState.PENDING
                    else one
                    for one in event.evidence
                )
                end_utc_ns = event.confirmed_utc_ns if event.end_utc_ns is None else event.end_utc_ns
                revised.append(self._revise(entry, state=state, end_utc_ns=end_utc_ns, evidence=evidence))
                del self._entries[event.event_id]
            else:
                entry.job = self._job_again(event) if event.evidence else None
        return revised

    def jobs(self) -> list[ClipJob]:
        """What a recorder has to do for the events in the book."""
        return [entry.job for entry in self._entries.values() if entry.job is not None and entry.event.awaits_evidence]

    def job(self, identity: str) -> ClipJob | None:
        entry = self._entries.get(identity)
        return entry.job if entry is not None else None

    def clip_end(self, identity: str) -> ClipEnd | None:
        """The end to tell the recorder, where the event has one, and a clip that goes on until then."""
        entry = self._entries.get(identity)
        if entry is None or entry.job is None or entry.job.end_ns is None or not entry.job.clip:
            return None
        return ClipEnd(identity, entry.job.end_ns)

    def awaits_evidence(self) -> bool:
        return any(entry.event.awaits_evidence for entry in self._entries.values())

    def _close(self, identity: str, end_ns: int, end_utc_ns: int, state: EventState) -> Event | None:
        entry = self._entries.get(identity)
        if entry is None or entry.event.state is not EventState.OPEN:
            return None
        if entry.job is not None:
            entry.job = msgspec.structs.replace(entry.job, end_ns=end_ns)
        event = self._revise(entry, state=state, end_utc_ns=max(end_utc_ns, entry.event.start_utc_ns))
        self._forget_settled(event)
        return event

    def _job_again(self, event: Event) -> ClipJob:
        """The job of an event whose first life was lost: without the result, so without a new snapshot."""
        clock = self._spec.clock
        offset_ns = clock.utc_ns - clock.mono_ns
        return ClipJob(
            event_id=event.event_id,
            rule=event.rule,
            camera=event.camera,
            start_ns=event.start_utc_ns - offset_ns,
            confirmed_ns=event.confirmed_utc_ns - offset_ns,
            end_ns=None if event.end_utc_ns is None else event.end_utc_ns - offset_ns,
            clock=clock,
            run_id=event.run_id,
            clip=not event.shadow,
        )

    def _revise(self, entry: _Entry, **changes: object) -> Event:
        entry.event = msgspec.structs.replace(entry.event, revision=entry.event.revision + 1, **changes)
        return entry.event

    def _forget_settled(self, event: Event) -> None:
        if not event.awaits_evidence and event.state is not EventState.OPEN:
            self._entries.pop(event.event_id, None)


def reason_of(decision: Opened, clock: ClockReading) -> Reason:
    """Why the rule is true, in terms that leave the host."""
    return Reason(
        decision.rule_text,
        tuple(
            ReasonTerm(
                text=term.text,
                value=term.value,
                since_utc_ns=None if term.since_ns is None else clock.utc_ns_of(term.since_ns),
            )
            for term in decision.terms
        ),
    )

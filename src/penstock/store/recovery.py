"""What a new engine takes up from the one before: events still open, and the last event of each rule for its cooldown.

A fold over the journal. Every segment begins with the fold of all before it, so only the newest must be read, and a
crash between making a segment and writing its first record costs one step back.
"""

from pathlib import Path

from penstock.contracts.events import Event, EventState
from penstock.store.records import Checkpoint, EventRecord, JournalRecord, RunEnded, RunStarted
from penstock.store.segments import records_in, segment_numbers, segment_path

_COOLDOWN_MEMORY_NS = 7 * 86_400 * 1_000_000_000


class RecoveryState:
    """The fold. Feed records in journal order; replays change nothing."""

    def __init__(self) -> None:
        self._unsettled: dict[str, Event] = {}
        self._last: dict[tuple[str, str], Event] = {}
        self._runs: dict[str, RunStarted] = {}

    def add(self, record: JournalRecord) -> None:
        if isinstance(record, EventRecord):
            self._add_event(record.event)
        elif isinstance(record, RunStarted):
            self._runs[record.run_id] = record
        elif isinstance(record, RunEnded):
            self._runs.pop(record.run_id, None)
        elif isinstance(record, Checkpoint):
            self._unsettled = {event.event_id: event for event in record.open_events}
            self._last = {(event.rule_hash, event.camera): event for event in record.last_events}
            self._runs = {run.run_id: run for run in record.open_runs}

    def checkpoint(self) -> Checkpoint:
        """The state as a record. Rules that fired nothing for 7 days are forgotten: no cooldown is as long."""
        newest_ns = max((event.confirmed_utc_ns for event in self._last.values()), default=0)
        return Checkpoint(
            open_events=self.unsettled_events(),
            last_events=tuple(
                event for event in self._last.values() if newest_ns - event.confirmed_utc_ns <= _COOLDOWN_MEMORY_NS
            ),
            open_runs=self.open_runs(),
        )

    def open_events(self) -> tuple[Event, ...]:
        """Latest revision of each event that never ended, in order of confirmation."""
        return tuple(event for event in self.unsettled_events() if event.state is EventState.OPEN)

    def unsettled_events(self) -> tuple[Event, ...]:
        """Latest revision of each event that is open, or whose evidence is still to come, by confirmation."""
        return tuple(sorted(self._unsettled.values(), key=lambda event: (event.confirmed_utc_ns, event.event_id)))

    def last_event(self, rule_hash: str, camera: str) -> Event | None:
        """Latest revision of the newest event of a rule on a camera; None where it never fired."""
        return self._last.get((rule_hash, camera))

    def last_events(self) -> tuple[Event, ...]:
        """The newest event of each rule hash and camera."""
        return tuple(self._last.values())

    def open_runs(self) -> tuple[RunStarted, ...]:
        """Runs that ended without saying so."""
        return tuple(self._runs.values())

    def _add_event(self, event: Event) -> None:
        known = self._unsettled.get(event.event_id)
        key = (event.rule_hash, event.camera)
        last = self._last.get(key)
        for other in (known, last if last is not None and last.event_id == event.event_id else None):
            if other is not None and other.revision >= event.revision:
                return
        if event.state is EventState.OPEN or event.awaits_evidence:
            self._unsettled[event.event_id] = event
        else:
            self._unsettled.pop(event.event_id, None)
        if last is None or event.event_id == last.event_id or event.start_utc_ns >= last.start_utc_ns:
            self._last[key] = event


def recover(folder: Path) -> RecoveryState:
    """The state at the end of the journal in `folder`: empty where there is none. Raises OSError."""
    numbers = segment_numbers(folder)
    first = 0
    for i in range(len(numbers) - 1, -1, -1):
        head = next(iter(records_in(segment_path(folder, numbers[i]))), None)
        if head is not None and isinstance(head[0], Checkpoint):
            first = i
            break
    state = RecoveryState()
    for number in numbers[first:]:
        for record, _ in records_in(segment_path(folder, number)):
            state.add(record)
    return state

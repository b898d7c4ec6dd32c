"""The newest events in one line each, for people who watch the run; what is on trial is not among them."""

from collections import deque
from collections.abc import Iterable

from penstock.contracts.events import Event
from penstock.telemetry.statistics import EventNote

NOTES_KEPT = 16


class EventNotes:
    """At most 16 events, each as its latest revision says; older ones leave."""

    def __init__(self) -> None:
        self._notes: deque[EventNote] = deque(maxlen=NOTES_KEPT)

    def go_on_from(self, notes: Iterable[EventNote]) -> None:
        """What an engine before this one had."""
        self._notes.extend(notes)

    def take(self, event: Event) -> None:
        if event.shadow:
            return
        note = EventNote(
            event.event_id,
            event.rule,
            event.camera,
            event.severity.value,
            event.state.value,
            event.confirmed_utc_ns,
        )
        for place, known in enumerate(self._notes):
            if known.event_id == note.event_id:
                self._notes[place] = note
                return
        self._notes.append(note)

    def newest(self) -> tuple[EventNote, ...]:
        """The newest last."""
        return tuple(self._notes)

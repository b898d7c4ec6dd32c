"""Changes of the capacity plan, made few enough for the journal without losing where a grant came to.

A change of thousands of lanes at once is one record, if they went from the same to the same for the same reason. Of
one lane or camera a record is written at most every 5 s; changes in between are held, the newest with where the first
began, and written together when the time is over. So the last one written is always what is so, and what was left out
is counted.
"""

from collections.abc import Iterable

import msgspec

from penstock.contracts.capacity import PlanChange
from penstock.contracts.times import ClockReading
from penstock.store.records import PlanRecord

QUIET_NS = 5_000_000_000
RECORDS_AT_ONCE = 64
TURN_NS = 200_000_000
"""between two such: plans share the journal's queue with events, which must find room in it"""
SUBJECTS_PER_RECORD = 1000

_Key = tuple[str, str]
"""subject and aspect"""


class _Held(msgspec.Struct):
    change: PlanChange
    left_out: int = 0


class PlanLog:
    """What is to be written of a run's plan. Bounded by the run's lanes and cameras; instants never go back."""

    def __init__(self, run_id: str, clock: ClockReading) -> None:
        self._run_id = run_id
        self._clock = clock
        self._written_ns: dict[_Key, int] = {}
        self._held: dict[_Key, _Held] = {}
        self._due_ns: int | None = None
        self.left_out = 0
        """changes that were passed over by newer ones of their subject, all in all"""

    def changed(self, changes: Iterable[PlanChange], now_ns: int) -> list[PlanRecord]:
        """Takes changes; returns the records that may be written now."""
        for change in changes:
            key = (change.subject, change.aspect)
            held = self._held.get(key)
            if held is None:
                self._held[key] = _Held(change)
            else:
                held.change = msgspec.structs.replace(change, before=held.change.before)
                held.left_out += 1
                self.left_out += 1
        return self._write(now_ns, QUIET_NS, RECORDS_AT_ONCE)

    def due(self, now_ns: int) -> list[PlanRecord]:
        """What was held for long enough by now; cheap where nothing is."""
        return (
            self._write(now_ns, QUIET_NS, RECORDS_AT_ONCE)
            if self._due_ns is not None and now_ns >= self._due_ns
            else []
        )

    def rest(self, now_ns: int) -> list[PlanRecord]:
        """All that is held, at the end."""
        return self._write(now_ns, 0, len(self._held))

    def _write(self, now_ns: int, quiet_ns: int, most: int) -> list[PlanRecord]:
        """Groups of the same change, the largest first; more than `most` wait for another turn."""
        groups: dict[tuple[str, str, str, str], list[_Key]] = {}
        for key, held in self._held.items():
            written_ns = self._written_ns.get(key)
            if written_ns is None or now_ns - written_ns >= quiet_ns:
                change = held.change
                groups.setdefault((change.aspect, change.before, change.after, change.why), []).append(key)
        largest = sorted(groups.values(), key=len, reverse=True)
        records = [record for keys in largest[:most] for record in self._records_of(keys, now_ns)]
        self._due_ns = min(
            (self._written_ns.get(key, now_ns - QUIET_NS) + QUIET_NS for key in self._held), default=None
        )
        if self._due_ns is not None and len(largest) > most:
            self._due_ns = max(self._due_ns, now_ns + TURN_NS)
        return records

    def _records_of(self, keys: list[_Key], now_ns: int) -> list[PlanRecord]:
        taken = [(key, self._held.pop(key)) for key in keys]
        for key in keys:
            self._written_ns[key] = now_ns
        if taken[0][1].change.before == taken[0][1].change.after:
            # It went and came back while nothing was written: only the count tells of it.
            self.left_out += len(taken)
            return []
        records = []
        for start in range(0, len(taken), SUBJECTS_PER_RECORD):
            part = [held for _, held in taken[start : start + SUBJECTS_PER_RECORD]]
            records.append(
                PlanRecord(
                    run_id=self._run_id,
                    utc_ns=self._clock.utc_ns_of(max(held.change.at_ns for held in part)),
                    change=part[0].change,
                    subjects=tuple(held.change.subject for held in part),
                    left_out=sum(held.left_out for held in part),
                )
            )
        return records

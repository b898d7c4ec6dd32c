"""Compares confirmed events with what was drawn: which were right, which were missed, and how late they came.

What lies too near a threshold to be expected of anybody is `borderline`: whether it was found or not is not counted,
as the labels marked `difficult` of detection benchmarks are not.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Hold:
    """A time in which a condition was drawn to be true; UTC nanoseconds."""

    start_ns: int
    end_ns: int
    sure: bool = True
    """False where it hinges on a figure that is hardly to be seen"""


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """What a rule ought to confirm."""

    camera: str
    rule: str
    start_ns: int
    due_ns: int
    """when it had held long enough"""
    end_ns: int
    borderline: bool = False
    may_repeat: bool = False
    """it pauses for so short a time that more than one event is right as well"""


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """What a run confirmed."""

    event_id: str
    camera: str
    rule: str
    start_ns: int
    decided_ns: int


@dataclass(frozen=True, slots=True)
class Score:
    """`false` events match nothing that was drawn, or something that another event had matched already."""

    expected: int
    found: int
    missed: tuple[TrueEvent, ...]
    false: tuple[SeenEvent, ...]
    borderline: int
    """drawn situations and confirmed events that are not counted"""
    delays_ns: tuple[int, ...]
    """from due to decided, of those found"""
    start_errors_ns: tuple[int, ...]
    """start as confirmed less start as drawn, of those found"""

    @property
    def precision(self) -> float:
        """1.0 where nothing was confirmed."""
        right = self.found
        return right / (right + len(self.false)) if right + len(self.false) else 1.0

    @property
    def recall(self) -> float:
        """1.0 where nothing was to be found."""
        return self.found / self.expected if self.expected else 1.0


def unrolled(
    holds: Iterable[tuple[float, float, bool]], *, epoch_ns: int, loop_ns: int, from_ns: int, to_ns: int
) -> list[Hold]:
    """Times within a loop, in seconds, as they come again and again between `from_ns` and `to_ns`, cut at both.

    One that ends with the loop and one that begins with it are the same.
    """
    found = list(holds)
    every: list[Hold] = []
    for loop in range(max((from_ns - epoch_ns) // loop_ns - 1, 0), max((to_ns - epoch_ns) // loop_ns + 1, 0)):
        began_ns = epoch_ns + loop * loop_ns
        every += [Hold(began_ns + round(s * 1e9), began_ns + round(e * 1e9), sure) for s, e, sure in found]
    joined: list[Hold] = []
    for hold in sorted(every, key=lambda hold: hold.start_ns):
        if joined and hold.start_ns <= joined[-1].end_ns:
            last = joined[-1]
            joined[-1] = Hold(last.start_ns, max(last.end_ns, hold.end_ns), last.sure and hold.sure)
        else:
            joined.append(hold)
    return [
        replace(hold, start_ns=max(hold.start_ns, from_ns), end_ns=min(hold.end_ns, to_ns))
        for hold in joined
        if hold.end_ns > from_ns and hold.start_ns < to_ns
    ]


def true_events(
    camera: str, rule: str, holds: Sequence[Hold], *, for_ns: int, cooldown_ns: int, margin_ns: int
) -> list[TrueEvent]:
    """What a rule that asks for `for_ns` ought to confirm, given when its condition held.

    `margin_ns` is how far off the ends of a hold can be for somebody who looks a few times a second.
    """
    merged: list[tuple[Hold, bool]] = []
    for hold in holds:
        if merged and hold.start_ns - merged[-1][0].end_ns <= margin_ns:
            last = merged[-1][0]
            merged[-1] = (Hold(last.start_ns, hold.end_ns, last.sure and hold.sure), True)
        else:
            merged.append((hold, False))
    events: list[TrueEvent] = []
    for hold, paused in merged:
        lasts_ns = hold.end_ns - hold.start_ns
        if lasts_ns < for_ns - margin_ns:
            continue
        near = lasts_ns < for_ns + margin_ns or not hold.sure
        resting = bool(events) and hold.start_ns - events[-1].end_ns < cooldown_ns + margin_ns
        due_ns = hold.start_ns + for_ns
        events.append(TrueEvent(camera, rule, hold.start_ns, due_ns, hold.end_ns, near or resting, paused))
    return events


def score(expected: Sequence[TrueEvent], seen: Sequence[SeenEvent], *, margin_ns: int) -> Score:
    """Pairs each confirmed event with the nearest situation of its camera and rule in which it began."""
    taken: set[TrueEvent] = set()
    false: list[SeenEvent] = []
    delays: list[int] = []
    errors: list[int] = []
    ignored = 0
    for event in sorted(seen, key=lambda event: event.start_ns):
        meant = [
            true
            for true in expected
            if (true.camera, true.rule) == (event.camera, event.rule)
            and true.start_ns - margin_ns <= event.start_ns <= true.end_ns + margin_ns
        ]
        free = [true for true in meant if true not in taken]
        if free:
            true = min(free, key=lambda true: abs(true.start_ns - event.start_ns))
            taken.add(true)
            if true.borderline:
                ignored += 1
            else:
                delays.append(event.decided_ns - true.due_ns)
                errors.append(event.start_ns - true.start_ns)
        elif any(true.may_repeat or true.borderline for true in meant):
            ignored += 1
        else:
            false.append(event)
    counted = [true for true in expected if not true.borderline]
    return Score(
        expected=len(counted),
        found=len(delays),
        missed=tuple(true for true in counted if true not in taken),
        false=tuple(false),
        borderline=ignored + sum(true.borderline and true not in taken for true in expected),
        delays_ns=tuple(delays),
        start_errors_ns=tuple(errors),
    )


def summary(found: Score) -> dict[str, object]:
    """What a report says of it; delays in milliseconds, None where nothing was found."""

    def milliseconds(values: Sequence[int]) -> dict[str, float] | None:
        if not values:
            return None
        return {
            "p50": round(statistics.median(values) / NS_PER_MS, 1),
            "max": round(max(values, key=abs) / NS_PER_MS, 1),
        }

    return {
        "precision": round(found.precision, 4),
        "recall": round(found.recall, 4),
        "expected": found.expected,
        "found": found.found,
        "missed": len(found.missed),
        "false": len(found.false),
        "borderline": found.borderline,
        "delay_ms": milliseconds(found.delays_ns),
        "start_error_ms": milliseconds(found.start_errors_ns),
    }

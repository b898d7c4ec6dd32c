"""The state machine alone: truths at instants in, changes at exact instants out."""

import pytest

from penstock.rules.machine import EndCause, Move, RuleMachine, RuleState
from penstock.signals.logic import Truth

F, U, T = Truth.FALSE, Truth.UNKNOWN, Truth.TRUE
IDLE, POTENTIAL, CONFIRMED, COOLDOWN = RuleState.IDLE, RuleState.POTENTIAL, RuleState.CONFIRMED, RuleState.COOLDOWN
LIMIT, COOL = 100, 50

Step = tuple[int, Truth, Truth]
"""instant, whole condition, condition without its windows"""


def begun(at: int) -> Move:
    return Move(at, IDLE, POTENTIAL, start_ns=at)


def given_up(at: int) -> Move:
    return Move(at, POTENTIAL, IDLE)


def opened(at: int, start: int, before: RuleState = POTENTIAL) -> Move:
    return Move(at, before, CONFIRMED, start_ns=start)


def ended(at: int, start: int, end: int, cause: EndCause = EndCause.FALSE) -> Move:
    return Move(at, CONFIRMED, COOLDOWN, start_ns=start, end_ns=end, cause=cause)


def cooled(at: int) -> Move:
    return Move(at, COOLDOWN, IDLE)


SCENARIOS: dict[str, tuple[list[Step], list[Move]]] = {
    "nothing happens": ([(0, F, F), (10, U, U), (20, F, F)], []),
    "lasts long enough": (
        [(0, F, F), (10, F, T), (20, F, T), (30, T, T), (40, T, T), (50, F, F)],
        [begun(10), opened(30, start=10), ended(50, start=10, end=50)],
    ),
    "begins, but is over too soon": ([(10, F, T), (20, F, F), (30, F, T)], [begun(10), given_up(20), begun(30)]),
    "begins, then is unknown": ([(10, F, T), (20, U, U), (30, U, T)], [begun(10), given_up(20), begun(30)]),
    "without a window it is confirmed at once": ([(10, T, T)], [opened(10, start=10, before=IDLE)]),
    "a window alone can decide": ([(10, T, F)], [opened(10, start=10, before=IDLE)]),
    "unknown does not open": ([(10, U, T), (20, U, T)], [begun(10)]),
    "unknown does not end": (
        [(10, T, T), (20, U, U), (119, U, U), (120, T, T), (130, F, F)],
        [opened(10, 10, IDLE), ended(130, start=10, end=130)],
    ),
    "unknown at the limit ends where it last held": (
        [(10, T, T), (15, T, T), (20, U, U), (120, U, U)],
        [opened(10, 10, IDLE), ended(120, start=10, end=15, cause=EndCause.UNKNOWN_LIMIT), cooled(120)],
    ),
    "a limit passed unseen is decided first": (
        [(10, T, T), (20, U, U), (121, T, T)],
        [
            opened(10, 10, IDLE),
            ended(120, start=10, end=10, cause=EndCause.UNKNOWN_LIMIT),
            cooled(120),
            opened(121, 121, IDLE),
        ],
    ),
    "seen at the limit it goes on": ([(10, T, T), (20, U, U), (120, T, T)], [opened(10, 10, IDLE)]),
    "each unknown has its own limit": (
        [(10, T, T), (20, U, U), (90, T, T), (100, U, U), (190, T, T), (280, U, U)],
        [opened(10, 10, IDLE)],
    ),
    "a gap in a window is no unknown while what is inside holds": (
        [(10, T, T), (20, U, U), (30, U, T), (500, U, T), (510, F, F)],
        [opened(10, 10, IDLE), ended(510, start=10, end=510)],
    ),
    "after the gap, the limit counts from the next unknown": (
        [(10, T, T), (20, U, U), (30, U, T), (500, U, U), (600, U, U)],
        [opened(10, 10, IDLE), ended(600, start=10, end=30, cause=EndCause.UNKNOWN_LIMIT), cooled(600)],
    ),
    "cooldown ignores what happens in it": (
        [(0, T, T), (10, F, F), (20, F, T), (30, T, T), (59, T, T)],
        [opened(0, 0, IDLE), ended(10, start=0, end=10)],
    ),
    "after the cooldown an event starts at the first instant": (
        [(0, T, T), (10, F, F), (20, T, T), (60, T, T)],
        [opened(0, 0, IDLE), ended(10, 0, 10), cooled(60), opened(60, 60, IDLE)],
    ),
    "after the cooldown, long after": (
        [(0, T, T), (10, F, F), (900, F, T)],
        [opened(0, 0, IDLE), ended(10, 0, 10), cooled(60), begun(900)],
    ),
    "the same instant twice": (
        [(10, F, T), (10, T, T), (10, F, F)],
        [begun(10), opened(10, 10), ended(10, start=10, end=10)],
    ),
}


@pytest.mark.parametrize(("steps", "moves"), SCENARIOS.values(), ids=SCENARIOS.keys())
def test_scenarios(steps: list[Step], moves: list[Move]) -> None:
    machine = RuleMachine(COOL, LIMIT)
    assert [move for step in steps for move in machine.step(*step)] == moves


def test_time_alone_ends_limits_and_cooldowns() -> None:
    machine = RuleMachine(COOL, LIMIT)
    machine.step(10, T, T)
    machine.step(20, U, U)
    assert machine.pass_time(120) == (), "what is seen at the limit itself would go first"
    assert machine.pass_time(121) == (ended(120, 10, 10, EndCause.UNKNOWN_LIMIT), cooled(120))
    machine.step(130, T, T)
    machine.step(140, F, F)
    assert machine.pass_time(189) == ()
    assert machine.pass_time(190) == (cooled(190),)


def test_an_instant_within_a_cooldown_opens_nothing_though_a_tick_has_ended_it() -> None:
    machine = RuleMachine(COOL, LIMIT)
    machine.step(10, T, T)
    machine.step(20, F, F)
    assert machine.pass_time(70) == (cooled(70),)
    assert machine.step(69, T, T) == ()
    assert machine.step(70, T, T) == (opened(70, 70, IDLE),)


def test_without_cooldown_the_next_event_may_start_at_once() -> None:
    machine = RuleMachine(0, LIMIT)
    machine.step(10, T, T)
    assert machine.step(20, F, F) == (ended(20, 10, 20), cooled(20))
    assert machine.step(20, T, T) == (opened(20, 20, IDLE),)


def test_an_end_from_outside_is_where_it_last_held() -> None:
    machine = RuleMachine(COOL, LIMIT)
    assert machine.end(EndCause.CAMERA_ENDED) == ()
    machine.step(10, T, T)
    machine.step(20, T, T)
    machine.step(30, U, U)
    assert machine.end(EndCause.CAMERA_ENDED) == (ended(20, 10, 20, EndCause.CAMERA_ENDED),)


def test_blind_time_is_time_in_which_it_could_not_say() -> None:
    machine = RuleMachine(COOL, LIMIT)
    machine.pass_time(50)
    machine.count_from(100)
    machine.step(130, F, F)
    machine.step(150, U, U)
    machine.pass_time(155)
    machine.step(160, T, T)
    machine.pass_time(165)
    assert (machine.blind_ns, machine.known_ns) == (30 + 10, 20 + 5)


def test_a_restored_event_goes_on_when_its_condition_holds() -> None:
    machine = RuleMachine(COOL, LIMIT)
    machine.restore_open(start_ns=10, confirmed_ns=20, last_held_ns=100)
    assert machine.step(150, U, T) == ()
    assert machine.step(160, F, F) == (ended(160, 10, 160),)


def test_a_restored_event_ends_when_the_limit_passed_meanwhile() -> None:
    machine = RuleMachine(COOL, LIMIT)
    machine.restore_open(start_ns=10, confirmed_ns=20, last_held_ns=100)
    assert machine.step(201, T, T) == (
        ended(200, 10, 100, EndCause.UNKNOWN_LIMIT),
        cooled(200),
        opened(201, 201, IDLE),
    )


def test_a_restored_event_may_have_been_seen_after_it_last_was_known_to_hold() -> None:
    machine = RuleMachine(COOL, LIMIT)
    machine.restore_open(start_ns=10, confirmed_ns=20, last_held_ns=20, unknown_since_ns=500)
    assert machine.pass_time(600) == ()
    assert machine.step(600, U, U) == (ended(600, 10, 20, EndCause.UNKNOWN_LIMIT), cooled(600))


def test_a_restored_cooldown_lasts_to_its_end() -> None:
    machine = RuleMachine(COOL, LIMIT)
    machine.restore_cooldown(200)
    assert machine.step(199, T, T) == ()
    assert machine.step(200, T, T) == (cooled(200), opened(200, 200, IDLE))

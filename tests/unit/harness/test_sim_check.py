"""The search over seeds: what it says of good and of bad ones."""

import pytest

from penstock.harness import sim_check
from penstock.testkit.invariants import InvariantBroken
from penstock.testkit.schedules import Checked, Schedule, draw

S = 1_000_000_000


def checked(schedule: Schedule, seed: int) -> Checked:
    """Seed 2 breaks a step, seed 3 is wrong as a whole; all others are good."""
    if seed == 2:
        raise InvariantBroken("at 1.5 s, seed 2: c0/m was offered 4, and 3 ended with 0 in flight")
    faults = ("c1/m changed when the load had been constant", "and again") if seed == 3 else ()
    return Checked(seed, schedule.kind, steps=10, analyses=4, changes=1, settled_ns=seed * S, faults=faults)


def test_bad_seeds_are_named_and_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim_check, "check", checked)
    told: list[int] = []
    report = sim_check.check_seeds(range(5), told.append)
    assert (report.seeds, report.steps, report.analyses, report.settled_ns, report.good) == (5, 40, 16, 4 * S, False)
    assert told == [1, 2, 3, 4, 5]
    text = sim_check.text(report)
    assert "seed 2: at 1.5 s, seed 2: c0/m was offered 4" in text
    assert f"seed 3 ({draw(3).kind}): c1/m changed when the load had been constant (and 1 more)" in text
    assert "5 seeds, 40 steps checked, 16 analyses: 1 broke an invariant at a step, 1 came out wrong as a whole" in text


def test_many_bad_seeds_are_not_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim_check, "check", lambda schedule, seed: checked(schedule, 3))
    text = sim_check.text(sim_check.check_seeds(range(30)))
    assert "… and 10 more seeds\n" in text


def test_a_real_schedule_is_checked_step_by_step() -> None:
    report = sim_check.check_seeds(range(3, 5))
    assert report.steps > 1000
    assert report.broken == ()

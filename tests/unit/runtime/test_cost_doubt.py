"""A model that the plan gives nothing is tried again, less and less often, until it shows that it may run."""

import itertools

from penstock.runtime.cost_doubt import FIRST_NS, LONGEST_NS, CostDoubt

S = 1_000_000_000


def tries(until_s: int, runs_after_s: int | None = None) -> list[int]:
    """Seconds at which a model that costs too much is let run; after `runs_after_s`, its cost allows it."""
    doubt = CostDoubt()
    runs, measured_ns, seen = True, 0, []
    for second in range(until_s):
        now_ns = second * S
        if runs:
            measured_ns = now_ns
        cheap = runs_after_s is not None and second >= runs_after_s and measured_ns > runs_after_s * S
        doubted = doubt.doubts(runs=runs, measured_ns=measured_ns, now_ns=now_ns)
        if doubted:
            seen.append(second)
        runs = doubted or cheap or second < 5
    return seen


def test_it_is_tried_after_a_while_and_then_less_and_less_often() -> None:
    seen = tries(2000)
    first = seen[0]
    assert first >= FIRST_NS // S
    gaps = [after - before for before, after in itertools.pairwise(seen) if after - before > 2]
    assert gaps == sorted(gaps)
    assert max(gaps) <= LONGEST_NS // S + 2


def test_one_that_became_cheap_runs_on() -> None:
    seen = tries(600, runs_after_s=100)
    assert seen
    assert seen[-1] < 250, "found cheap at the try that came next, and not doubted after it"


def test_one_that_runs_is_not_doubted() -> None:
    doubt = CostDoubt()
    assert not any(doubt.doubts(runs=True, measured_ns=s * S, now_ns=s * S) for s in range(100))


def test_one_that_is_let_run_and_ends_no_call_is_not_let_run_for_ever() -> None:
    doubt = CostDoubt()
    doubted = []
    runs = False
    for second in range(60):
        runs = doubt.doubts(runs=runs, measured_ns=0, now_ns=second * S)
        if runs:
            doubted.append(second)
    assert doubted == [10, 11, 12, 13, 14, 15, 36, 37, 38, 39, 40, 41]

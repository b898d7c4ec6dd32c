"""Changes of the plan: alike ones together, of each subject one in five seconds, the last one always written."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from penstock.contracts.capacity import PlanChange
from penstock.contracts.times import ClockReading
from penstock.store.plan_log import QUIET_NS, RECORDS_AT_ONCE, SUBJECTS_PER_RECORD, TURN_NS, PlanLog
from penstock.store.records import PlanRecord, frame_record, parse_record

S = 1_000_000_000
CLOCK = ClockReading("monotonic", 100 * S, 1_700_000_000 * S)


def change(subject: str, before: str, after: str, at_s: float = 100, aspect: str = "rate", why: str = "") -> PlanChange:
    return PlanChange(
        round(at_s * S), subject, aspect, before, after, why or "the device is spent", "2.4 s/s of 1.8 s/s"
    )


def log() -> PlanLog:
    return PlanLog("run", CLOCK)


def told(records: list[PlanRecord]) -> list[tuple[tuple[str, ...], str, str, int]]:
    return [(record.subjects, record.change.before, record.change.after, record.left_out) for record in records]


def test_alike_changes_are_one_record_dated_in_utc() -> None:
    changes = [change(f"c{i}/m", "full 5/s", "reduced 2.5/s", at_s=107) for i in range(3)]
    (record,) = log().changed(changes, 107 * S)
    assert record == PlanRecord("run", 1_700_000_007 * S, changes[0], ("c0/m", "c1/m", "c2/m"))
    assert parse_record(frame_record(record), 0)[0] == record


def test_what_differs_in_anything_that_matters_is_apart_the_largest_group_first() -> None:
    records = log().changed(
        [
            change("a/m", "full", "reduced 2/s"),
            change("b/m", "full", "reduced 1/s"),
            change("c/m", "full", "reduced 1/s", why="the host is"),
            change("d", "full", "reduced 1/s", aspect="decode"),
            change("e/m", "full", "reduced 1/s"),
        ],
        100 * S,
    )
    assert [record.subjects for record in records] == [("b/m", "e/m"), ("a/m",), ("c/m",), ("d",)]


def test_changes_within_five_seconds_are_held_and_written_as_one() -> None:
    plans = log()
    assert told(plans.changed([change("a/m", "full", "reduced 4/s")], 100 * S)) == [
        (("a/m",), "full", "reduced 4/s", 0)
    ]
    assert plans.changed([change("a/m", "reduced 4/s", "reduced 2/s", 101)], 101 * S) == []
    assert plans.changed([change("a/m", "reduced 2/s", "reduced 1/s", 102)], 102 * S) == []
    assert told(plans.changed([change("b/m", "full", "paused", 103)], 103 * S)) == [(("b/m",), "full", "paused", 0)]
    assert plans.due(104 * S) == []
    (record,) = plans.due(105 * S)
    assert told([record]) == [(("a/m",), "reduced 4/s", "reduced 1/s", 1)]
    assert record.utc_ns == 1_700_000_002 * S, "when it changed, not when it was written"
    assert plans.due(200 * S) == []
    assert plans.left_out == 1


def test_what_went_and_came_back_meanwhile_is_only_counted() -> None:
    plans = log()
    plans.changed([change("a/m", "full", "reduced 4/s")], 100 * S)
    plans.changed([change("a/m", "reduced 4/s", "full", 101)], 101 * S)
    plans.changed([change("a/m", "full", "reduced 4/s", 102)], 102 * S)
    assert plans.due(105 * S) == []
    assert plans.left_out == 2


def test_the_end_writes_what_is_held() -> None:
    plans = log()
    plans.changed([change("a/m", "full", "reduced 4/s")], 100 * S)
    plans.changed([change("a/m", "reduced 4/s", "full", 101)], 101 * S)
    assert told(plans.rest(101 * S)) == [(("a/m",), "reduced 4/s", "full", 0)]
    assert plans.rest(101 * S) == []


def test_thousands_of_subjects_are_few_records() -> None:
    changes = [change(f"c{i}/m", "full", "paused") for i in range(2 * SUBJECTS_PER_RECORD + 1)]
    assert [len(record.subjects) for record in log().changed(changes, 100 * S)] == [1000, 1000, 1]


def test_many_different_changes_take_turns() -> None:
    plans = log()
    changes = [change(f"c{i}/m", "full", f"reduced {i}/s") for i in range(RECORDS_AT_ONCE + 10)]
    assert len(plans.changed(changes, 100 * S)) == RECORDS_AT_ONCE
    assert plans.due(100 * S + TURN_NS - 1) == [], "however often it is asked for"
    assert len(plans.due(100 * S + TURN_NS)) == 10
    assert plans.due(300 * S) == []


def test_the_end_writes_all_however_much_it_is() -> None:
    plans = log()
    count = 2 * RECORDS_AT_ONCE + 10
    assert len(plans.changed([change(f"c{i}/m", "full", f"reduced {i}/s") for i in range(count)], 100 * S)) == 64
    assert len(plans.rest(100 * S)) == count - RECORDS_AT_ONCE


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3 * S)), min_size=1, max_size=40))
def test_the_records_of_a_subject_join_up_and_end_where_it_is(steps: list[tuple[int, int, int]]) -> None:
    """Each begins where the one before it ended, none comes within 5 s of another, and no change is uncounted."""
    plans, now_ns = log(), 100 * S
    is_now = dict.fromkeys(range(4), "0")
    written: list[tuple[int, PlanRecord]] = []
    changes = 0
    for subject, after, later_ns in steps:
        now_ns += later_ns
        written += [(now_ns, record) for record in plans.due(now_ns)]
        if str(after) != is_now[subject]:
            one = change(str(subject), is_now[subject], str(after), now_ns / S)
            is_now[subject] = str(after)
            changes += 1
            written += [(now_ns, record) for record in plans.changed([one], now_ns)]
    written += [(now_ns + QUIET_NS, record) for record in plans.due(now_ns + QUIET_NS)]
    assert plans.rest(now_ns + QUIET_NS) == []
    for subject in is_now:
        own = [(at_ns, record.change) for at_ns, record in written if str(subject) in record.subjects]
        assert [c.before for _, c in own] == ["0", *(c.after for _, c in own)][: len(own)]
        assert (own[-1][1].after if own else "0") == is_now[subject]
        assert all(later - earlier >= QUIET_NS for (earlier, _), (later, _) in itertools.pairwise(own))
    assert sum(len(record.subjects) for _, record in written) + plans.left_out == changes

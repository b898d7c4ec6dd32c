"""When calls take several lanes' views: sizes that pay are found, and nobody is too late for it."""

from typing import Any

import pytest

from penstock.contracts.fates import Fate
from penstock.contracts.specs import LaneSpec
from penstock.contracts.work import OutcomeStatus
from penstock.scheduling.batching import RETRY_NS, BatchSizes

MS = 1_000_000
START_NS = 1_000_000_000_000


def sizes(took_ms: dict[int, float], most: int = 8) -> BatchSizes:
    known = BatchSizes()
    known.limit(most)
    for views, ms in took_ms.items():
        for _ in range(3):
            known.observe(views, round(ms * MS))
    return known


@pytest.mark.parametrize(
    ("took_ms", "waiting", "slack_ms", "expected"),
    [
        pytest.param({}, 8, 500, 1, id="nothing is known: single views first"),
        pytest.param({1: 10}, 8, 500, 2, id="an unknown size is tried"),
        pytest.param({1: 10}, 1, 500, 1, id="not where too few wait"),
        pytest.param({1: 10}, 8, 25, 1, id="not without slack, for it may cost more than twice as much"),
        pytest.param({1: 10, 2: 12}, 8, 500, 4, id="the next is tried where the one before pays"),
        pytest.param({1: 10, 2: 19}, 8, 500, 1, id="5 % is no gain"),
        pytest.param({1: 10, 2: 18}, 3, 500, 2, id="11 % is"),
        pytest.param({1: 10, 2: 12, 4: 15, 8: 20}, 9, 500, 8, id="the largest that pays"),
        pytest.param({1: 10, 2: 12, 4: 15, 8: 20}, 7, 500, 4, id="for as many as wait"),
        pytest.param({1: 10, 2: 12, 4: 15, 8: 20}, 9, 16, 4, id="and as the deadline allows"),
        pytest.param({1: 10, 2: 12, 4: 23, 8: 20}, 9, 500, 2, id="one that does not pay hides those above it"),
    ],
)
def test_the_size_of_a_call(took_ms: dict[int, float], waiting: int, slack_ms: int, expected: int) -> None:
    assert sizes(took_ms).choose(waiting, slack_ms * MS, 1) == expected


def test_a_size_that_does_not_pay_is_tried_again_seldom() -> None:
    known = sizes({1: 10, 2: 19})
    chosen = [known.choose(8, 500 * MS, RETRY_NS + n * RETRY_NS // 10) for n in range(21)]
    assert [n for n, size in enumerate(chosen) if size == 2] == [0, 10, 20]


def batch_box(rig: Any, lanes: list[LaneSpec], took_ms: dict[int, float], **more: Any) -> Any:
    box = rig(lanes, max_batch=4, **more)
    queue = box.executors["cpu"].models["m"]
    for views, ms in took_ms.items():
        for _ in range(3):
            queue.observe(round(ms * MS), round(ms * MS), 1, views, START_NS, probe=False)
    return box


FOUR = [LaneSpec(name, "m") for name in "abcd"]
PAYS = {1: 10.0, 2: 12.0, 4: 16.0}


def test_views_of_a_batch_start_together(rig: Any) -> None:
    box = batch_box(rig, FOUR, PAYS)
    for camera in "abcd":
        box.offer(camera, 1, 0)
    asks = box.scheduler.plan(START_NS).ask
    assert [ask.lane for ask in asks] == ["a/m", "b/m", "c/m", "d/m"]
    assert {ask.batch for ask in asks} == {asks[0].ticket}
    for ask in asks[:3]:
        assert box.scheduler.arrived(ask.ticket, 1, START_NS, START_NS + MS) is None
        assert box.scheduler.knows(ask.ticket), "it waits for the others"
    start = box.scheduler.arrived(asks[3].ticket, 1, START_NS, START_NS + 2 * MS)
    assert start.tickets == tuple(ask.ticket for ask in asks)
    assert (start.work, start.lanes) == (asks[0].ticket, ("a/m", "b/m", "c/m", "d/m"))
    assert not box.scheduler.finished(asks[1].ticket, OutcomeStatus.DONE, START_NS + 9 * MS), "not the call's number"
    assert box.finish(start.work, 18)
    assert all(box.fates(f"{camera}/m") == {"analysed": 1} for camera in "abcd")
    assert not any(box.scheduler.knows(ask.ticket) for ask in asks)


def test_who_comes_too_late_for_a_batch_waits_for_the_next(rig: Any) -> None:
    box = batch_box(rig, FOUR, PAYS)
    for camera in "abcd":
        box.offer(camera, 1, 0)
    asks = box.scheduler.plan(START_NS).ask
    for ask in asks[:2]:
        box.scheduler.arrived(ask.ticket, 1, START_NS, START_NS + MS)
    box.scheduler.refused(asks[2].ticket)
    plan = box.scheduler.plan(START_NS + 2 * MS)
    assert plan.start == ()
    assert plan.wake_at_ns == START_NS + 7 * MS, "3 ms for a view, 4 ms for those that are slower"
    plan = box.scheduler.plan(plan.wake_at_ns)
    (start,) = plan.start
    assert start.lanes == ("a/m", "b/m")
    assert not box.scheduler.knows(asks[3].ticket)
    assert box.scheduler.arrived(asks[3].ticket, 1, START_NS, START_NS + 8 * MS) is None
    assert box.fates("d/m") == {}, "its frame waits on"
    assert box.lanes["d/m"].candidate == 1
    assert box.fates("c/m") == {"superseded": 1}


def test_a_refusal_of_the_last_starts_the_others(rig: Any) -> None:
    box = batch_box(rig, FOUR[:2], PAYS)
    for camera in "ab":
        box.offer(camera, 1, 0)
    one, two = box.scheduler.plan(START_NS).ask
    box.scheduler.arrived(two.ticket, 1, START_NS, START_NS + MS)
    box.scheduler.refused(one.ticket, Fate.CANCELLED)
    (start,) = box.scheduler.plan(START_NS + MS).start
    assert (start.work, start.tickets) == (two.ticket, (two.ticket,))
    assert box.finish(two.ticket, 10)
    assert (box.fates("a/m"), box.fates("b/m")) == ({"cancelled": 1}, {"analysed": 1})


def test_a_failed_batch_counts_once_and_ends_all(rig: Any) -> None:
    box = batch_box(rig, FOUR, PAYS)
    for camera in "abcd":
        box.offer(camera, 1, 0)
    asks = box.scheduler.plan(START_NS).ask
    starts = [box.scheduler.arrived(ask.ticket, 1, START_NS, START_NS + MS) for ask in asks]
    assert box.finish(starts[-1].work, 10, OutcomeStatus.FAILED)
    assert all(box.fates(f"{camera}/m") == {"model_failed": 1} for camera in "abcd")
    for camera in "abcd":
        box.offer(camera, 2, 200)
    assert len(box.asked(200)) == 4, "one failure is tolerated"


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        pytest.param([LaneSpec("a", "m"), LaneSpec("b", "m", shadow=True)], ["a/m"], id="no shadow lane beside a real"),
        pytest.param(
            [LaneSpec("a", "m", priority=1), LaneSpec("b", "m")], ["a/m", "b/m"], id="another priority, with room"
        ),
        pytest.param(
            [LaneSpec("a", "m", priority=1, budget_ns=20 * MS), LaneSpec("b", "m")], ["a/m"], id="and without"
        ),
        pytest.param(
            [LaneSpec("a", "m"), LaneSpec("b", "m", budget_ns=11 * MS)], ["b/m"], id="nobody is made late by it"
        ),
    ],
)
def test_who_goes_together(rig: Any, lanes: list[LaneSpec], expected: list[str]) -> None:
    box = batch_box(rig, lanes, PAYS)
    for camera in "ab":
        box.offer(camera, 1, 0)
    assert [lane for _, lane in box.asked(0)] == expected


@pytest.mark.parametrize(("others_budget_ms", "expected"), [(41, ["a/m"]), (43, ["a/m", "b/m"]), (35, ["a/m", "b/m"])])
def test_a_lane_of_another_model_is_not_made_late_by_a_batch(
    rig: Any, others_budget_ms: int, expected: list[str]
) -> None:
    """Its call takes 30 ms: with 41 it is in time after a single view of 10 ms, not after two of 12; with 35 never."""
    lanes = [LaneSpec(name, "m", budget_ns=30 * MS) for name in "ab"]
    box = batch_box(rig, [*lanes, LaneSpec("c", "other", budget_ns=others_budget_ms * MS)], {1: 10.0, 2: 12.0})
    for camera in "abc":
        box.offer(camera, 1, 0)
    assert [lane for _, lane in box.asked(0)] == expected

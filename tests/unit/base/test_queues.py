"""A bounded queue: overflow is refused and counted, closing lets what is there be taken."""

import threading
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.base.queues import BoundedQueue, QueueStatistics


def test_overflow_is_refused_and_counted() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2)
    assert [queue.put_nowait(n) for n in range(4)] == [True, True, False, False]
    assert queue.statistics() == QueueStatistics(accepted=2, refused=2, length=2, bound=2)
    assert [queue.get_nowait(), queue.wait_get(0), queue.get_nowait(), queue.wait_get(0)] == [0, 1, None, None]


def test_a_closed_queue_takes_nothing_and_gives_what_it_has() -> None:
    queue: BoundedQueue[int] = BoundedQueue(2)
    queue.put_nowait(1)
    queue.close()
    assert not queue.put_nowait(2)
    assert queue.wait_get(60) == 1
    assert queue.wait_get(60) is None, "does not wait for what cannot come"


def test_closing_wakes_whoever_waits() -> None:
    queue: BoundedQueue[int] = BoundedQueue(1)
    got: list[int | None] = []
    waiting = threading.Thread(target=lambda: got.append(queue.wait_get(60)))
    waiting.start()
    queue.close()
    waiting.join(10)
    assert got == [None]


@pytest.mark.parametrize("bound", [0, -1])
def test_a_bound_is_needed(bound: int) -> None:
    with pytest.raises(ValueError, match="bound must be at least 1"):
        BoundedQueue(bound)


@given(bound=st.integers(1, 5), puts=st.lists(st.booleans(), max_size=40))
def test_it_is_a_queue_and_its_counts_add_up(bound: int, puts: list[bool]) -> None:
    queue: BoundedQueue[int] = BoundedQueue(bound)
    model: deque[int] = deque()
    offered = taken = 0
    for put in puts:
        if put:
            offered += 1
            assert queue.put_nowait(offered) == (len(model) < bound)
            if len(model) < bound:
                model.append(offered)
        else:
            expected = model.popleft() if model else None
            taken += expected is not None
            assert queue.get_nowait() == expected
        counts = queue.statistics()
        assert counts.accepted + counts.refused == offered
        assert counts.accepted - taken == counts.length == len(model)


def test_many_threads_lose_and_double_nothing() -> None:
    queue: BoundedQueue[int] = BoundedQueue(8)
    got: list[int] = []

    def put(first: int) -> None:
        for n in range(first, first + 500):
            while not queue.put_nowait(n):
                pass

    def get() -> None:
        while (item := queue.wait_get(10)) is not None:
            got.append(item)

    putters = [threading.Thread(target=put, args=(k * 500,)) for k in range(3)]
    getter = threading.Thread(target=get)
    for thread in [*putters, getter]:
        thread.start()
    for thread in putters:
        thread.join(30)
    queue.close()
    getter.join(30)
    assert sorted(got) == list(range(1500))
    for k in range(3):
        own = [n for n in got if n // 500 == k]
        assert own == sorted(own)

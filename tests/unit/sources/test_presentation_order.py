"""Times given out in any order are monotone in presentation order, and moved no more than that needs."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from penstock.sources.presentation_order import KEPT, PresentationOrder


def test_b_pictures_are_held_between_their_neighbours() -> None:
    order = PresentationOrder()
    assert order.place(0, 100) == 100
    assert order.place(120, 220) == 220  # the anchor, decoded first
    assert order.place(40, 140) == 140
    assert order.place(80, 300) == 220  # would be shown after the anchor that follows it
    assert order.place(60, 90) == 140


def test_after_a_jump_everything_is_later() -> None:
    order = PresentationOrder()
    order.place(1000, 500)
    order.start_anew()
    assert order.place(0, 400) == 500
    assert order.place(10, 510) == 510


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 1000)), max_size=KEPT))
def test_monotone_within_reach(pictures: list[tuple[int, int]]) -> None:
    order = PresentationOrder()
    given_out = [(pts, order.place(pts, time)) for pts, time in pictures]
    in_order = sorted(given_out, key=lambda one: one[0])
    for (pts, time), (next_pts, next_time) in itertools.pairwise(in_order):
        assert time <= next_time or pts == next_pts


@given(st.lists(st.integers(0, 10_000), max_size=300))
def test_bounded_and_monotone_for_ever(times: list[int]) -> None:
    order = PresentationOrder()
    given_out = [order.place(n, time) for n, time in enumerate(times)]
    assert given_out == sorted(given_out)
    assert len(order._media_ns) <= KEPT

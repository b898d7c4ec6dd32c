"""Phases of movement, asked about in the order of time."""

import random
from itertools import islice, pairwise

import pytest

from penstock.testkit.movement import Movement, alternating

S = 1_000_000_000


def test_movement_between_two_instants() -> None:
    movement = Movement(iter([(10, 20), (30, 31)]))
    asked = [(0, 9), (9, 10), (10, 15), (15, 19), (19, 25), (25, 29), (25, 30), (30, 31), (30, 40)]
    assert [movement.moved_between(*span) for span in asked] == [
        False,
        True,
        True,
        True,
        False,
        False,
        True,
        False,
        False,
    ]


def test_bursts_move_besides() -> None:
    movement = Movement(iter([(10, 20)]), bursts=[(50, 60)])
    assert [movement.moved_between(*span) for span in ((20, 49), (20, 50), (59, 70))] == [False, True, False]
    assert [movement.moves_at(at) for at in (49, 50, 59, 60)] == [False, True, True, False]


def test_what_moves_at_an_instant_just_past() -> None:
    movement = Movement(iter([(10, 20), (30, 40)]))
    movement.moved_between(0, 32)
    assert [movement.moves_at(at) for at in (9, 10, 19, 20, 29, 30, 39, 40)] == [
        False,
        True,
        True,
        False,
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_phases_take_their_share_of_the_time(share: float) -> None:
    spans = list(islice(alternating(random.Random(5), share, 10 * S), 4000))
    assert all(earlier[1] < later[0] for earlier, later in pairwise(spans))
    moving = sum(until - begin for begin, until in spans)
    assert moving / spans[-1][1] == pytest.approx(share, rel=0.1)


def test_always_and_never() -> None:
    assert list(alternating(random.Random(1), 0.0, S)) == []
    always = Movement(alternating(random.Random(1), 1.0, S))
    assert [always.moved_between(at, at + S) for at in (0, S, 1000 * S)] == [True, True, True]

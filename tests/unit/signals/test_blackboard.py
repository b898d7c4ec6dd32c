"""What is known at which instant, at the exact edges of validity, and what leaves the past."""

import bisect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.contracts.signals import Signal
from penstock.signals.blackboard import Blackboard

LANE = "front/yolox"


def said(value: float, at: int, until: int, name: str = "motion", source: str = LANE, camera: str = "front") -> Signal:
    return Signal(camera, name, value, at, until, source)


def test_known_from_capture_until_validity_ends() -> None:
    board = Blackboard("front")
    board.set(said(1, at=100, until=200))
    values = {at: board.value_at("motion", LANE, at) for at in (99, 100, 200, 201)}
    assert values == {99: None, 100: 1, 200: 1, 201: None}


def test_never_stated_is_unknown() -> None:
    assert Blackboard("front").value_at("motion", LANE, 5) is None


def test_older_statements_are_refused_and_counted() -> None:
    board = Blackboard("front")
    assert board.set(said(1, at=100, until=200))
    assert not board.set(said(2, at=99, until=300))
    assert board.set(said(3, at=100, until=150)), "as old as the newest is not older"
    assert board.value_at("motion", LANE, 120) == 3
    assert (board.statistics().stated, board.statistics().refused) == (2, 1)


def test_another_camera_is_an_error() -> None:
    with pytest.raises(ValueError, match="signal 'motion' of camera 'back' on the blackboard of 'front'"):
        Blackboard("front").set(said(1, 0, 1, camera="back"))


def test_extension_reaches_only_the_newest_picture_of_its_source() -> None:
    board = Blackboard("front")
    board.set(said(1, at=100, until=200, name="old"))
    board.set(said(2, at=150, until=250, name="new"))
    board.set(said(3, at=150, until=250, source="front/motion"))
    assert board.extend(LANE, 400)
    known = [
        board.value_at(name, source, 400) for name, source in (("old", LANE), ("new", LANE), ("motion", "front/motion"))
    ]
    assert known == [None, 2, None]


def test_extension_never_shortens_and_ends_with_the_next_statement() -> None:
    board = Blackboard("front")
    board.set(said(1, at=100, until=200))
    board.extend(LANE, 150)
    assert board.value_at("motion", LANE, 200) == 1
    board.extend(LANE, 500)
    board.set(said(2, at=300, until=350))
    assert board.value_at("motion", LANE, 351) is None


def test_extension_of_nothing_says_so() -> None:
    board = Blackboard("front")
    assert not board.extend(LANE, 100)
    assert board.statistics().extended == 0


def test_the_end_makes_everything_unknown_and_no_extension_brings_it_back() -> None:
    board = Blackboard("front", history_ns=1000)
    board.set(said(1, at=100, until=900))
    board.end(300)
    assert [board.value_at("motion", LANE, at) for at in (299, 300)] == [1, None]
    assert not board.extend(LANE, 2000)
    assert board.value_at("motion", LANE, 500) is None
    board.set(said(2, at=400, until=500))
    assert board.value_at("motion", LANE, 400) == 2
    assert board.statistics().ended == 1


def test_without_history_only_the_newest_is_kept() -> None:
    board = Blackboard("front")
    for at in range(0, 1000, 10):
        board.set(said(at, at, at + 15))
    assert board.statistics().kept == 0
    assert board.value_at("motion", LANE, 500) is None


def test_history_stays_bounded() -> None:
    board = Blackboard("front", history_ns=100)
    for at in range(0, 10_000, 10):
        board.set(said(at, at, at + 10_000))
    assert board.statistics().kept == 10
    assert board.value_at("motion", LANE, 9_895) == 9_890


@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=25),
    st.integers(0, 60),
)
def test_the_kept_past_equals_the_whole_past(steps: list[tuple[int, int, int]], history: int) -> None:
    """Against brute force: instants within `history_ns` of the newest statement are answered as if all were kept."""
    board = Blackboard("front", history)
    captures: list[int] = []
    untils: list[int] = []
    at = 0
    for value, (step, validity, extension) in enumerate(steps):
        at += step
        board.set(said(value, at, at + validity))
        captures.append(at)
        untils.append(at + validity)
        if extension:
            board.extend(LANE, at + 10 * extension)
            untils[-1] = max(untils[-1], at + 10 * extension)
        for asked in range(at - history, at + 50):
            place = bisect.bisect_right(captures, asked) - 1
            expected = None if place < 0 or asked > untils[place] else place
            assert board.value_at("motion", LANE, asked) == expected

"""Until when a name was so: what lanes that require it go by."""

import pytest

from penstock.contracts.results import Detection
from penstock.contracts.signals import Signal, SignalValue
from penstock.signals.blackboard import Blackboard
from penstock.signals.holding import Holding, NameWatch
from penstock.signals.statements import CLASSES, DETECTIONS


def boxes(*names: str, confidence: float = 0.5) -> tuple[Detection, ...]:
    return tuple(Detection((0, 0, 1, 1), confidence, 0, name) for name in names)


class Watched:
    """A watch of `person` on a blackboard with two lanes that know the class and one that states a signal."""

    def __init__(self) -> None:
        self.board = Blackboard("front")
        self.watch = NameWatch("person")
        self.watch.read(
            [
                self.board.cell(DETECTIONS, "front/a"),
                self.board.cell(DETECTIONS, "front/b"),
                self.board.cell("person", "front/c"),
                self.board.cell(CLASSES, "front/d"),
            ]
        )

    def state(self, lane: str, at_ns: int, value: SignalValue, name: str = DETECTIONS, valid_ns: int = 100) -> None:
        assert self.board.set(Signal("front", name, value, at_ns, at_ns + valid_ns, f"front/{lane}"))
        self.watch.update()


def test_never_stated_is_never_so() -> None:
    watched = Watched()
    assert watched.watch.holding() is None
    watched.state("a", 10, boxes("car"))
    assert watched.watch.holding() is None


def test_it_is_so_as_long_as_the_statement_is_valid() -> None:
    watched = Watched()
    watched.state("a", 10, boxes("car", "person"))
    assert watched.watch.holding() == Holding(10, 110)
    watched.state("a", 50, boxes("person"))
    assert watched.watch.holding() == Holding(50, 150)


def test_it_was_so_until_the_picture_that_does_not_show_it() -> None:
    watched = Watched()
    watched.state("a", 10, boxes("person"))
    watched.state("a", 60, boxes())
    assert watched.watch.holding() == Holding(10, 59)
    watched.state("a", 90, boxes("car"))
    assert watched.watch.holding() == Holding(10, 59)


def test_what_ran_out_first_was_so_until_then() -> None:
    watched = Watched()
    watched.state("a", 10, boxes("person"))
    watched.state("a", 500, boxes())
    assert watched.watch.holding() == Holding(10, 110)


def test_still_pictures_keep_it() -> None:
    watched = Watched()
    watched.state("a", 10, boxes("person"))
    assert watched.board.extend("front/a", 400)
    assert watched.watch.holding() == Holding(10, 400)
    watched.state("a", 300, boxes())
    assert watched.watch.holding() == Holding(10, 299)


def test_a_camera_that_went_away_shows_it_no_more() -> None:
    watched = Watched()
    watched.state("a", 10, boxes("person"))
    watched.board.end(40)
    watched.watch.update()
    assert watched.watch.holding() == Holding(10, 39)


def test_any_lane_will_do_and_the_latest_counts() -> None:
    watched = Watched()
    watched.state("a", 10, boxes("person"))
    watched.state("b", 20, boxes())
    assert watched.watch.holding() == Holding(10, 110)
    watched.state("b", 30, boxes("person"))
    watched.state("a", 40, boxes())
    assert watched.watch.holding() == Holding(30, 130)


@pytest.mark.parametrize(
    ("value", "so"),
    [(True, True), (False, False), (0.01, True), (0.0, False), (-1.0, False), (float("nan"), False), ("yes", False)],
)
def test_signals_are_so_when_true_or_above_zero(value: SignalValue, so: bool) -> None:
    watched = Watched()
    watched.state("c", 10, value, name="person")
    assert watched.watch.holding() == (Holding(10, 110) if so else None)


@pytest.mark.parametrize(
    ("value", "so"),
    [(boxes("person", confidence=0.1), True), (boxes("person", confidence=0.0), False), (boxes("dog"), False)],
)
def test_a_class_of_the_whole_picture_is_a_signal(value: SignalValue, so: bool) -> None:
    watched = Watched()
    watched.state("d", 10, value, name=CLASSES)
    assert watched.watch.holding() == (Holding(10, 110) if so else None)


def test_lanes_that_come_later_change_nothing_of_what_was() -> None:
    watched = Watched()
    watched.state("a", 10, boxes("person"))
    watched.watch.read([watched.board.cell(DETECTIONS, "front/a"), watched.board.cell(DETECTIONS, "front/new")])
    assert watched.watch.holding() == Holding(10, 110)
    watched.state("new", 50, boxes("person"))
    assert watched.watch.holding() == Holding(50, 150)

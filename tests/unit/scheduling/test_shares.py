"""Dividing resources among lanes: exact rates in named cases, and what must hold for any demands."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.scheduling.shares import INFINITE, Demand, divide

DEVICE, HOST = "device:cpu", "host"


def lane(
    name: str,
    wanted: float = 5.0,
    *,
    priority: int = 0,
    floor: float = 0.0,
    weight: float = 1.0,
    need: float = INFINITE,
    device: float = 0.1,
    host: float = 0.0,
    running: bool = False,
) -> Demand:
    return Demand(name, priority, wanted, floor, weight, need, ((DEVICE, device), (HOST, host)), running)


CASES: dict[str, tuple[list[Demand], dict[str, float], dict[str, float]]] = {
    "enough for all": ([lane("a"), lane("b", 2.0)], {DEVICE: 1.0}, {"a": 5.0, "b": 2.0}),
    "equal shares": ([lane("a"), lane("b")], {DEVICE: 0.5}, {"a": 2.5, "b": 2.5}),
    "what one does not want goes to the other": ([lane("a"), lane("b", 1.0)], {DEVICE: 0.5}, {"a": 4.0, "b": 1.0}),
    "equal rates, not equal times": (
        [lane("a", device=0.3), lane("b", device=0.1)],
        {DEVICE: 0.8},
        {"a": 2.0, "b": 2.0},
    ),
    "twice the weight, twice the rate": ([lane("a", weight=2.0), lane("b")], {DEVICE: 0.6}, {"a": 4.0, "b": 2.0}),
    "the higher priority first": ([lane("a"), lane("b", priority=1)], {DEVICE: 0.6}, {"a": 1.0, "b": 5.0}),
    "nothing left for the lower": ([lane("a"), lane("b", priority=1)], {DEVICE: 0.5}, {"a": 0.0, "b": 5.0}),
    "a floor above the level": ([lane("a", floor=4.0), lane("b")], {DEVICE: 0.5}, {"a": 4.0, "b": 1.0}),
    "a floor that does not fit": ([lane("a", floor=4.0), lane("b")], {DEVICE: 0.3}, {"a": 0.0, "b": 3.0}),
    "as many floors as fit, the last named out": (
        [lane("a", floor=2.0), lane("b", floor=2.0), lane("c", floor=2.0)],
        {DEVICE: 0.5},
        {"a": 2.5, "b": 2.5, "c": 0.0},
    ),
    "the lowest weight out": (
        [lane("a", floor=2.0), lane("b", floor=2.0, weight=2.0)],
        {DEVICE: 0.3},
        {"a": 0.0, "b": 3.0},
    ),
    "two small floors rather than a large one": (
        [lane("a", floor=4.0), lane("b", floor=2.0), lane("c", floor=2.0)],
        {DEVICE: 0.5},
        {"a": 0.0, "b": 2.5, "c": 2.5},
    ),
    "who runs stays": (
        [lane("a", floor=3.0), lane("b", floor=3.0, running=True)],
        {DEVICE: 0.4},
        {"a": 0.0, "b": 4.0},
    ),
    "a higher floor pauses lower ones": (
        [lane("a", floor=1.0), lane("b", 3.0, floor=3.0, priority=1)],
        {DEVICE: 0.35},
        {"a": 0.0, "b": 3.0},
    ),
    "a quiet lane has the level, and leaves its time": (
        [lane("a", need=1.0), lane("b")],
        {DEVICE: 0.5},
        {"a": 4.0, "b": 4.0},
    ),
    "each by the resource it is short of": (
        [lane("a", device=0.1, host=0.0), lane("b", device=0.0, host=0.1), lane("c", device=0.1, host=0.1)],
        {DEVICE: 0.3, HOST: 0.6},
        {"a": 1.5, "b": 4.5, "c": 1.5},
    ),
    "without a limit": ([lane("a")], {}, {"a": 5.0}),
}


@pytest.mark.parametrize(("demands", "supply", "expected"), CASES.values(), ids=CASES)
def test_rates(demands: list[Demand], supply: dict[str, float], expected: dict[str, float]) -> None:
    shares = divide(demands, supply)
    assert shares.fps == pytest.approx(expected)
    assert set(shares.limited_by) == {demand.lane for demand in demands if expected[demand.lane] < demand.wanted_fps}


def test_a_limit_names_the_resource_and_the_level() -> None:
    shares = divide([lane("a", weight=2.0, host=0.01), lane("b", floor=3.0)], {DEVICE: 0.7, HOST: 9.0})
    assert shares.limited_by == {"a": DEVICE, "b": DEVICE}
    assert shares.levels == pytest.approx({"a": 2.0, "b": 2.0})
    assert shares.left == pytest.approx({DEVICE: 0.0, HOST: 8.96})


def test_what_comes_back_needs_the_reserve_what_runs_does_not() -> None:
    out, stays = (lane("a", floor=4.0), lane("a", floor=4.0, running=True))
    assert divide([out], {DEVICE: 0.41}, {DEVICE: 0.05}).left_out == {"a"}
    assert divide([out], {DEVICE: 0.45}, {DEVICE: 0.05}).fps == pytest.approx({"a": 4.5})
    assert divide([stays], {DEVICE: 0.41}, {DEVICE: 0.05}).fps == pytest.approx({"a": 4.1})


amounts = st.floats(0.01, 10.0)
parts = st.floats(0.0, 1.0)


@st.composite
def demands(draw: st.DrawFn) -> list[Demand]:
    """Few kinds, so that there are equals."""
    kinds = [
        Demand(
            "",
            draw(st.integers(0, 2)),
            wanted := draw(amounts),
            wanted * draw(st.sampled_from([0.0, 0.0, 0.3, 1.0])),
            draw(st.sampled_from([0.5, 1.0, 3.0])),
            wanted * draw(st.sampled_from([0.0, 0.2, 1.0])),
            tuple((name, draw(amounts)) for name in draw(st.sets(st.sampled_from(["x", "y", "z"])))),
        )
        for _ in range(draw(st.integers(1, 4)))
    ]
    numbers = draw(st.lists(st.integers(0, len(kinds) - 1), min_size=1, max_size=12))
    return [msgspec.structs.replace(kinds[kind], lane=f"{place}") for place, kind in enumerate(numbers)]


supplies = st.fixed_dictionaries({"x": st.floats(0.0, 60.0), "y": st.floats(0.0, 60.0)})


def taken(demand: Demand, fps: float, resource: str) -> float:
    return min(fps, demand.need_fps) * dict(demand.costs).get(resource, 0.0)


@settings(max_examples=400, deadline=None)
@given(demands(), supplies)
def test_nothing_is_overspent_or_left_unused(of: list[Demand], supply: dict[str, float]) -> None:
    shares = divide(of, supply)
    for name, there in supply.items():
        used = sum(taken(demand, shares.fps[demand.lane], name) for demand in of)
        assert used <= there * (1 + 1e-6) + 1e-9
        assert shares.left[name] == pytest.approx(max(there - used, 0.0), abs=1e-6)
    for demand in of:
        fps = shares.fps[demand.lane]
        assert fps <= demand.wanted_fps
        assert fps == 0 or fps >= demand.floor_fps * (1 - 1e-9)
        if fps < demand.wanted_fps:
            resource = shares.limited_by[demand.lane]
            if demand.lane not in shares.left_out:
                assert shares.left[resource] <= 1e-6 * supply[resource] + 1e-9
            elif demand.floor_fps:
                # At the end of its own priority's turn there is no room for the floor, nor is there later.
                rate = min(demand.floor_fps, demand.need_fps)
                assert any(rate * cost > shares.left.get(name, INFINITE) * (1 - 1e-6) for name, cost in demand.costs)


@settings(max_examples=300, deadline=None)
@given(demands(), supplies, st.integers(0, 2))
def test_lower_priorities_change_nothing_above_them(of: list[Demand], supply: dict[str, float], priority: int) -> None:
    upper = [demand for demand in of if demand.priority >= priority]
    alone = divide(upper, supply)
    together = divide(of, supply)
    assert alone.fps == {demand.lane: together.fps[demand.lane] for demand in upper}


@settings(max_examples=300, deadline=None)
@given(demands(), supplies)
def test_no_lane_has_more_than_a_poorer_one_at_its_cost(of: list[Demand], supply: dict[str, float]) -> None:
    """Weighted max-min: whoever is short of a resource has at least the level of everybody who takes of it, unless that
    one is held up by its floor."""
    shares = divide(of, supply)
    for poor in of:
        resource = shares.limited_by.get(poor.lane)
        if resource is None or poor.lane in shares.left_out:
            continue
        level = shares.fps[poor.lane] / poor.weight
        for rich in of:
            if rich.priority != poor.priority or not dict(rich.costs).get(resource):
                continue
            fps = shares.fps[rich.lane]
            assert fps / rich.weight <= level * (1 + 1e-6) + 1e-9 or fps == pytest.approx(rich.floor_fps)


@settings(max_examples=300, deadline=None)
@given(demands(), supplies)
def test_equal_lanes_have_equal_rates(of: list[Demand], supply: dict[str, float]) -> None:
    shares = divide(of, supply)
    rates: dict[Demand, float] = {}
    for demand in of:
        if demand.lane not in shares.left_out:
            kind = msgspec.structs.replace(demand, lane="")
            assert rates.setdefault(kind, shares.fps[demand.lane]) == shares.fps[demand.lane]


@settings(max_examples=200, deadline=None)
@given(demands(), supplies, st.randoms(use_true_random=False))
def test_order_decides_only_whose_floor_is_left_out(
    of: list[Demand], supply: dict[str, float], drawn: random.Random
) -> None:
    shares = divide(of, supply)
    mixed = list(of)
    drawn.shuffle(mixed)
    other = divide(mixed, supply)
    if not shares.left_out and not other.left_out:
        assert other.fps == pytest.approx(shares.fps, rel=1e-6, abs=1e-9)
    assert len(other.left_out) == len(shares.left_out)
    assert divide(of, supply) == shares

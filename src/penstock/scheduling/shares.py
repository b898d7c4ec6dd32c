"""Divides what a host has among lanes: strict priorities, weighted max-min rates within one, several resources at once.

Progressive filling (Bertsekas and Gallager, Data Networks, 6.5.2): all rates of one priority rise together until a
lane has what it asks for or a resource that it needs is spent; those lanes stay where they are, the others rise on. So
nobody could be given more without taking from somebody who has less. What a lane takes may be less than what it is
granted: a quiet lane is granted the common level, so that it has no more than its equals on the day it gets busy, and
leaves the time it does not use to them. Pure: lanes and resources in, rates out; O(n log n) in the lanes.
"""

from collections.abc import Mapping, Sequence

import msgspec

INFINITE = float("inf")
# Floors fit up to rounding: a resource may be overspent by this part of itself.
_ROUNDING = 1e-9
# What runs already is left out only for something a good deal smaller, so that close costs do not swap places.
_RUNNING_DISCOUNT = 0.75


class Demand(msgspec.Struct, frozen=True, gc=False):
    """What one lane would like, and what one analysis of it costs."""

    lane: str
    priority: int
    """higher goes first"""
    wanted_fps: float
    floor_fps: float = 0.0
    """slower than this it is worth nothing: it gets at least so much or nothing at all; at most `wanted_fps`"""
    weight: float = 1.0
    """of two lanes of one priority, the one of weight 2 has twice the rate where both are short"""
    need_fps: float = INFINITE
    """the most it really takes, on average: granted more than this, it takes this"""
    costs: tuple[tuple[str, float], ...] = ()
    """by resource: what one analysis takes of it, in the resource's unit per analysis; each resource at most once"""
    running: bool = False
    """it has a grant now: preferred where not all floors fit"""


class Shares(msgspec.Struct, frozen=True):
    """Rates by lane, and what the resources are left with."""

    fps: dict[str, float]
    """0 for a lane that gets nothing"""
    limited_by: dict[str, str]
    """for lanes that get less than they want: the resource that was spent"""
    levels: dict[str, float]
    """for the same lanes: the common level (rate of weight 1) at which it was spent; 0 for those in `left_out`"""
    left_out: frozenset[str]
    """lanes whose floor did not fit"""
    left: dict[str, float]


def divide(
    demands: Sequence[Demand], supply: Mapping[str, float], reserve: Mapping[str, float] | None = None
) -> Shares:
    """A resource that `supply` does not name is not limited. `reserve` is kept free by floors of lanes that do not run
    yet, so that they come back only when there is room to stay.

    Within one priority, as many floors are met as fit, the smallest first: of equal ones those with the lowest weight,
    then those named last are left out.
    """
    left = dict(supply)
    shares = Shares({demand.lane: 0.0 for demand in demands}, {}, {}, frozenset(), left)
    left_out: set[str] = set()
    levels: dict[int, list[Demand]] = {}
    for demand in demands:
        levels.setdefault(demand.priority, []).append(demand)
    for priority in sorted(levels, reverse=True):
        admitted = []
        short = _floors_that_do_not_fit(levels[priority], left, reserve or {})
        for demand in levels[priority]:
            resource = short.get(demand.lane)
            if resource is None:
                admitted.append(demand)
            else:
                left_out.add(demand.lane)
                shares.limited_by[demand.lane] = resource
                shares.levels[demand.lane] = 0.0
        _fill(admitted, left, shares)
    return msgspec.structs.replace(shares, left_out=frozenset(left_out))


def _floors_that_do_not_fit(
    level: Sequence[Demand], left: Mapping[str, float], reserve: Mapping[str, float]
) -> dict[str, str]:
    """By lane: the first of its resources that is short. Nothing is taken from `left`."""
    floored = [(number, demand) for number, demand in enumerate(level) if demand.floor_fps > 0 and demand.costs]
    if not floored:
        return {}

    def order(item: tuple[int, Demand]) -> tuple[float, float, int]:
        number, demand = item
        # By what it takes when it is busy: a lane is not left out because something has begun to move there.
        largest = max(
            (demand.floor_fps * cost / max(left[name], 1e-300) for name, cost in demand.costs if name in left),
            default=0.0,
        )
        return (largest * (_RUNNING_DISCOUNT if demand.running else 1.0), -demand.weight, number)

    taken = dict.fromkeys(left, 0.0)
    short: dict[str, str] = {}
    for _, demand in sorted(floored, key=order):
        rate = min(demand.floor_fps, demand.need_fps, demand.wanted_fps)
        uses = [(name, rate * cost) for name, cost in demand.costs if name in left and cost > 0]
        for name, use in uses:
            kept = 0.0 if demand.running else reserve.get(name, 0.0)
            if use > 0 and taken[name] + use > max(left[name] - kept, 0.0) * (1 + _ROUNDING):
                short[demand.lane] = name
                break
        else:
            for name, use in uses:
                taken[name] += use
    return short


def _fill(level: Sequence[Demand], left: dict[str, float], shares: Shares) -> None:
    """Raises the common level from 0 to where every lane has all it wants or one of its resources is spent; what the
    lanes take is taken from `left`."""
    names = list(left)
    number_of = {name: number for number, name in enumerate(names)}
    room = [left[name] for name in names]
    slope = [0.0] * len(names)
    rising = [0] * len(names)
    """lanes whose use of the resource rises with the level"""
    since = [0.0] * len(names)
    spent_at = [INFINITE] * len(names)
    members: list[list[int]] = [[] for _ in names]
    costs: list[list[tuple[int, float]]] = []
    events: list[tuple[float, int, int]] = []
    """(level, 1 begins or -1 ends to take more, lane)"""
    for lane, demand in enumerate(level):
        floor_fps = min(demand.floor_fps, demand.wanted_fps)
        most_fps = min(demand.need_fps, demand.wanted_fps)
        own = [(number_of[name], cost) for name, cost in demand.costs if cost > 0 and name in number_of]
        costs.append(own)
        for number, cost in own:
            members[number].append(lane)
            room[number] -= min(floor_fps, most_fps) * cost
        if own and most_fps > floor_fps:
            events.append((floor_fps / demand.weight, 1, lane))
            events.append((most_fps / demand.weight, -1, lane))
    events.sort(key=lambda event: event[0])
    frozen_at: list[float | None] = [None] * len(level)
    frozen_by = [-1] * len(level)
    takes_more = [False] * len(level)

    def change(lane: int, now: float, sign: int) -> None:
        takes_more[lane] = sign > 0
        weight = level[lane].weight
        for number, cost in costs[lane]:
            room[number] -= slope[number] * (now - since[number])
            since[number] = now
            rising[number] += sign
            slope[number] = slope[number] + sign * weight * cost if rising[number] else 0.0
            spent_at[number] = now + max(room[number], 0.0) / slope[number] if slope[number] > 0 else INFINITE

    def freeze(number: int, now: float) -> None:
        for lane in members[number]:
            if frozen_at[lane] is None:
                frozen_at[lane] = now
                frozen_by[lane] = number
                if takes_more[lane]:
                    change(lane, now, -1)

    for now, sign, lane in events:
        while (first := min(spent_at)) <= now:
            number = spent_at.index(first)
            spent_at[number] = INFINITE
            freeze(number, first)
        if frozen_at[lane] is None:
            change(lane, now, sign)
    for lane, demand in enumerate(level):
        at = frozen_at[lane]
        rate = demand.wanted_fps
        if at is not None and at * demand.weight < demand.wanted_fps:
            rate = max(at * demand.weight, min(demand.floor_fps, demand.wanted_fps))
            if rate < demand.wanted_fps:
                shares.limited_by[demand.lane] = names[frozen_by[lane]]
                shares.levels[demand.lane] = at
        shares.fps[demand.lane] = rate
        taken = min(rate, demand.need_fps)
        for number, cost in costs[lane]:
            left[names[number]] -= taken * cost
    for name in names:
        # Rounding must not leave a debt to the lower priorities.
        left[name] = max(left[name], 0.0)

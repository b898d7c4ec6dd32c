"""What lanes of one priority share equally where they cost differently: time, not analyses.

Were rates equal, a model that becomes ten times slower would take the time of all others on its device. So a lane's
share of the rate is divided by the part of its scarcest resource that one analysis takes (dominant resource fairness:
Ghodsi and others, NSDI 2011). Costs within `ALIKE` of the cheapest count as equal, so that lanes of models that cost
about the same run equally often, whatever their measurements say today. Each priority is looked at by itself.
"""

from collections.abc import Mapping

import msgspec

from penstock.scheduling.picture import LaneDemand, Picture

ALIKE = 1.5
NS_PER_S = 1_000_000_000


def with_fair_weights(picture: Picture, supply: Mapping[str, float]) -> Picture:
    """`picture` with weights by which equal rates of progress are equal parts of time; `supply` in seconds per second
    by rate resource. Lanes whose cost is not known weigh as the cheapest."""
    costs = _dominant(picture, supply)
    cheapest: dict[tuple[bool, int], float] = {}
    for lane, cost in zip(picture.lanes, costs, strict=True):
        if cost > 0:
            level = (lane.shadow, lane.priority)
            cheapest[level] = min(cost, cheapest.get(level, cost))

    def fair(lane: LaneDemand, cost: float) -> LaneDemand:
        alike = ALIKE * cheapest.get((lane.shadow, lane.priority), cost)
        return lane if cost <= alike else msgspec.structs.replace(lane, weight=lane.weight * alike / cost)

    return msgspec.structs.replace(
        picture, lanes=tuple(fair(lane, cost) for lane, cost in zip(picture.lanes, costs, strict=True))
    )


def _dominant(picture: Picture, supply: Mapping[str, float]) -> list[float]:
    """By lane: the largest part of a resource's second that one analysis takes."""
    models = {(cost.model, cost.executor): cost for cost in picture.models}
    host_s = max(supply.get("host", 0.0), 1e-9)

    def of(lane: LaneDemand) -> float:
        cost = models.get((lane.model, lane.executor))
        if cost is None:
            return 0.0
        device_s = max(supply.get(f"device:{lane.executor}", 0.0), 1e-9)
        return max(cost.stream_ns / device_s, cost.host_ns / host_s) * lane.views / NS_PER_S

    return [of(lane) for lane in picture.lanes]

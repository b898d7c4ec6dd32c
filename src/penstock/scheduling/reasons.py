"""Says in short plain words why a plan is as it is, and shows the sums: what each resource has, who wants and takes it.

Thousands of lanes may change at once: sentences and sums are made once per resource and priority and shared.
"""

from collections.abc import Mapping

from penstock.contracts.capacity import LadderStep, LaneGrant, ResourceUse
from penstock.contracts.specs import DecodePolicy
from penstock.scheduling.allocation import DECODE, FLOOR, HOST, Allocation, LaneShare
from penstock.scheduling.picture import LaneDemand, Picture

_TERMS = 4
_LEAST_OTHERS = 0.1
"""cores that other programs take, below which they explain nothing"""


class _Term:
    """Lanes of one model and priority on one resource."""

    __slots__ = ("fps", "lanes", "seconds")

    def __init__(self) -> None:
        self.lanes = 0
        self.fps = 0.0
        self.seconds = 0.0


class Reasons:
    """Of one plan: the lanes' shares and the cameras' policies as they are held, with the costs they are held by."""

    def __init__(
        self,
        picture: Picture,
        allocation: Allocation,
        shares: Mapping[str, LaneShare],
        decode: Mapping[str, DecodePolicy],
    ) -> None:
        self._allocation = allocation
        self._others_s = picture.host.others_cores
        self._terms: dict[str, dict[tuple[bool, int, str], _Term]] = {name: {} for name in allocation.supply}
        self._wanted = dict.fromkeys(allocation.supply, 0.0)
        self._sharing: dict[tuple[str, bool, int], float] = {}
        self._sums: dict[str, str] = {}
        self._sentences: dict[tuple[object, ...], str] = {}
        ladders = allocation.ladders
        self.decoding_s = sum(ladders[camera].cost(ladders[camera].index(policy)) for camera, policy in decode.items())
        self._wanted[HOST] += sum(ladder.cost(0) for ladder in ladders.values())
        for lane in picture.lanes:
            self._add(lane, shares[lane.lane])

    def _add(self, lane: LaneDemand, share: LaneShare) -> None:
        cost = self._allocation.costs[lane.lane]
        taken_fps = min(share.fps, cost.need_fps)
        for name, each in ((cost.device, cost.device_s), (HOST, cost.host_s)):
            if name not in self._terms or not each:
                continue
            self._wanted[name] += cost.need_fps * each
            if share.fps > 0:
                key = (lane.shadow, -lane.priority, lane.model)
                term = self._terms[name].get(key)
                if term is None:
                    term = self._terms[name][key] = _Term()
                term.lanes += 1
                term.fps += taken_fps
                term.seconds += taken_fps * each
        if share.limited_by:
            key2 = (share.limited_by, lane.shadow, lane.priority)
            self._sharing[key2] = self._sharing.get(key2, 0.0) + share.fps

    def resources(self) -> tuple[ResourceUse, ...]:
        """Time first, then memory."""
        uses = [
            ResourceUse(name, "s/s", supply, self._used(name), self._wanted[name])
            for name, supply in self._allocation.supply.items()
        ]
        return (*uses, *self._allocation.memory)

    def arithmetic(self, resource: str) -> str:
        """What there is of a resource, what is wanted, and the terms that make up what is used."""
        if resource not in self._terms:
            return ""
        text = self._sums.get(resource)
        if text is None:
            text = self._sums[resource] = self._sum(resource)
        return text

    def _used(self, resource: str) -> float:
        used = sum(term.seconds for term in self._terms[resource].values())
        return used + self.decoding_s if resource == HOST else used

    def _sum(self, resource: str) -> str:
        terms = sorted(self._terms[resource].items())
        parts = [f"decoding {self.decoding_s:.2f} s/s"] if resource == HOST else []
        for _, term in terms[:_TERMS]:
            each_ms = term.seconds / term.fps * 1000 if term.fps else 0.0
            parts.append(f"{_lanes(term.lanes)} × {rate(term.fps / term.lanes)}/s × {each_ms:.1f} ms")
        if terms[_TERMS:]:
            parts.append(f"others {sum(term.seconds for _, term in terms[_TERMS:]):.2f} s/s")
        used = f"{' + '.join(parts) or 'nothing'} = {self._used(resource):.2f} s/s"
        wanted, supply = self._wanted[resource], self._allocation.supply[resource]
        others_s = self._others_s if resource == HOST else 0.0
        others = f" (other programs take {others_s:.2f})" if others_s >= _LEAST_OTHERS else ""
        return f"{resource}: wanted {wanted:.2f} s/s, there is {supply:.2f} s/s{others}; {used}"

    def of_lane(
        self, lane: LaneDemand, before: LaneGrant | None, after: LaneGrant, share: LaneShare
    ) -> tuple[str, str]:
        """Why it has `after`, and the sum."""
        refusal = self._allocation.refused.get(lane.lane)
        if refusal is not None:
            return f"{plain(refusal.resource)} is short: {refusal.what} does not fit", refusal.arithmetic
        if after.step is LadderStep.FULL:
            resource = self._before(lane, before)
            return f"{plain(resource)} has room again: all that is wanted fits", self.arithmetic(resource)
        resource = share.limited_by
        if resource == DECODE:
            return "its camera gives fewer pictures than the lane wants", self._decoded(lane)
        rises = before is not None and after.fps > before.fps
        key = (resource, lane.shadow, lane.priority, after.step, after.fps > 0, rises, lane.floor_fps)
        text = self._sentences.get(key)
        if text is None:
            text = self._sentences[key] = self._sentence(lane, after, resource, rises)
        return text, self.arithmetic(resource)

    def _sentence(self, lane: LaneDemand, after: LaneGrant, resource: str, rises: bool) -> str:
        who = "shadow lanes" if lane.shadow else f"lanes of priority {lane.priority}"
        if not after.fps and lane.floor_fps > 0:
            return f"{plain(resource)} is short: a floor of {rate(lane.floor_fps)}/s does not fit"
        if not after.fps:
            return f"{plain(resource)} is short: nothing is left for {who}"
        shared = rate(self._sharing.get((resource, lane.shadow, lane.priority), 0.0))
        return f"{plain(resource)} {'has more room' if rises else 'is short'}: {who} share {shared}/s"

    def _before(self, lane: LaneDemand, before: LaneGrant | None) -> str:
        """The time that it was short of until now."""
        by = before.limited_by if before is not None else ""
        return by if by in self._terms else self._allocation.costs[lane.lane].device

    def _decoded(self, lane: LaneDemand) -> str:
        rungs = self._allocation.ladders[lane.camera].rungs
        decoded_fps = rungs[0].decoded_fps if rungs else 0.0
        return f"{lane.camera}: wanted {rate(lane.wanted_fps)}/s, decoded {rate(decoded_fps)}/s"

    def of_camera(self, before: int, after: int, running: bool) -> tuple[str, str]:
        """Why a camera goes from one rung of its ladder to another."""
        if after < before:
            return f"{plain(HOST)} has room again", self.arithmetic(HOST)
        if running:
            return f"{plain(HOST)} is short: decoding less leaves more for analyses", self.arithmetic(HOST)
        return "none of its lanes runs: what its gate needs is enough, where that fits", self.arithmetic(HOST)


def label(grant: LaneGrant) -> str:
    """As in `reduced 2.5/s`."""
    return f"{grant.step} {rate(grant.fps)}/s" if grant.fps else str(grant.step)


def limit_of(lane: LaneDemand, share: LaneShare, step: LadderStep, *, refused: bool) -> str:
    """What a lane's grant names as its limit."""
    if step is LadderStep.FULL:
        return ""
    if not share.fps and lane.floor_fps > 0 and share.limited_by != DECODE and not refused:
        return FLOOR
    return share.limited_by


def plain(resource: str) -> str:
    kind, _, name = resource.partition(":")
    names = {
        "host": "the host's processor time",
        "device": f"device {name}",
        "device-memory": f"memory of device {name}",
    }
    return names.get(kind, resource)


def rate(fps: float) -> str:
    return f"{fps:.3g}" if fps < 1000 else f"{fps:.0f}"


def _lanes(count: int) -> str:
    return "1 lane" if count == 1 else f"{count} lanes"

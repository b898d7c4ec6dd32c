"""Computes who gets what from one picture, without memory of the one before: the plan's arithmetic.

Priorities are gone through from the highest down, and each takes what it needs of what is left before the next is
looked at, the decoding of its cameras included. So nothing that a lower priority asks for, not even a picture decoded
for it, takes an analysis from a higher one; and removing a lower one changes nothing above it. For each priority:

1. The devices alone are divided (`shares.divide`): that says how fast the lanes could run if the host had time.
2. If the host has the time, decoding as configured, that is the answer.
3. If not, `decode_choice` says how the cameras are decoded and which floors do not fit, and devices and host are
   divided together among the rest, no lane faster than its camera is decoded.
4. A camera of which no lane runs is decoded at its cheapest rung where that fits beside the floors of its priority, so
   that its gate goes on watching; a later priority may still raise it.

Shadow lanes come after all of this, priority by priority, in what is left less a reserve.
"""

from collections.abc import Mapping

import msgspec

from penstock.contracts.capacity import ResourceUse
from penstock.contracts.specs import DecodePolicy
from penstock.scheduling.decode_choice import HostLane, choose_decoding
from penstock.scheduling.decode_ladder import NS_PER_S, Ladder, ladder
from penstock.scheduling.memory_fit import Refusal, fit_memory
from penstock.scheduling.picture import CameraCost, LaneDemand, Picture
from penstock.scheduling.planner_settings import PlannerSettings
from penstock.scheduling.shares import INFINITE, Demand, divide

HOST = "host"
DECODE = "decode"
"""limits a lane whose camera gives fewer pictures than it wants"""
FLOOR = "floor"


class Standing(msgspec.Struct, frozen=True):
    """What is so now: it goes before what is not, among equals."""

    running: frozenset[str] = frozenset()
    decode: dict[str, DecodePolicy] = {}
    """by camera"""
    room_band: float = 0.0
    """part of a resource that must stay free for what comes back"""


class LaneShare(msgspec.Struct, frozen=True, gc=False):
    """What one lane gets."""

    fps: float
    limited_by: str = ""
    """the resource that was spent, or `decode`; empty where it gets all it wants"""
    level: float = INFINITE
    """rate of weight 1 at which the resource was spent"""


class LaneCost(msgspec.Struct, frozen=True, gc=False):
    """What one analysis of a lane takes, in seconds, and how many it needs on average."""

    device: str
    device_s: float
    host_s: float
    need_fps: float


class Allocation(msgspec.Struct, frozen=True):
    shares: dict[str, LaneShare]
    decode: dict[str, DecodePolicy]
    ladders: dict[str, Ladder]
    costs: dict[str, LaneCost]
    refused: dict[str, Refusal]
    """lanes whose model or camera does not fit into memory"""
    memory: tuple[ResourceUse, ...]
    supply: dict[str, float]
    """seconds per second by rate resource"""


def allocate(picture: Picture, settings: PlannerSettings, standing: Standing | None = None) -> Allocation:
    """Of equal lanes that cannot all have their floor, those in `standing` go before others, then those named first.
    A model without a known cost costs nothing; an executor without a known supply is not limited."""
    standing = standing or Standing()
    order = sorted(picture.lanes, key=lambda lane: (lane.shadow, -lane.priority))
    memory = fit_memory(picture, order, standing.running)
    work = _Work(picture, settings, standing)
    levels: dict[tuple[bool, int], list[LaneDemand]] = {}
    for lane in order:
        if lane.lane in memory.refused:
            work.shares[lane.lane] = LaneShare(0.0, memory.refused[lane.lane].resource, 0.0)
        else:
            levels.setdefault((lane.shadow, lane.priority), []).append(lane)
    watched = {lane.camera for lane in picture.lanes}
    idle = [camera.camera for camera in picture.cameras if camera.camera not in watched]
    for (shadow, _), lanes in levels.items():
        if shadow and idle:
            work.decode_idle(idle)
            idle = []
        work.level(lanes, shadow)
    work.decode_idle(idle)
    return Allocation(
        work.shares,
        {name: one.policy(work.rungs.get(name, len(one.rungs))) for name, one in work.ladders.items()},
        work.ladders,
        work.costs,
        memory.refused,
        memory.resources,
        work.supply,
    )


class _Work:
    """What is left while priorities are gone through."""

    def __init__(self, picture: Picture, settings: PlannerSettings, standing: Standing) -> None:
        self.settings = settings
        self.standing = standing
        self.supply = rate_supply(picture, settings)
        self.left = dict(self.supply)
        self.band = {name: standing.room_band * supply for name, supply in self.supply.items()}
        self.ladders = {camera.camera: ladder(camera) for camera in picture.cameras}
        for lane in picture.lanes:
            # A camera that nothing is known of costs nothing yet.
            if lane.camera not in self.ladders:
                self.ladders[lane.camera] = ladder(CameraCost(lane.camera, unit_fps=0.0))
        self.standing_rungs = {
            camera: self.ladders[camera].index(policy)
            for camera, policy in standing.decode.items()
            if camera in self.ladders
        }
        self.lowered = frozenset(camera for camera, rung in self.standing_rungs.items() if rung > 0)
        self.costs = lane_costs(picture)
        self.rungs: dict[str, int] = {}
        """rung of each camera that is decoded; its cost is taken from `left`"""
        self.shares: dict[str, LaneShare] = {}

    def level(self, lanes: list[LaneDemand], shadow: bool) -> None:
        """Lanes of one priority. Without a host's time for them as things are configured, what is decoded is chosen."""
        reserve = (
            {name: supply * self.settings.shadow_reserve for name, supply in self.supply.items()} if shadow else {}
        )
        left = {name: max(room - reserve.get(name, 0.0), 0.0) for name, room in self.left.items()}
        host_s = left.pop(HOST)
        allowed = {lane.lane: self._allowed_fps(lane, 0) for lane in lanes}
        demands = [self._demand(lane, allowed[lane.lane], with_host=False) for lane in lanes if allowed[lane.lane] > 0]
        shares = divide(demands, left, self.band)
        rungs = {lane.camera: 0 for lane in lanes if shares.fps.get(lane.lane, 0.0) > 0}
        use_s = sum(self._more_s(camera, 0) for camera in rungs)
        use_s += sum(min(fps, self.costs[lane].need_fps) * self.costs[lane].host_s for lane, fps in shares.fps.items())
        watched = [camera for camera in dict.fromkeys(lane.camera for lane in lanes) if camera not in rungs]
        use_s += sum(self._more_s(camera, len(self.ladders[camera].rungs) - 1) for camera in watched)
        returning = any(camera in self.lowered for camera in rungs) or any(
            fps > 0 and lane not in self.standing.running for lane, fps in shares.fps.items()
        )
        left_out: frozenset[str] = frozenset()
        if use_s > host_s - (self.band[HOST] if returning else 0.0):
            choice = choose_decoding(
                [self._host_lane(lane, shares.fps[lane.lane]) for lane in lanes if shares.fps.get(lane.lane, 0.0) > 0],
                watched,
                self.ladders,
                self.rungs,
                host_s,
                self.band[HOST],
                self.lowered,
            )
            rungs, left_out = choice.rungs, choice.left_out
            host_s = max(host_s - sum(self._more_s(camera, rung) for camera, rung in rungs.items()), 0.0)
            allowed = {lane.lane: self._allowed_fps(lane, rungs[lane.camera]) for lane in lanes if lane.camera in rungs}
            demands = [
                self._demand(lane, allowed[lane.lane], with_host=True)
                for lane in lanes
                if lane.camera in rungs and lane.lane not in left_out and shares.fps.get(lane.lane, 0.0) > 0
            ]
            first = shares
            shares = divide(demands, {**left, HOST: host_s}, {})
            for name, resource in first.limited_by.items():
                if not first.fps[name]:
                    shares.limited_by[name] = resource
        for camera, rung in rungs.items():
            self._pay(camera, rung)
        for lane in lanes:
            self._share(lane, shares.fps, shares.limited_by, shares.levels, left_out)
        for camera in dict.fromkeys(lane.camera for lane in lanes):
            if camera not in self.rungs:
                self._watch(camera, reserve.get(HOST, 0.0))

    def decode_idle(self, cameras: list[str]) -> None:
        """Cameras without lanes, decoded as configured as far as that fits."""
        for camera in cameras:
            for rung in range(len(self.ladders[camera].rungs)):
                if self.ladders[camera].cost(rung) <= self._room_s(camera, rung):
                    self._pay(camera, rung)
                    break

    def _share(
        self,
        lane: LaneDemand,
        fps: Mapping[str, float],
        limited_by: Mapping[str, str],
        levels: Mapping[str, float],
        left_out: frozenset[str],
    ) -> None:
        rate = fps.get(lane.lane, 0.0)
        level = levels.get(lane.lane, INFINITE)
        by = limited_by.get(lane.lane, "")
        if rate < self.settings.least_fps and rate < lane.wanted_fps:
            rate = level = 0.0
        if lane.lane in left_out:
            by = HOST
        elif not by and rate < lane.wanted_fps:
            # Its camera is the limit: by the host's time where the plan has lowered it, else by its own rate.
            by = HOST if self.rungs.get(lane.camera, 0) > 0 else DECODE
            level = rate / lane.weight
        taken = min(rate, self.costs[lane.lane].need_fps)
        cost = self.costs[lane.lane]
        for name, each in ((cost.device, cost.device_s), (HOST, cost.host_s)):
            if name in self.left:
                self.left[name] = max(self.left[name] - taken * each, 0.0)
        self.shares[lane.lane] = LaneShare(rate, by, level)

    def _allowed_fps(self, lane: LaneDemand, rung: int) -> float:
        one = self.ladders[lane.camera]
        return one.allowed_fps(rung, lane.wanted_fps, lane.floor_fps) if one.rungs else 0.0

    def _demand(self, lane: LaneDemand, allowed_fps: float, *, with_host: bool) -> Demand:
        cost = self.costs[lane.lane]
        device = (cost.device, cost.device_s)
        return Demand(
            lane.lane,
            0,
            allowed_fps,
            min(lane.floor_fps, allowed_fps),
            lane.weight,
            cost.need_fps,
            (device, (HOST, cost.host_s)) if with_host else (device,),
            lane.lane in self.standing.running,
        )

    def _host_lane(self, lane: LaneDemand, most_fps: float) -> HostLane:
        cost = self.costs[lane.lane]
        running = lane.lane in self.standing.running
        floor_fps = min(lane.floor_fps, most_fps)
        return HostLane(lane.lane, lane.camera, lane.weight, floor_fps, most_fps, cost.need_fps, cost.host_s, running)

    def _more_s(self, camera: str, rung: int) -> float:
        paid = self.rungs.get(camera)
        one = self.ladders[camera]
        return max(one.cost(rung) - (0.0 if paid is None else one.cost(paid)), 0.0)

    def _pay(self, camera: str, rung: int) -> None:
        rung = min(rung, self.rungs.get(camera, rung))
        self.left[HOST] = max(self.left[HOST] - self._more_s(camera, rung), 0.0)
        self.rungs[camera] = rung

    def _watch(self, camera: str, reserve_s: float) -> None:
        rung = len(self.ladders[camera].rungs) - 1
        if rung >= 0 and self.ladders[camera].cost(rung) <= self._room_s(camera, rung) - reserve_s:
            self._pay(camera, rung)

    def _room_s(self, camera: str, rung: int) -> float:
        return self.left[HOST] - (self.band[HOST] if self.standing_rungs.get(camera, rung) > rung else 0.0)


def rate_supply(picture: Picture, settings: PlannerSettings) -> dict[str, float]:
    """Seconds per second: `device:NAME` of each executor, and `host` less what the run takes whatever is analysed."""
    supply = {f"device:{executor.executor}": executor.streams * settings.headroom for executor in picture.executors}
    supply[HOST] = max(picture.host.cores * settings.headroom - picture.host.fixed_ns / NS_PER_S, 0.0)
    return supply


def lane_costs(picture: Picture) -> dict[str, LaneCost]:
    """By lane; a lane that looks at several views per analysis pays for each."""
    models = {(cost.model, cost.executor): cost for cost in picture.models}
    costs = {}
    for lane in picture.lanes:
        cost = models.get((lane.model, lane.executor))
        device = f"device:{lane.executor}"
        need_fps = lane.wanted_fps * min(max(lane.activity, 0.0), 1.0)
        if cost is None:
            costs[lane.lane] = LaneCost(device, 0.0, 0.0, need_fps)
        else:
            views = lane.views / NS_PER_S
            costs[lane.lane] = LaneCost(device, cost.stream_ns * views, cost.host_ns * views, need_fps)
    return costs

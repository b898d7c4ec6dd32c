"""Once a simulated second: the picture that the real planner computes from, as the engine would measure it.

What lanes and models cost comes from the scheduler's own measurements. What cameras and views cost is taken as it is in
the model, where a live engine measures it with some error: this flatters how soon and how exactly decoding is planned.
"""

from collections.abc import Mapping

import msgspec

from penstock.contracts.capacity import CapacityPlan, LaneGrant, PlanChange
from penstock.scheduling.capacity import CapacityPlanner
from penstock.scheduling.picture import CameraCost, ExecutorSupply, HostSupply, LaneDemand, ModelCost, Picture
from penstock.scheduling.planner_settings import PlannerSettings
from penstock.scheduling.scheduler import Scheduler
from penstock.testkit.host_model import NS_PER_S, HostModel
from penstock.testkit.simulated_models import SimulatedModel

_ASSUMED_NS = 30_000_000.0
"""stream time of a model of which nothing was measured yet"""


class SimulatedPlan:
    """State of one host's plan. Keeps every change, for the sake of whoever checks that there are none."""

    def __init__(self, host: HostModel, scheduler: Scheduler, settings: PlannerSettings | None = None) -> None:
        self._host = host
        self._scheduler = scheduler
        self._planner = CapacityPlanner() if settings is None else CapacityPlanner(settings)
        self.changes: list[PlanChange] = []
        self._executor_of: dict[str, str] = {}
        self._models: dict[str, SimulatedModel] = {}
        for executor in host.executors:
            for model in executor.models:
                self._executor_of[model.name] = executor.name
                self._models[model.name] = model
        self._demands: tuple[LaneDemand, ...] = ()
        self._applied = False
        self._granted_ns: dict[str, float] = {}
        """analyses granted so far, by lane: rate × time, in nanoseconds"""
        self._granted_from_ns = 0
        self._grants: tuple[LaneGrant, ...] = ()
        self._cameras = tuple(
            CameraCost(
                camera.name,
                unit_fps=camera.fps,
                keyframe_fps=camera.fps / camera.keyframe_every,
                disposable=camera.disposable,
                unit_ns=float(camera.unit_ns),
                configured=camera.decode,
                active=camera.moving,
            )
            for camera in host.cameras
        )
        self._executors = tuple(ExecutorSupply(executor.name, executor.streams) for executor in host.executors)
        self._supply = HostSupply(host.cores, fixed_ns=host.fixed * NS_PER_S)

    @property
    def plan(self) -> CapacityPlan:
        return self._planner.plan

    def set_floors(self, floors: Mapping[str, float]) -> None:
        """The slowest rates at which the rules are decidable, by lane."""
        self._demands = tuple(
            LaneDemand(
                lane.name,
                lane.camera,
                lane.model,
                self._executor_of[lane.model],
                priority=lane.priority,
                weight=lane.weight,
                wanted_fps=lane.max_fps,
                floor_fps=min(max(lane.min_fps, floors.get(lane.name, 0.0)), lane.max_fps),
                shadow=lane.shadow,
            )
            for lane in self._host.lanes
        )

    def picture(self) -> Picture:
        """What the plan would be computed from now."""
        host = self._host
        measured = self._scheduler.measurements()
        lanes = {lane.lane: lane for lane in measured.lanes}
        beside_ns = float(host.view_ns + host.control_ns)
        costs = []
        for model in measured.models:
            stream_ns = model.stream_ns if model.samples else _ASSUMED_NS
            host_ns = stream_ns * self._models[model.model].host_share + beside_ns
            costs.append(ModelCost(model.model, model.executor, stream_ns, host_ns, measured=model.samples > 0))
        demands = []
        for demand in self._demands:
            seen = lanes.get(demand.lane)
            if seen is not None and (seen.activity != demand.activity or seen.views != demand.views):
                demand = msgspec.structs.replace(demand, activity=seen.activity, views=seen.views)  # noqa: PLW2901
            demands.append(demand)
        return Picture(tuple(demands), tuple(costs), self._cameras, self._executors, self._supply)

    def update(self, now_ns: int) -> CapacityPlan | None:
        """Plans; the plan where it is another than before, else None."""
        plan = self._planner.update(self.picture(), now_ns)
        if not plan.changes and self._applied:
            return None
        self._integrate(now_ns)
        self._applied = True
        self.changes.extend(plan.changes)
        self._grants = plan.lanes
        self._scheduler.apply(plan)
        return plan

    def granted_fps(self, until_ns: int) -> dict[str, float]:
        """Mean granted rate by lane, from the start to `until_ns`, not earlier than the last update."""
        self._integrate(until_ns)
        return {lane: granted / max(1, until_ns) for lane, granted in self._granted_ns.items()}

    def _integrate(self, now_ns: int) -> None:
        passed_ns = now_ns - self._granted_from_ns
        self._granted_from_ns = now_ns
        if not self._applied:
            for lane in self._host.lanes:
                self._granted_ns[lane.name] = lane.max_fps * passed_ns
            return
        for grant in self._grants:
            self._granted_ns[grant.lane] += grant.fps * passed_ns

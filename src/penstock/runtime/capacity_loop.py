"""Once a second: what everything costs now, what there is, and so who gets what from here on.

The plan itself is `scheduling`'s; here measurements become its picture, and its grants become what the scheduler, the
rules and ingest go by. What nothing was measured of yet is taken from the last run's cost book, or assumed.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from penstock.contracts.capacity import CapacityPlan, LadderStep, LaneGrant, PlanChange
from penstock.contracts.messages import Message, SetDecode
from penstock.contracts.specs import DecodePolicy, RunSpec
from penstock.framebus.trace_writers import EngineTrace, EngineTraceOff
from penstock.runtime import wiring
from penstock.runtime.cost_doubt import CostDoubt
from penstock.runtime.host_load import HostLoad
from penstock.runtime.load_book import LoadBook
from penstock.runtime.measured_picture import NO_PICTURE, MeasuredPicture
from penstock.scheduling.capacity import CapacityPlanner
from penstock.scheduling.measurements import Measurements
from penstock.scheduling.picture import ModelCost, Picture
from penstock.scheduling.scheduler import Scheduler
from penstock.telemetry.analysis_statistics import PlanStatistics

log = logging.getLogger(__name__)

NS_PER_S = 1_000_000_000
PLAN_EVERY_NS = NS_PER_S
REPLAN_NS = NS_PER_S // 5
REPLAN_NS_PER_LANE = NS_PER_S // 1000
"""a plan takes the engine some 13 µs for each lane: planning anew at once must not take more than a part of its time"""
RECENT_CHANGES = 32
LOGGED_AT_ONCE = 5
"""changes with the same reason beyond these are told as a number"""


class Granted(Protocol):
    """Who goes by what lanes are granted, and keeps the record of it."""

    def set_granted(self, lane: str, fps: float) -> None: ...

    def plan_changed(self, changes: Iterable[PlanChange]) -> None: ...


class CapacityLoop:
    """State of the run's plan; `tick` about once a second, in the engine's loop."""

    def __init__(
        self,
        spec: RunSpec,
        scheduler: Scheduler,
        decisions: Granted,
        *,
        is_up: Callable[[str], bool],
        send_to: Callable[[str, Message], bool],
        is_lossless: Callable[[str], bool] = lambda _: False,
        planner: CapacityPlanner | None = None,
        host_load: HostLoad | None = None,
        trace: EngineTrace | None = None,
    ) -> None:
        self._trace = trace or EngineTraceOff()
        self._spec = spec
        self._scheduler = scheduler
        self._decisions = decisions
        self._picture = NO_PICTURE
        self._measuring = MeasuredPicture(spec, is_up)
        self._is_lossless = is_lossless
        self._send_to = send_to
        self._planner = planner or CapacityPlanner()
        self._host_load = host_load or HostLoad()
        self._ingest_of = {
            camera: wiring.ingest_name(number) for number, group in enumerate(spec.ingest_groups) for camera in group
        }
        self._decode: dict[str, DecodePolicy] = {camera.name: camera.decode for camera in spec.cameras}
        self._configured = dict(self._decode)
        self._told: dict[str, DecodePolicy] = {}
        self._faster: set[str] = set()
        """cameras with a lane that runs more often than ingest knows"""
        self._camera_of = {lane.name: lane.camera for lane in spec.lanes}
        self._wanted_fps_of = {lane.name: lane.max_fps for lane in spec.lanes}
        self._min_fps_of = {lane.name: lane.min_fps for lane in spec.lanes}
        self._floors: Mapping[str, float] = {}
        self._computed = 0
        self._changes: dict[str, int] = {}
        self._changed_ns = 0
        self._recent: deque[PlanChange] = deque(maxlen=RECENT_CHANGES)
        self._grants: dict[str, LaneGrant] = {}
        self._planned_ns = 0
        self._changes_seen = 0
        self._doubts: dict[str, CostDoubt] = {}

    def begin(self, first: Picture) -> None:
        """`first`: what is known before anything is measured."""
        self._picture = first
        self._measuring.cores = first.host.cores

    @property
    def loads(self) -> LoadBook:
        """What processes told of their load."""
        return self._measuring.loads

    @property
    def picture(self) -> Picture:
        """What the plan was last computed from."""
        return self._picture

    def set_floors(self, floors: Mapping[str, float]) -> None:
        """The slowest rates at which the rules are decidable, by lane.

        A lane that is asked for less than its rules need does not become all or nothing for them: they are decided as
        well as it allows, and a warning says so.
        """
        self._floors = {lane: fps for lane, fps in floors.items() if fps <= self._wanted_fps_of[lane]}
        for lane, fps in floors.items():
            if lane not in self._floors:
                camera, _, model = lane.partition("/")
                log.warning(
                    "rules look back so little that they need %.3g analyses a second, and %.3g are asked for: they are "
                    "decided on single pictures. Raise detect.fps, or let them look back longer",
                    fps,
                    self._wanted_fps_of[lane],
                    extra={"camera": camera, "model": model},
                )

    def grant(self, lane: str) -> LaneGrant:
        """What the lane has now; before the first plan, all that it asked for."""
        return self._grants.get(lane) or LaneGrant(lane, LadderStep.FULL, self._wanted_fps_of[lane])

    def floor_fps(self, lane: str) -> float:
        """Slower than this, the lane is paused."""
        return max(self._min_fps_of[lane], self._floors.get(lane, 0.0))

    def ingest_attached(self, process: str) -> None:
        """A new life of an ingest process knows only what is configured."""
        for camera, owner in self._ingest_of.items():
            if owner == process:
                self._told.pop(camera, None)
        self._tell_decode()

    def replan_due(self, now_ns: int) -> bool:
        """Whether a model became slower or quicker since the last plan: until the next, lanes go by what it was."""
        return (
            self._scheduler.cost_changes() != self._changes_seen
            and now_ns - self._planned_ns >= REPLAN_NS + len(self._wanted_fps_of) * REPLAN_NS_PER_LANE
        )

    def tick(self, own_cpu_ns: int, now_ns: int) -> CapacityPlan:
        """Measures, plans, and has it done. `own_cpu_ns`: processor time of the engine's process so far."""
        self._planned_ns = now_ns
        self._changes_seen = self._scheduler.cost_changes()
        self._host_load.update(own_cpu_ns + self.loads.cpu_ns(), now_ns)
        measured = self._scheduler.measurements()
        self._picture = self._measuring.update(
            self._picture, measured, self._host_load.others_cores, self._floor_within_wish
        )
        plan = self._planner.update(self._planned_with(measured, now_ns), now_ns)
        self._computed += 1
        if plan.changes or not self._grants:
            self._apply(plan, now_ns)
        self._tell_decode()
        return plan

    def statistics(self) -> PlanStatistics:
        plan = self._planner.plan
        return PlanStatistics(
            computed=self._computed,
            changes=dict(self._changes),
            changed_ns=self._changed_ns,
            resources=plan.resources,
            decode={camera: policy.value for camera, policy in self._decode.items()},
            recent=tuple(self._recent),
        )

    def _floor_within_wish(self, lane: str) -> float:
        return min(self.floor_fps(lane), self._wanted_fps_of[lane])

    def _planned_with(self, measured: Measurements, now_ns: int) -> Picture:
        """What is planned with: nothing is refused for a cost that was only assumed, or measured too long ago."""
        measured_ns = {model.model: model.measured_ns for model in measured.models}
        running = {lane.model for lane in self._spec.lanes if (grant := self._grants.get(lane.name)) and grant.fps}

        def model(cost: ModelCost) -> ModelCost:
            doubt = self._doubts.setdefault(cost.model, CostDoubt())
            doubted = doubt.doubts(
                runs=cost.model in running or not self._grants,
                measured_ns=measured_ns.get(cost.model, 0),
                now_ns=now_ns,
            )
            return msgspec.structs.replace(cost, stream_ns=0.0, host_ns=0.0) if doubted or not cost.measured else cost

        # What is read without loss takes the time that it needs: its rates are of media time, and nothing may be left
        # out of it. It goes as fast as the others leave room.
        return msgspec.structs.replace(
            self._picture,
            lanes=tuple(lane for lane in self._picture.lanes if not self._is_lossless(lane.camera)),
            models=tuple(model(cost) for cost in self._picture.models),
            cameras=tuple(
                camera if camera.measured else msgspec.structs.replace(camera, unit_ns=0.0)
                for camera in self._picture.cameras
                if not self._is_lossless(camera.camera)
            ),
        )

    def _apply(self, plan: CapacityPlan, now_ns: int) -> None:
        self._scheduler.apply(plan)
        for grant in plan.lanes:
            if self._grants.get(grant.lane) != grant:
                if grant.fps > self.grant(grant.lane).fps:
                    self._faster.add(self._camera_of[grant.lane])
                self._grants[grant.lane] = grant
                self._decisions.set_granted(grant.lane, grant.fps)
                self._trace.granted(grant.lane, grant.step, grant.fps, now_ns)
        for camera in plan.cameras:
            self._decode[camera.camera] = camera.decode
        if not plan.changes:
            return
        self._changed_ns = now_ns
        self._recent.extend(plan.changes[-RECENT_CHANGES:])
        for change in plan.changes:
            step = change.after.split()[0]
            self._changes[step] = self._changes.get(step, 0) + 1
        self._decisions.plan_changed(plan.changes)
        _tell(plan.changes)

    def _tell_decode(self) -> None:
        """Tells ingest what it has not been told yet; a full link is tried again at the next tick."""
        for camera, policy in self._decode.items():
            untold = self._told.get(camera, self._configured[camera]) is not policy
            if (untold or camera in self._faster) and self._send_to(self._ingest_of[camera], SetDecode(camera, policy)):
                self._told[camera] = policy
                self._faster.discard(camera)


def _tell(changes: Iterable[PlanChange]) -> None:
    """One line per reason: of a thousand lanes that share a device, one is named and the others are counted."""
    groups: dict[tuple[str, str, str], list[PlanChange]] = {}
    for change in changes:
        groups.setdefault((change.aspect, change.before, change.after), []).append(change)
    for (aspect, before, after), group in groups.items():
        named = ", ".join(change.subject for change in group[:LOGGED_AT_ONCE])
        others = len(group) - LOGGED_AT_ONCE
        log.info(
            "%s of %s%s: %s, was %s. %s (%s)",
            aspect,
            named,
            f" and {others} more" if others > 0 else "",
            after,
            before,
            group[0].why,
            group[0].arithmetic,
        )

"""Makes the specification of a run from a scenario: the same records that a configuration file comes to.

Written as records rather than as a configuration, for RVO's scenarios ask for rates that the configuration refuses as
senseless (a detector 10,000 times a second).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.base.clock import NS_PER_S, Clock
from penstock.base.ids import boot_id, host_id, new_run_id
from penstock.contracts.identity import Role
from penstock.contracts.specs import (
    CameraSpec,
    ExecutorSpec,
    GateSpec,
    LaneSpec,
    ModelSpec,
    RecordSpec,
    RuleSpec,
    RunSpec,
    StreamSpec,
)
from penstock.contracts.times import ClockReading
from penstock.harness import cue, latency_models, synthetic_source
from penstock.harness.scenario import CameraGroup, ModelLoad, Scenario, Spin
from penstock.runtime.translation import ingest_groups

RING_NS, RING_BYTES = 5 * NS_PER_S, 1 << 20
COOLDOWN_NS = NS_PER_S // 2
LONGEST_SPREAD_S = 2.0
OPEN_TIMEOUT_NS = NS_PER_S
_RECONNECT_CAP_NS = NS_PER_S // 2

Wanted = Mapping[tuple[str, str], tuple[float, int]]
"""rate and priority that each lane was to have, by camera and model"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run takes place: its data folder, the cores it may use, and how long it is measured."""

    folder: Path
    cores: int
    measured_s: float

    @property
    def cue(self) -> Path:
        return self.folder / cue.NAME


def synthetic_run(scenario: Scenario, place: Place, clock: Clock, *, faults: bool = True) -> tuple[RunSpec, Wanted]:
    """The scenario's run; without `faults`, the same load without what goes wrong in it."""
    cameras = [(name, number, group) for group in scenario.cameras for number, name in camera_names(group)]
    spread_s = min(1 / min((model.fps for model in scenario.models), default=1.0), LONGEST_SPREAD_S)
    streams = [_camera(name, number, group, place, spread_s, faults=faults) for name, number, group in cameras]
    lanes = [
        LaneSpec(
            camera=name,
            model=model.name,
            max_fps=model.fps,
            min_fps=model.min_fps,
            priority=group.priority + model.priority,
            budget_ns=model.budget_ns,
            gated=group.gated,
        )
        for name, _, group in cameras
        for model in scenario.models
    ]
    rates = {name: group.fps for name, _, group in cameras}
    rules = (RuleSpec("busy", scenario.rule, cooldown_ns=COOLDOWN_NS),) if scenario.models else ()
    spec = run_of(
        place,
        clock,
        cameras=tuple(streams),
        executors=_executors(scenario, place, faults=faults),
        lanes=tuple(lanes),
        rules=rules,
    )
    return spec, {(lane.camera, lane.model): (min(lane.max_fps, rates[lane.camera]), lane.priority) for lane in lanes}


def run_of(
    place: Place,
    clock: Clock,
    *,
    cameras: tuple[CameraSpec, ...],
    executors: tuple[ExecutorSpec, ...],
    lanes: tuple[LaneSpec, ...],
    rules: tuple[RuleSpec, ...] = (),
) -> RunSpec:
    """A run of these that serves no metrics and says only what is an error."""
    now_ns, utc_ns = clock.now_ns(), clock.utc_ns()
    return RunSpec(
        host_id=host_id(),
        boot_id=boot_id(),
        run_id=new_run_id(utc_ns),
        clock=ClockReading(clock.clock_id, now_ns, utc_ns),
        data_dir=str(place.folder / "data"),
        cameras=cameras,
        executors=executors,
        lanes=lanes,
        rules=rules,
        ingest_groups=ingest_groups(tuple(camera.name for camera in cameras), None, place.cores),
        metrics_port=-1,
        log_level="warning",
    )


def camera_names(group: CameraGroup) -> Iterator[tuple[int, str]]:
    for number in range(group.count):
        yield number, f"{group.name}{number + 1}"


def _camera(name: str, number: int, group: CameraGroup, place: Place, spread_s: float, *, faults: bool) -> CameraSpec:
    """Cameras of a group begin one after another within the time between two analyses of a lane: lanes of one rate that
    are due at the same instants would all have one analysis more, or one less, in the time that is measured."""
    from_s, until_s = (part * place.measured_s for part in group.window_s)
    up_s, down_s = group.flap_s if faults else (0.0, 0.0)
    options = {
        "fps": f"{group.fps!r}",
        "phase": f"{number / group.count * max(1.0, spread_s * group.fps)!r}",
        "motion": group.motion,
        "window": f"{from_s!r}-{until_s!r}",
        "flap": f"{up_s!r}/{down_s!r}",
        "cue": str(place.cue),
    }
    stream = StreamSpec(
        camera=name,
        url=synthetic_source.ADDRESS,
        roles=(Role.DETECT,),
        options=options,
        open_timeout_ns=OPEN_TIMEOUT_NS,
        reconnect_cap_ns=_RECONNECT_CAP_NS,
        ring_seconds_ns=RING_NS,
        ring_bytes=RING_BYTES,
    )
    return CameraSpec(
        name=name,
        streams=(stream,),
        gate=GateSpec(enabled=group.gated, quiet_interval_ns=group.quiet_interval_ns),
        record=RecordSpec(enabled=False, snapshot=False),
    )


def _executors(scenario: Scenario, place: Place, *, faults: bool) -> tuple[ExecutorSpec, ...]:
    """Models that name the same executor share its one stream, as networks on one device do."""
    shared: dict[str, list[ModelSpec]] = {}
    for model in scenario.models:
        shared.setdefault(model.executor or f"python-{model.name}", []).append(
            _model(model, place, spins=scenario.spin is Spin.MODEL, faults=faults)
        )
    return tuple(
        ExecutorSpec(name, "cpu", tuple(models), streams=1, hang_timeout_ns=scenario.hang_timeout_ns)
        for name, models in shared.items()
    )


def _model(load: ModelLoad, place: Place, *, spins: bool, faults: bool) -> ModelSpec:
    parameters: dict[str, str | float | bool] = {
        "sleep_ms": load.sleep_ms,
        "burn_ms": load.burn_ms,
        "spins": spins,
        "cue": str(place.cue),
    }
    if load.fault and faults:
        from_s, until_s = (part * place.measured_s for part in load.fault_window)
        parameters |= {f"{load.fault}_from_s": from_s, f"{load.fault}_until_s": until_s}
        if load.fault == "slower":
            parameters["slower"] = load.slower
    return ModelSpec(name=load.name, kind="python", plugin=latency_models.PLUGIN, parameters=parameters)

"""Turns what people wrote into what processes are told: the one place that knows both.

Also decides what the configuration leaves open: how many ingest processes there are, and which process runs
which model.
"""

import math

from penstock.config.schema import CameraConfig, Config, ExecutorConfig, ModelConfig
from penstock.contracts.specs import (
    CameraSpec,
    CropSpec,
    DecodePolicy,
    ExecutorSpec,
    GateSpec,
    LaneSpec,
    ModelSpec,
    RecordSpec,
    Requirement,
    RuleSpec,
    RunSpec,
    StreamSpec,
    ZoneSpec,
)
from penstock.contracts.times import ClockReading

CAMERAS_PER_INGEST = 8

_PLUGIN = "python-"


def run_spec(config: Config, *, host_id: str, boot_id: str, run_id: str, clock: ClockReading, cores: int) -> RunSpec:
    """The specification of one run; `config` has been checked and its paths are absolute.

    Cameras that are not enabled, models that no enabled camera uses and rules that watch no enabled camera are
    left out.
    """
    if config.capacity.cores is not None:
        cores = min(cores, math.ceil(config.capacity.cores))
    cameras = {name: camera for name, camera in config.cameras.items() if camera.enabled}
    used = dict.fromkeys(model for camera in cameras.values() for model in config.models_of(camera))
    models = {name: model for name in used if (model := config.model(name)) is not None}
    return RunSpec(
        host_id=host_id,
        boot_id=boot_id,
        run_id=run_id,
        clock=clock,
        data_dir=config.data_dir,
        cameras=tuple(_camera(name, camera) for name, camera in cameras.items()),
        executors=_executors(config, models, cores),
        lanes=tuple(
            _lane(config, name, model)
            for name, camera in cameras.items()
            for model in config.models_of(camera)
            if model in models
        ),
        rules=_rules(config, tuple(cameras)),
        ingest_groups=ingest_groups(tuple(cameras), config.ingest.groups, cores),
        cores=config.capacity.cores or 0.0,
        memory_budget_bytes=config.capacity.memory_budget_bytes or 0,
        database_url=config.database,
        events_file=config.events_file,
        metrics_host=config.metrics.host,
        metrics_port=config.metrics.port if config.metrics.enabled else -1,
        log_format=config.logging.format,
        log_level=config.logging.level,
        tracing_endpoint=config.tracing.endpoint,
        tracing_sample=config.tracing.sample,
        tracing_service_name=config.tracing.service_name,
    )


def ingest_groups(cameras: tuple[str, ...], groups: int | None, cores: int) -> tuple[tuple[str, ...], ...]:
    """Deals cameras out to ingest processes: one for every 8, at most one per core, unless `groups` says how many."""
    wanted = groups if groups is not None else min(math.ceil(len(cameras) / CAMERAS_PER_INGEST), max(cores, 1))
    count = max(1, min(wanted, len(cameras)))
    return tuple(cameras[first::count] for first in range(count))


def _lane(config: Config, camera: str, name: str) -> LaneSpec:
    detect = config.detect_of(config.cameras[camera], name)
    model = config.model(name)
    assert model is not None
    crops = model.crops
    return LaneSpec(
        camera=camera,
        model=name,
        max_fps=detect.fps,
        min_fps=detect.min_fps,
        priority=detect.priority,
        weight=detect.weight,
        budget_ns=detect.budget_ns,
        requires=tuple(Requirement(signal, within_ns) for signal, within_ns in model.requires.items()),
        crops=None if crops is None else CropSpec(crops.of, crops.labels, crops.limit, crops.margin),
        shadow=model.shadow,
        gated=model.kind != "motion",
    )


def _camera(name: str, camera: CameraConfig) -> CameraSpec:
    streams = tuple(
        StreamSpec(
            camera=name,
            url=stream.path,
            roles=stream.roles,
            mode=stream.mode,
            loop=stream.loop,
            trust=stream.clock,
            open_timeout_ns=stream.open_timeout_ns,
            stall_timeout_ns=stream.stall_timeout_ns,
            transport=stream.transport,
            tls_ca=stream.tls_ca,
            options=stream.options,
            ring_seconds_ns=camera.buffer.duration_ns,
            ring_bytes=camera.buffer.size_bytes,
        )
        for stream in camera.streams
    )
    return CameraSpec(
        name=name,
        streams=streams,
        zones=tuple(ZoneSpec(zone, shape.coordinates) for zone, shape in camera.zones.items()),
        gate=GateSpec(camera.motion.enabled, camera.motion.threshold, camera.motion.quiet_interval_ns),
        record=RecordSpec(
            enabled=camera.record.enabled,
            pre_capture_ns=camera.record.pre_capture_ns,
            post_capture_ns=camera.record.post_capture_ns,
            max_clip_ns=camera.record.max_clip_ns,
            snapshot=camera.snapshots.enabled,
            snapshot_quality=camera.snapshots.quality,
        ),
        decode=DecodePolicy(camera.detect.decode),
    )


def _model(name: str, model: ModelConfig) -> ModelSpec:
    return ModelSpec(
        name=name,
        kind=model.kind,
        path=model.path,
        plugin=model.plugin,
        parameters=model.parameters,
        device=model.device.lower(),
        backend=model.backend,
        head=model.head,
        class_names=model.class_names,
        labels=model.labels,
        confidence=model.confidence,
        iou=model.iou,
        max_detections=model.max_detections,
        top_k=model.top_k,
        options=model.options,
    )


def _executors(config: Config, models: dict[str, ModelConfig], cores: int) -> tuple[ExecutorSpec, ...]:
    """One per device, and one per Python class or group of them: a hang or a crash of somebody's code costs no other
    model anything, unless it is configured to share an executor.

    `motion` joins the processor's (or the first), and has its own where there is no network.
    """
    networks: dict[str, list[ModelSpec]] = {}
    plugins: dict[str, list[ModelSpec]] = {}
    builtin = [_model(name, model) for name, model in models.items() if model.kind == "motion"]
    for name, model in models.items():
        if model.kind == "python":
            plugins.setdefault(model.executor or name, []).append(_model(name, model))
        elif model.kind != "motion":
            networks.setdefault(model.device.lower(), []).append(_model(name, model))
    if builtin and networks:
        networks["cpu" if "cpu" in networks else next(iter(networks))] += builtin
    groups = [(device, device, specs) for device, specs in networks.items()]
    if builtin and not networks:
        groups.append(("motion", "cpu", builtin))
    settings = {device.lower(): setting for device, setting in config.executors.items()}
    executors = []
    for name, device, specs in groups:
        setting = settings.get(device, ExecutorConfig())
        streams = setting.streams or (max(cores, 1) if device == "cpu" else 1)
        executors.append(ExecutorSpec(name, device, tuple(specs), streams, setting.hang_timeout_ns))
    for name, shared in plugins.items():
        # A device's settings are for networks: how long a call may take is all that somebody's class has of them.
        own = config.executors.get(name)
        setting = own or settings.get(shared[0].device, ExecutorConfig())
        streams = (own.streams if own else None) or 1
        executors.append(
            ExecutorSpec(f"{_PLUGIN}{name}", shared[0].device, tuple(shared), streams, setting.hang_timeout_ns)
        )
    return tuple(executors)


def _rules(config: Config, cameras: tuple[str, ...]) -> tuple[RuleSpec, ...]:
    specs = []
    for name, rule in config.rules.items():
        watched = tuple(camera for camera in rule.cameras if camera in cameras)
        if rule.cameras and not watched:
            continue
        specs.append(
            RuleSpec(
                name=name,
                when=rule.when,
                cameras=watched,
                cooldown_ns=rule.cooldown_ns,
                severity=rule.severity,
                shadow=rule.shadow,
                unknown_limit_ns=rule.unknown_limit_ns,
            )
        )
    return tuple(specs)

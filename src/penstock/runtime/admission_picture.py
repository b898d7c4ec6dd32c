"""The picture that a plan begins from before anything was measured: the specification, what earlier runs measured, and
estimates for the rest, each marked as not measured.
"""

from collections.abc import Mapping

import msgspec

from penstock.contracts.identity import Role
from penstock.contracts.specs import CameraSpec, ExecutorSpec, LaneSpec, ModelSpec, RunSpec
from penstock.runtime.cost_book import CostBook
from penstock.runtime.host_load import usable_cores
from penstock.runtime.lossless import lossless_cameras
from penstock.runtime.memory_plan import ASSUMED_SIZE_PX, camera_memory, fixed_memory, model_memory
from penstock.scheduling.picture import CameraCost, ExecutorSupply, HostSupply, LaneDemand, ModelCost, Picture

ASSUMED_FPS = 25.0
ASSUMED_KEYFRAME_FPS = 0.5
"""a keyframe every 2 s, as most cameras are set"""
# Decoding H.264 on one core: 0.4 ms at 480×360, 1.5 at 640×360 with noise, 3.1 at 1920×1080, 7.0 at 3840×2160.
UNIT_NS = 600_000.0
UNIT_NS_PER_MEGAPIXEL = 900_000.0
# One view, messages, decisions, rules.
HOST_NS = 600_000.0
STREAM_NS = {"onnx": 20_000_000.0, "motion": 300_000.0, "python": 20_000_000.0}
"""of kinds of models that nothing was measured of; small networks take 2 to 45 ms"""
FIXED_NS = 30_000_000.0
"""processor time per second of a run that decodes and analyses nothing"""
FIXED_NS_PER_CAMERA = 5_000_000.0


def picture_of(spec: RunSpec, costs: CostBook, floors: Mapping[str, float], *, cores: float | None = None) -> Picture:
    """Everything that `spec` asks for.

    `floors` are the slowest rates at which rules are decidable, by lane; those that are not in it have none. `cores`
    is what this process may use, where the caller knows it.
    """
    executor_of = {model.name: executor.name for executor in spec.executors for model in executor.models}
    models = {model.name: (model, executor) for executor in spec.executors for model in executor.models}
    fixed_ns = costs.fixed_ns or FIXED_NS + FIXED_NS_PER_CAMERA * len(spec.cameras)
    return Picture(
        lanes=tuple(_lane(lane, executor_of[lane.model], models[lane.model], costs, floors) for lane in spec.lanes),
        models=tuple(_model(model, executor, costs) for executor in spec.executors for model in executor.models),
        cameras=tuple(
            _camera(spec, camera, costs) for camera in spec.cameras if camera.stream_with(Role.DETECT) is not None
        ),
        executors=tuple(
            ExecutorSupply(executor.name, executor.streams, executor.device) for executor in spec.executors
        ),
        host=HostSupply(
            cores=spec.cores or (usable_cores() if cores is None else cores),
            fixed_ns=fixed_ns,
            memory_bytes=spec.memory_budget_bytes,
            fixed_memory_bytes=sum(line.total_bytes for line in fixed_memory(spec))
            + sum(
                line.total_bytes
                for camera in spec.cameras
                if camera.stream_with(Role.DETECT) is None
                for line in camera_memory(spec, camera, costs)
            ),
        ),
    )


def without_lossless(picture: Picture, spec: RunSpec) -> Picture:
    """What is planned by rate: files that are read without loss take what the others leave, as in a run.

    Their memory stays, among what is fixed, and that of the models that look at them.
    """
    lossless = lossless_cameras(spec)
    loaded = {lane.model for lane in picture.lanes if lane.camera in lossless}
    fixed_bytes = picture.host.fixed_memory_bytes
    fixed_bytes += sum(camera.memory_bytes for camera in picture.cameras if camera.camera in lossless)
    fixed_bytes += sum(model.memory_bytes for model in picture.models if model.model in loaded)
    return msgspec.structs.replace(
        picture,
        lanes=tuple(lane for lane in picture.lanes if lane.camera not in lossless),
        models=tuple(
            msgspec.structs.replace(model, memory_bytes=0) if model.model in loaded else model
            for model in picture.models
        ),
        cameras=tuple(camera for camera in picture.cameras if camera.camera not in lossless),
        host=msgspec.structs.replace(picture.host, fixed_memory_bytes=fixed_bytes),
    )


def unit_ns(width_px: int, height_px: int) -> float:
    """Processor time of decoding one access unit of that size."""
    return UNIT_NS + UNIT_NS_PER_MEGAPIXEL * width_px * height_px / 1e6


def _lane(
    lane: LaneSpec,
    executor: str,
    model: tuple[ModelSpec, ExecutorSpec],
    costs: CostBook,
    floors: Mapping[str, float],
) -> LaneDemand:
    known = costs.model(*model)
    views = 1.0
    if lane.crops is not None:
        # Half of the most that it may look at, until it was seen how many there are.
        views = known.views if known is not None else max(1.0, lane.crops.limit / 2)
    return LaneDemand(
        lane=lane.name,
        camera=lane.camera,
        model=lane.model,
        executor=executor,
        priority=lane.priority,
        weight=lane.weight,
        wanted_fps=lane.max_fps,
        floor_fps=min(max(lane.min_fps, floors.get(lane.name, 0.0)), lane.max_fps),
        views=views,
        shadow=lane.shadow,
    )


def _model(model: ModelSpec, executor: ExecutorSpec, costs: CostBook) -> ModelCost:
    known = costs.model(model, executor)
    memory_bytes = sum(line.total_bytes for line in model_memory(model, executor, costs))
    if known is not None:
        return ModelCost(
            model=model.name,
            executor=executor.name,
            stream_ns=known.stream_ns,
            host_ns=known.host_ns,
            memory_bytes=memory_bytes,
            device_memory_bytes=known.device_memory_bytes,
        )
    stream_ns = STREAM_NS.get(model.kind, STREAM_NS["python"])
    own_core = executor.device == "cpu"
    return ModelCost(
        model=model.name,
        executor=executor.name,
        stream_ns=stream_ns,
        host_ns=HOST_NS + (stream_ns if own_core else 0.0),
        memory_bytes=memory_bytes,
        measured=False,
    )


def _camera(spec: RunSpec, camera: CameraSpec, costs: CostBook) -> CameraCost:
    known = costs.camera(camera)
    memory_bytes = sum(line.total_bytes for line in camera_memory(spec, camera, costs))
    size = (known.width_px, known.height_px) if known is not None and known.width_px else ASSUMED_SIZE_PX
    if known is None:
        return CameraCost(
            camera=camera.name,
            unit_fps=ASSUMED_FPS,
            keyframe_fps=ASSUMED_KEYFRAME_FPS,
            unit_ns=unit_ns(*size),
            configured=camera.decode,
            memory_bytes=memory_bytes,
            measured=False,
        )
    return CameraCost(
        camera=camera.name,
        unit_fps=known.unit_fps,
        keyframe_fps=known.keyframe_fps,
        disposable=known.disposable,
        unit_ns=known.unit_ns or unit_ns(*size),
        configured=camera.decode,
        memory_bytes=memory_bytes,
        measured=known.unit_ns > 0,
    )

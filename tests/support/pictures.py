"""Pictures for the capacity plan, in one line where they are simple, and drawn by hypothesis where they are not."""

import random
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st

from penstock.contracts.specs import DecodePolicy
from penstock.scheduling.picture import CameraCost, ExecutorSupply, HostSupply, LaneDemand, ModelCost, Picture

MS = 1_000_000.0


def lane(camera: str, model: str = "m", executor: str = "cpu", **fields: Any) -> LaneDemand:
    return LaneDemand(f"{camera}/{model}", camera, model, executor, **fields)


def picture(
    lanes: Sequence[LaneDemand],
    *,
    models: dict[str, tuple[float, float]] | None = None,
    streams: int = 1,
    cores: float = 100.0,
    cameras: Sequence[CameraCost] = (),
) -> Picture:
    """`models`: milliseconds of the device and of the host by model, `m` at 100 and 0 by default. Cameras that are not
    named cost nothing to decode."""
    named = {camera.camera for camera in cameras}
    others = [CameraCost(name) for name in dict.fromkeys(lane.camera for lane in lanes) if name not in named]
    costs = models or {"m": (100.0, 0.0)}
    return Picture(
        tuple(lanes),
        tuple(ModelCost(model, "cpu", device * MS, host * MS) for model, (device, host) in costs.items()),
        (*cameras, *others),
        (ExecutorSupply("cpu", streams),),
        HostSupply(cores),
    )


POLICIES = (DecodePolicy.ALL, *DecodePolicy)


@st.composite
def pictures(draw: st.DrawFn, most_cameras: int = 6) -> Picture:
    """A few kinds of lanes on a few kinds of cameras, so that there are equals, from idle to heavily overloaded."""
    cameras = []
    for number in range(draw(st.integers(1, most_cameras))):
        kind = draw(
            st.sampled_from(
                [
                    CameraCost("", 25.0, 1.0, 0.0, 2 * MS),
                    CameraCost("", 25.0, 0.5, 0.5, 4 * MS, active=0.3),
                    CameraCost("", 10.0, 2.0, 0.3, 0.0),
                    CameraCost("", 5.0, 0.0, 0.0, 10 * MS),
                ]
            )
        )
        policy = draw(st.sampled_from(POLICIES))
        cameras.append(msgspec.structs.replace(kind, camera=f"c{number}", configured=policy))
    lanes = []
    for camera in cameras:
        for model in sorted(draw(st.sets(st.sampled_from(["m0", "m1", "m2"]), max_size=3))):
            wanted_fps = draw(st.sampled_from([0.5, 2.0, 5.0, 10.0]))
            lanes.append(
                lane(
                    camera.camera,
                    model,
                    "gpu" if model == "m2" else "cpu",
                    priority=draw(st.integers(0, 2)),
                    weight=draw(st.sampled_from([1.0, 1.0, 2.0])),
                    wanted_fps=wanted_fps,
                    floor_fps=wanted_fps * draw(st.sampled_from([0.0, 0.0, 0.2, 0.8])),
                    activity=draw(st.sampled_from([0.0, 0.1, 1.0, 1.0])),
                    views=draw(st.sampled_from([1.0, 1.0, 2.5])),
                    shadow=draw(st.integers(0, 4)) == 0,
                )
            )
    cost_ms = st.sampled_from([0.0, 2.0, 10.0, 50.0])
    models = [
        ModelCost(name, executor, draw(cost_ms) * MS, draw(cost_ms) * MS)
        for name, executor in (("m0", "cpu"), ("m1", "cpu"), ("m2", "gpu"))
    ]
    return Picture(
        tuple(lanes),
        tuple(models),
        tuple(cameras),
        (ExecutorSupply("cpu", draw(st.integers(1, 4))), ExecutorSupply("gpu", 1)),
        HostSupply(draw(st.floats(0.05, 4.0)), fixed_ns=draw(st.sampled_from([0.0, 50 * MS]))),
    )


def noisy(of: Picture, drawn: random.Random, noise: float = 0.05) -> Picture:
    """The same, measured: every measured value is wrong by up to `noise` of itself."""

    def about(value: float) -> float:
        return value * drawn.uniform(1 - noise, 1 + noise)

    replace = msgspec.structs.replace
    return replace(
        of,
        lanes=tuple(replace(one, activity=min(about(one.activity), 1.0), views=about(one.views)) for one in of.lanes),
        models=tuple(replace(one, stream_ns=about(one.stream_ns), host_ns=about(one.host_ns)) for one in of.models),
        cameras=tuple(
            replace(
                one,
                unit_fps=about(one.unit_fps),
                keyframe_fps=about(one.keyframe_fps),
                disposable=about(one.disposable),
                unit_ns=about(one.unit_ns),
                active=min(about(one.active), 1.0),
            )
            for one in of.cameras
        ),
        host=replace(of.host, cores=about(of.host.cores), fixed_ns=about(of.host.fixed_ns)),
    )

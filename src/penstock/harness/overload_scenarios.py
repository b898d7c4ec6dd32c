"""Loads that fleets bring: too much for the device, memory over time, and everything moving at once.

What a device can do is what its one stream can do by the models' times alone: what a call costs beside the model
counts against the engine, so that at `1×` there is a little more to do than can be done.
"""

from penstock.contracts.fates import Fate
from penstock.harness.claims import (
    books_balance,
    evenly,
    high_untouched,
    plan_settled,
    rss_flat,
    within_budget,
)
from penstock.harness.measured import Measured
from penstock.harness.scenario import CameraGroup, Claim, ModelLoad, Scenario

DEVICE = "device"
COSTS_MS = {"small": 2.5, "middle": 5.0, "large": 7.5}
GROUPS = (("high", 8, 10), ("mid", 16, 5), ("low", 40, 0))
"""name, cameras and priority: at four times the load the first take half of the device, and the second the rest"""
CAMERAS = sum(count for _, count, _ in GROUPS)
CAMERA_FPS = 10.0
FULL_FPS = 1000 / (CAMERAS * sum(COSTS_MS.values()))
"""of each of the 192 lanes, so that the models' times alone fill the device's one stream"""
MEMORY_NS = 600 * 10**9


def _device_busy(found: Measured, _: Measured | None) -> tuple[str, bool]:
    exec_s = found.exec.sum_ns / 1e9 / max(found.seconds, 1e-9)
    asked = sum(lane.wanted_fps * COSTS_MS.get(lane.model, 0.0) for lane in found.lanes) / 1000
    return f"{exec_s:.2f} s/s of model time, {asked:.2f} s/s asked for", exec_s >= 0.8 * min(asked, 1.0)


USED = Claim("what there is gets used: at least 80 % of what is asked for, or of the device", _device_busy)


def _cameras64(load: float, name: str) -> Scenario:
    full = load <= 1.0
    return Scenario(
        name=f"cameras64_models3_load{name}",
        group="overload",
        about=f"64 cameras × 3 models on one device in three priorities, at {load:g} times what it can do",
        cameras=tuple(CameraGroup(count, CAMERA_FPS, group, priority) for group, count, priority in GROUPS),
        models=tuple(
            ModelLoad(model, fps=load * FULL_FPS, sleep_ms=cost_ms, executor=DEVICE)
            for model, cost_ms in COSTS_MS.items()
        ),
        claims=(within_budget, evenly, high_untouched, USED, books_balance, *(() if full else (plan_settled,))),
        detector_sleep_ms=max(COSTS_MS.values()),
        load=load,
    )


def _moved_at_once(found: Measured, _: Measured | None) -> tuple[str, bool]:
    gated, analysed = found.fate(Fate.GATED), found.fate(Fate.ANALYSED)
    return f"{analysed} analysed, {gated} frames cost no inference", gated > 0 and analysed > 0


_LOADS = {"05": 0.5, "1": 1.0, "2": 2.0, "4": 4.0}
FLEETS = tuple(_cameras64(load, name) for name, load in _LOADS.items())

MOTION_BURST = Scenario(
    name="motion_burst",
    group="overload",
    about="16 still cameras begin to move at once, for a third of the measurement, asking for 1.6 times the device",
    cameras=(CameraGroup(16, 10.0, motion="window", window_s=(0.33, 0.67), gated=True, quiet_interval_ns=2 * 10**9),),
    models=(ModelLoad("detector", fps=5.0, sleep_ms=20.0, executor=DEVICE),),
    claims=(within_budget, books_balance, Claim("still cameras cost nothing, moving ones are seen", _moved_at_once)),
    detector_sleep_ms=20.0,
)

MEMORY_FLAT = Scenario(
    name="memory_flat",
    group="long",
    about="64 cameras × 3 models at four times the load for 10 minutes: memory must not grow",
    cameras=FLEETS[-1].cameras,
    models=FLEETS[-1].models,
    claims=(rss_flat, within_budget, evenly, high_untouched, plan_settled, books_balance),
    detector_sleep_ms=FLEETS[-1].detector_sleep_ms,
    load=4.0,
    for_ns=MEMORY_NS,
)

OVERLOAD = (*FLEETS, MOTION_BURST)
LONG = (MEMORY_FLAT,)

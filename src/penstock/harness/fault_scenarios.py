"""One model or camera misbehaves, and what is claimed is about all the others.

Each runs twice in one breath: without the fault and with it, on the same machine under the same neighbours. Eight
cameras, three fast models on one device, and the one that misbehaves: on the same device where it is only slow or
raises, on one of its own where it hangs, for a device that hangs is no longer anybody's.
"""

from dataclasses import replace

from penstock.contracts.fates import Fate
from penstock.harness.claims import books_balance, fails_as_planned, others_lose_nothing
from penstock.harness.measured import Measured
from penstock.harness.overload_scenarios import DEVICE
from penstock.harness.scenario import CameraGroup, Claim, ModelLoad, Scenario

_CAMERAS = (CameraGroup(8, 10.0),)
_FAST = tuple(ModelLoad(f"fast{number}", fps=5.0, sleep_ms=2.0, executor=DEVICE) for number in (1, 2, 3))
SLOW = "slow"
FLAPPING = "flap"


def _slow_was_slow(found: Measured, _: Measured | None) -> tuple[str, bool]:
    compute = found.compute.get(SLOW)
    if compute is None or not compute.count:
        return "the slow model never ran", False
    p50, p99 = compute.percentile_ns(50) / 1e6, compute.percentile_ns(99) / 1e6
    return f"its calls take {p50:.1f} ms at p50 and {p99:.1f} ms at p99", p99 >= 40.0


def _came_back(found: Measured, _: Measured | None) -> tuple[str, bool]:
    flapping = [camera for camera in found.cameras if camera.camera.startswith(FLAPPING)]
    sessions = sum(camera.sessions for camera in flapping)
    return f"{sum(c.stalls for c in flapping)} stalls, {sessions} new sessions", sessions > 0


SLOW_SEEN = Claim("the fault is seen: calls of the slow model take at least 40 ms at p99", _slow_was_slow)


def _with_others(scenario: Scenario) -> Scenario:
    return replace(scenario, claims=(others_lose_nothing(scenario), *scenario.claims, books_balance), compared=True)


SLOW_AMONG_FAST = _with_others(
    Scenario(
        name="slow_among_fast",
        group="faults",
        about="a model of 50 ms on the device of three models of 2 ms; without it, one of 2 ms in its place",
        cameras=_CAMERAS,
        models=(
            *_FAST,
            ModelLoad(SLOW, 1.0, sleep_ms=2.0, executor=DEVICE, fault="slower", slower=25.0, fault_window=(0.0, 2.0)),
        ),
        claims=(SLOW_SEEN,),
        detector_sleep_ms=50.0,
        faulty=(SLOW,),
    )
)

TEN_TIMES_SLOWER = _with_others(
    Scenario(
        name="ten_times_slower",
        group="faults",
        about="a model of 5 ms takes 50 ms for a quarter of the measurement, and recovers",
        cameras=_CAMERAS,
        models=(*_FAST, ModelLoad(SLOW, 5.0, sleep_ms=5.0, executor=DEVICE, fault="slower", slower=10.0)),
        claims=(SLOW_SEEN,),
        detector_sleep_ms=50.0,
        faulty=(SLOW,),
    )
)

RAISING_MODEL = _with_others(
    Scenario(
        name="raising_model",
        group="faults",
        about="a model raises on every call for half of the measurement, and recovers",
        cameras=_CAMERAS,
        models=(
            *_FAST,
            ModelLoad("bad", 5.0, sleep_ms=2.0, executor=DEVICE, fault="raises", fault_window=(0.25, 0.75)),
        ),
        claims=(fails_as_planned(Fate.MODEL_FAILED),),
        detector_sleep_ms=2.0,
        faulty=("bad",),
    )
)

STUCK_BACKEND = _with_others(
    Scenario(
        name="stuck_backend",
        group="faults",
        about="a backend hangs for ever in every call for half of the measurement; it is killed and replaced",
        cameras=_CAMERAS,
        models=(*_FAST, ModelLoad("stuck", 5.0, sleep_ms=2.0, fault="hangs", fault_window=(0.25, 0.75))),
        claims=(fails_as_planned(Fate.MODEL_FAILED),),
        detector_sleep_ms=2.0,
        faulty=("stuck",),
    )
)

FLAPPING_CAMERA = _with_others(
    Scenario(
        name="flapping_camera",
        group="faults",
        about="one camera of eight is away for 1 s after every 2 s",
        cameras=(CameraGroup(7, 10.0), CameraGroup(1, 10.0, FLAPPING, flap_s=(2.0, 1.0))),
        models=_FAST,
        claims=(Claim("the fault is seen: the camera stalls and comes back", _came_back),),
        detector_sleep_ms=2.0,
        faulty=(FLAPPING,),
    )
)

FAULTS = (SLOW_AMONG_FAST, TEN_TIMES_SLOWER, RAISING_MODEL, STUCK_BACKEND, FLAPPING_CAMERA)

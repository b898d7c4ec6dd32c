"""Whether the run is alive, ready and sees its cameras: a pure function of the newest statistics.

`alive` is for whoever restarts a hung program, `ready` for whoever waits for one to begin. A camera that is away
makes the run `degraded`, never `down`: restarting Penstock does not mend a cable.
"""

from collections.abc import Iterable
from typing import Any

from penstock.base.clock import NS_PER_S
from penstock.contracts.messages import CameraState
from penstock.telemetry.joined_statistics import all_cameras, all_models
from penstock.telemetry.statistics import CameraStatistics, ProcessStatistics

SILENT_AFTER_NS = 10 * NS_PER_S
"""statistics come twice a second; a process without any for this long hangs or has died"""
OK, UNAVAILABLE = 200, 503


def health(processes: Iterable[ProcessStatistics], now_ns: int) -> tuple[dict[str, Any], int]:
    """The answer to `/health` and its HTTP status: 503 where the run is not alive or not ready."""
    processes = list(processes)
    reasons: list[str] = []
    silent = _silent(processes, now_ns)
    reasons += [f"{name} has not been heard of for {age_ns // NS_PER_S} s" for name, age_ns in silent]
    starting = _not_running(processes)
    reasons += [f"{name} is {state}" for name, state in starting]
    unready = [model for model in all_models(processes) if model.state != "ready"]
    reasons += [f"model {model.model} is {model.state}{_because(model.fault)}" for model in unready]
    cameras = [_camera(camera, now_ns) for camera in all_cameras(processes)]
    alive = bool(processes) and not silent
    ready = alive and not starting and not any(model.state == "loading" for model in unready) and bool(cameras)
    if not cameras:
        reasons.append("no camera has reported yet")
    away = [camera for camera in cameras if not camera["ok"]]
    reasons += [f"camera {camera['camera']} is {camera['state']}{_because(camera['fault'])}" for camera in away]
    status = "down" if not ready else "degraded" if away or unready else "ok"
    answer = {"status": status, "alive": alive, "ready": ready, "reasons": reasons, "cameras": cameras}
    return answer, OK if ready else UNAVAILABLE


def _silent(processes: list[ProcessStatistics], now_ns: int) -> list[tuple[str, int]]:
    ages = [(process.process, now_ns - process.published_ns) for process in processes]
    return [(name, age_ns) for name, age_ns in ages if age_ns > SILENT_AFTER_NS]


def _not_running(processes: list[ProcessStatistics]) -> list[tuple[str, str]]:
    children = [child for process in processes for child in process.children]
    return [(child.process, child.state) for child in children if child.state != "running"]


def _camera(camera: CameraStatistics, now_ns: int) -> dict[str, Any]:
    age_ns = now_ns - camera.last_frame_ns if camera.last_frame_ns else None
    fresh = age_ns is not None and age_ns <= SILENT_AFTER_NS
    return {
        "camera": camera.camera,
        "role": camera.role,
        "ok": camera.state is CameraState.ENDED
        or (camera.state is CameraState.UP and not camera.fault and (fresh or not camera.frames)),
        "state": camera.state.value,
        "fps": round(camera.fps, 2),
        "last_frame_age_s": None if age_ns is None else round(max(age_ns, 0) / NS_PER_S, 3),
        "fault": camera.fault,
    }


def _because(fault: str) -> str:
    return f" ({fault})" if fault else ""

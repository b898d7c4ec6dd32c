"""What several processes know, put together: one record for each model and executor, cameras in one order."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from penstock.telemetry.analysis_statistics import ExecutorStatistics, ModelStatistics
from penstock.telemetry.statistics import CameraStatistics, ProcessStatistics

_Part = TypeVar("_Part", ModelStatistics, ExecutorStatistics)


def whole(parts: Iterable[_Part]) -> list[_Part]:
    """One record for each model and executor, from what several processes know of it.

    Of each field the first value counts that says something: neither empty nor the field's default.
    """
    found: dict[tuple[str, str], _Part] = {}
    for part in parts:
        key = (part.executor, part.model if isinstance(part, ModelStatistics) else "")
        found[key] = _joined(found[key], part) if key in found else part
    return list(found.values())


def _joined(first: _Part, second: _Part) -> _Part:
    values = {}
    blank = type(first)("")
    for name in first.__struct_fields__:
        one, other = getattr(first, name), getattr(second, name)
        says_nothing = one == "" or (one == getattr(blank, name) and other != "")
        values[name] = other if says_nothing else one
    states = {part.state for part in (first, second) if isinstance(part, ModelStatistics)}
    if states == {"ready", "suspended"}:
        values["state"] = "suspended"  # it is loaded, says the executor; it fails again and again, says the engine
    return msgspec.structs.replace(first, **values)


def all_models(processes: Iterable[ProcessStatistics]) -> list[ModelStatistics]:
    """Every model of the run, once for each executor that has it."""
    return whole(model for process in processes for model in process.models)


def all_executors(processes: Iterable[ProcessStatistics]) -> list[ExecutorStatistics]:
    """Every executor of the run, once."""
    return whole(executor for process in processes for executor in process.executors)


def all_cameras(processes: Iterable[ProcessStatistics]) -> list[CameraStatistics]:
    """Every stream of every camera, in the order of the configuration: that of the lanes. Cameras without a lane come
    after these, by name. Ingest processes each have every n-th camera, so theirs is nobody's order."""
    processes = list(processes)
    lanes = dict.fromkeys(lane.camera for process in processes for lane in process.lanes)
    places = {camera: place for place, camera in enumerate(lanes)}
    cameras = [camera for process in processes for camera in process.cameras]
    return sorted(cameras, key=lambda one: (places.get(one.camera, len(places)), one.camera))

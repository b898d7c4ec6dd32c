"""Which models and cameras fit into memory, and which lanes cannot run because theirs do not.

Memory is taken once per model and executor and once per camera, whatever the rates are. It is given in the order of
priorities, shadow lanes last; within one to what runs already, then as named. A smaller thing may still fit after a
larger one did not: that takes nothing from the larger one.
"""

from collections.abc import Sequence

import msgspec

from penstock.base.units import format_size
from penstock.contracts.capacity import ResourceUse
from penstock.scheduling.picture import LaneDemand, ModelCost, Picture


class Refusal(msgspec.Struct, frozen=True):
    """A model or a camera that does not fit."""

    resource: str
    what: str
    """`model NAME` or `camera NAME`"""
    arithmetic: str


class MemoryFit(msgspec.Struct, frozen=True):
    refused: dict[str, Refusal]
    """by lane"""
    resources: tuple[ResourceUse, ...]
    """those that are limited"""


class _Memory:
    def __init__(self, resource: str, limit_bytes: float, used_bytes: float) -> None:
        self.resource = resource
        self.limit_bytes = limit_bytes
        self.used_bytes = used_bytes
        self.wanted_bytes = used_bytes

    def refuse(self, what: str, size_bytes: float) -> Refusal | None:
        if self.limit_bytes <= 0 or size_bytes <= 0 or self.used_bytes + size_bytes <= self.limit_bytes:
            return None
        return Refusal(
            self.resource,
            what,
            f"{self.resource}: {what} needs {format_size(size_bytes)}, "
            f"{format_size(max(self.limit_bytes - self.used_bytes, 0))} of {format_size(self.limit_bytes)} are free",
        )

    def use(self) -> ResourceUse:
        return ResourceUse(self.resource, "bytes", self.limit_bytes, self.used_bytes, self.wanted_bytes)


def fit_memory(picture: Picture, order: Sequence[LaneDemand], running: frozenset[str]) -> MemoryFit:
    """`order`: lanes by priority, highest first, shadow last. A limit of 0 is none."""
    host = _Memory("memory", picture.host.memory_bytes, picture.host.fixed_memory_bytes)
    devices = {
        executor.executor: _Memory(f"device-memory:{executor.executor}", executor.device_memory_bytes, 0)
        for executor in picture.executors
    }
    models = {(cost.model, cost.executor): cost for cost in picture.models}
    cameras = {cost.camera: cost.memory_bytes for cost in picture.cameras}
    refused: dict[str, Refusal] = {}
    of_models: dict[tuple[str, str], Refusal | None] = {}
    of_cameras: dict[str, Refusal | None] = {}
    limited = host.limit_bytes > 0 or any(device.limit_bytes > 0 for device in devices.values())
    for lane in sorted(order, key=lambda one: (one.shadow, -one.priority, one.lane not in running)) if limited else ():
        if lane.camera not in of_cameras:
            of_cameras[lane.camera] = _admit(host, None, f"camera {lane.camera}", cameras.get(lane.camera, 0), 0)
        key = (lane.model, lane.executor)
        refusal = of_cameras[lane.camera]
        if refusal is None and key not in of_models:
            cost = models.get(key, ModelCost(*key, stream_ns=0.0))
            of_models[key] = _admit(
                host, devices.get(lane.executor), f"model {lane.model}", cost.memory_bytes, cost.device_memory_bytes
            )
        refusal = refusal or of_models[key]
        if refusal is not None:
            refused[lane.lane] = refusal
    return MemoryFit(refused, tuple(memory.use() for memory in (host, *devices.values()) if memory.limit_bytes > 0))


def _admit(host: _Memory, device: _Memory | None, what: str, size_bytes: int, device_bytes: int) -> Refusal | None:
    host.wanted_bytes += size_bytes
    refusal = host.refuse(what, size_bytes)
    if device is not None:
        device.wanted_bytes += device_bytes
        refusal = refusal or device.refuse(what, device_bytes)
    if refusal is None:
        host.used_bytes += size_bytes
        if device is not None:
            device.used_bytes += device_bytes
    return refusal

"""What the capacity plan is computed from: who wants what, what it costs, and what there is. Plain records.

Rates are per second; costs are mean nanoseconds, measured where something was measured, else estimated (`measured`).
"""

import msgspec

from penstock.contracts.specs import DecodePolicy


class LaneDemand(msgspec.Struct, frozen=True, gc=False):
    """One lane's wish."""

    lane: str
    camera: str
    model: str
    executor: str
    priority: int = 0
    weight: float = 1.0
    wanted_fps: float = 5.0
    floor_fps: float = 0.0
    """the larger of `min_fps` and the slowest rate at which the lane's rules are decidable; at most `wanted_fps`"""
    activity: float = 1.0
    """part of the frames that are due which really need the model (0–1): the others are gated, or their requirement is
    not there"""
    views: float = 1.0
    """mean number of views per analysis: boxes per frame for a lane that looks at crops"""
    shadow: bool = False


class ModelCost(msgspec.Struct, frozen=True, gc=False):
    """What one view costs a model on its executor."""

    model: str
    executor: str
    stream_ns: float
    """one stream of the executor is taken for so long, at the load there is: measured from start to outcome"""
    host_ns: float = 0.0
    """processor time of this host for it, its view and its control work included"""
    memory_bytes: int = 0
    device_memory_bytes: int = 0
    measured: bool = True


class CameraCost(msgspec.Struct, frozen=True, gc=False):
    """What decoding one camera costs."""

    camera: str
    unit_fps: float = 25.0
    """access units per second of its detect stream"""
    keyframe_fps: float = 1.0
    disposable: float = 0.0
    """part of its units that no other refers to"""
    unit_ns: float = 0.0
    """processor time per decoded unit, reading and gating included"""
    keyframe_ns: float = 0.0
    """processor time of a keyframe; 0 where only the mean of all units is known, of which it takes several"""
    configured: DecodePolicy = DecodePolicy.ALL
    active: float = 1.0
    """part of the time in which something moves: for the policy `auto`"""
    memory_bytes: int = 0
    measured: bool = True


class ExecutorSupply(msgspec.Struct, frozen=True, gc=False):
    """One executor: so many calls run side by side."""

    executor: str
    streams: int
    device: str = "cpu"
    device_memory_bytes: int = 0
    """0 where it is not limited or not known"""


class HostSupply(msgspec.Struct, frozen=True, gc=False):
    """What this host has for the run."""

    cores: float
    """that it may use, less what other programs take"""
    others_cores: float = 0.0
    """what they take: said with the sum, for those who look for the reason"""
    fixed_ns: float = 0.0
    """processor time per second that the run takes whatever is analysed"""
    memory_bytes: int = 0
    """0 means no limit"""
    fixed_memory_bytes: int = 0


class Picture(msgspec.Struct, frozen=True):
    """All of it, at one instant."""

    lanes: tuple[LaneDemand, ...]
    models: tuple[ModelCost, ...]
    cameras: tuple[CameraCost, ...]
    executors: tuple[ExecutorSupply, ...]
    host: HostSupply

"""What a scenario is: a load, what is claimed of it, and how the claim is checked.

A scenario is one record, so that what runs, what is printed by `--list` and what is validated cannot drift apart. Its
load is synthetic cameras and models that take time, unless its `kind` says otherwise.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

from penstock.base.clock import NS_PER_S
from penstock.harness.measured import Measured


class Kind(enum.StrEnum):
    SYNTHETIC = "synthetic"
    """drawn grey pictures, and models that only take time"""
    NETWORK = "network"
    """a real ONNX model on a video played in its own time, loaded by how fast this machine runs it"""
    STEPS = "steps"
    """real RTSP cameras, step by step more of them"""


class Spin(enum.StrEnum):
    """Where a Python thread spins beside the load."""

    NOWHERE = ""
    MODEL = "model"
    """in the process of every model"""
    HARNESS = "harness"
    """in the process that supervises the run"""


@dataclass(frozen=True, slots=True)
class CameraGroup:
    """Synthetic cameras that are alike. See `harness.synthetic_source` for `motion`, `window_s` and `flap_s`."""

    count: int = 1
    fps: float = 30.0
    name: str = "cam"
    priority: int = 0
    motion: str = "always"
    window_s: tuple[float, float] = (0.0, 0.0)
    """as parts of the measurement: 0.25 is after a quarter of it"""
    flap_s: tuple[float, float] = (0.0, 0.0)
    gated: bool = False
    quiet_interval_ns: int = 5 * NS_PER_S


@dataclass(frozen=True, slots=True)
class ModelLoad:
    """A model that only takes time, and how often each camera wants it. See `harness.latency_models`."""

    name: str
    fps: float
    sleep_ms: float = 0.0
    burn_ms: float = 0.0
    executor: str = ""
    """models that name the same one share its device; empty gives the model one of its own, as a Python class has"""
    fault: str = ""
    """`slower`, `raises` or `hangs`, within `fault_window`; empty for none"""
    slower: float = 1.0
    fault_window: tuple[float, float] = (0.25, 0.5)
    """as parts of the measurement"""
    min_fps: float = 0.0
    budget_ns: int = 500_000_000
    priority: int = 0
    """added to the camera's"""

    @property
    def cost_ms(self) -> float:
        return self.sleep_ms + self.burn_ms


Check = Callable[[Measured, "Measured | None"], tuple[str, bool]]
"""What was measured of the claim, in words with numbers, and whether the claim holds; the second run is that without
the fault, where the scenario has one."""


@dataclass(frozen=True, slots=True)
class Claim:
    text: str
    check: Check


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    group: str
    """`rvo`, `spinning`, `overload`, `faults`, `network`, `curve` or `long`; a group's name runs all of it"""
    about: str
    """one sentence: what it does and what it is to show"""
    cameras: tuple[CameraGroup, ...] = ()
    models: tuple[ModelLoad, ...] = ()
    claims: tuple[Claim, ...] = ()
    kind: Kind = Kind.SYNTHETIC
    spin: Spin = Spin.NOWHERE
    load: float = 1.0
    """`network`: what is asked for, as a multiple of what the machine can do"""
    detector_sleep_ms: float = 0.0
    """of the slowest model, as the column of that name has it"""
    for_ns: int = 0
    """its own duration, where it is not the one that was asked for"""
    compared: bool = False
    """run once more without the fault, in the same breath: what the others lost is the difference"""
    hang_timeout_ns: int = NS_PER_S
    rule: str = "Busy"
    """without a window: one would set a floor to the lanes' rates, and what cannot have its floor is paused"""
    faulty: tuple[str, ...] = field(default=())
    """models and cameras that have the fault; all other lanes are the others"""

    @property
    def input_fps(self) -> float:
        """Rate of one camera; 0 where it is the video's own."""
        return max((group.fps for group in self.cameras), default=0.0)

    def is_faulty(self, camera: str, model: str) -> bool:
        return model in self.faulty or camera.rstrip("0123456789") in self.faulty

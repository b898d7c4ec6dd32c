"""Models of a simulated host: what a call takes, how it ends, and what it says.

`CostedModel` is a cost and, where rules are to hear of it, answers by rule of thumb; `RealModel` runs one of the test
kit's models (`models`) for its answer, on a clock of its own that tells how long it took.
"""

import random
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from penstock.base.clock import SimulatedClock
from penstock.contracts.frames import FrameRef
from penstock.contracts.results import Detection, Detections, Result
from penstock.contracts.work import ModelDescription
from penstock.models.model import Model
from penstock.testkit.call_costs import CallCost
from penstock.testkit.models import packed
from penstock.testkit.views import ArrayViews


class SeenFrame(Protocol):
    """A frame as a call gets it."""

    @property
    def frame(self) -> FrameRef: ...

    @property
    def moving(self) -> bool:
        """Whether something moved in it, or since the frame that was told before it."""
        ...

    @property
    def views(self) -> int: ...


class SimulatedModel(Protocol):
    """One model of one executor. `host_share` is the part of a call's time in which it uses a core of the host."""

    name: str
    host_share: float
    max_batch: int

    @property
    def signals(self) -> tuple[str, ...]: ...

    @property
    def class_names(self) -> tuple[str, ...]: ...

    def begin(self, at_ns: int, frames: Sequence[SeenFrame], running: int, chance: random.Random) -> tuple[int, bool]:
        """A call starts beside `running - 1` others: how long it takes alone, and whether it raises at its end."""
        ...

    def result(self, seen: SeenFrame) -> Result | None:
        """What it said of a frame of a call that has ended well; None where it says nothing that rules could read."""
        ...


class Answers(Protocol):
    """What a costed model says of frames."""

    signals: tuple[str, ...]
    class_names: tuple[str, ...]

    def of(self, seen: SeenFrame) -> tuple[dict[str, float], Detections | None]: ...


class SeesMovement:
    """States `signal` as 1 where something moves, else 0; and as many boxes of `label` as given, where that is set."""

    def __init__(self, signal: str = "seen", label: str = "", boxes: int = 1) -> None:
        self.signals: tuple[str, ...] = (signal,)
        self.class_names: tuple[str, ...] = (label,) if label else ()
        box = Detection((10.0, 10.0, 50.0, 90.0), 0.9, 0, label)
        self._some = packed((box,) * boxes, self.class_names) if label else None
        self._none = packed((), self.class_names) if label else None

    def of(self, seen: SeenFrame) -> tuple[dict[str, float], Detections | None]:
        moving = seen.moving
        return {self.signals[0]: 1.0 if moving else 0.0}, self._some if moving else self._none


class CostedModel:
    """A model that is only its cost, and perhaps an answer."""

    def __init__(
        self,
        name: str,
        cost: CallCost,
        *,
        answers: Answers | None = None,
        host_share: float = 1.0,
        max_batch: int = 1,
    ) -> None:
        self.name = name
        self.host_share = host_share
        self.max_batch = max_batch
        self.signals = answers.signals if answers is not None else ()
        self.class_names = answers.class_names if answers is not None else ()
        self._cost = cost
        self._answers = answers

    def begin(self, at_ns: int, frames: Sequence[SeenFrame], running: int, chance: random.Random) -> tuple[int, bool]:
        views = 1 if len(frames) == 1 and frames[0].views == 1 else sum(seen.views for seen in frames)
        return self._cost.duration_ns(at_ns, views, running, chance), self._cost.raises(at_ns, chance)

    def result(self, seen: SeenFrame) -> Result | None:
        if self._answers is None:
            return None
        scalars, detections = self._answers.of(seen)
        return Result(self.name, "0" * 64, seen.frame, detections=detections, scalars=scalars)


class RealModel:
    """Runs `model` at the start of each call: its answer counts at the call's end, which is `least_ns` later, or as
    much later as the model waited on `clock`, which no other model may use."""

    def __init__(self, model: Model, clock: SimulatedClock, least_ns: int = 1_000_000, host_share: float = 1.0) -> None:
        description: ModelDescription = model.description
        self.name = description.model
        self.host_share = host_share
        self.max_batch = 1
        self.signals = description.signals
        self.class_names = description.class_names
        self._model = model
        self._clock = clock
        self._least_ns = least_ns
        self._views = ArrayViews()
        self._pixels = np.zeros((32, 32, 3), np.uint8)
        self._results: dict[tuple[str, int], Result] = {}

    def begin(self, at_ns: int, frames: Sequence[SeenFrame], running: int, chance: random.Random) -> tuple[int, bool]:  # noqa: ARG002
        began_ns = self._clock.now_ns()
        raised = False
        for seen in frames:
            view = self._views.blank(seen.frame)
            try:
                result = self._model.run(0, view, self._pixels)
            except Exception:  # whatever a model raises is its failure, here as in the executor
                raised = True
                break
            finally:
                self._views.lose(view)
            self._results[_name(seen.frame)] = result
        return max(self._least_ns, self._clock.now_ns() - began_ns), raised

    def result(self, seen: SeenFrame) -> Result | None:
        return self._results.pop(_name(seen.frame), None)


def _name(frame: FrameRef) -> tuple[str, int]:
    return frame.id.stream.camera, frame.index

"""Models that do as they are told: answers by frame, calls that take a given time, calls that raise or never return.

They run through the real executor: `loader` stands in for the loading of files.
"""

import threading
from collections.abc import Mapping, Sequence

import numpy as np

from penstock.base.clock import Clock
from penstock.contracts.frames import PixelFormat, View, ViewSpec
from penstock.contracts.results import Detection, Detections, Result
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import ModelDescription
from penstock.models.detector import pack
from penstock.models.errors import load_error
from penstock.models.model import LoadModel, Model, Pixels

_VIEW = ViewSpec(32, 32, PixelFormat.BGR24)


class ScriptedModel:
    """Answers with the detections given for a frame's number; none for frames that the script leaves out."""

    def __init__(
        self,
        name: str,
        script: Mapping[int, Sequence[Detection]],
        scalars: Mapping[int, Mapping[str, float]] | None = None,
        view: ViewSpec = _VIEW,
    ) -> None:
        self._script = script
        self._scalars = scalars or {}
        names = {d.class_id: d.class_name for found in script.values() for d in found}
        self._class_names = tuple(names.get(i, str(i)) for i in range(max(names, default=-1) + 1))
        self.description = ModelDescription(
            model=name,
            view=view,
            weight_hash="0" * 64,
            head="scripted",
            class_names=self._class_names,
            device="cpu",
            signals=tuple(sorted({signal for values in self._scalars.values() for signal in values})),
        )

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:  # noqa: ARG002  the script decides
        seq = view.frame.id.seq
        return Result(
            model=self.description.model,
            weight_hash=self.description.weight_hash,
            frame=view.frame,
            detections=packed(self._script.get(seq, ()), self._class_names),
            scalars=dict(self._scalars.get(seq, {})),
        )

    def close(self) -> None:
        """Holds nothing."""


class LatencyModel:
    """Takes `latency_s` on the injected clock before it answers as `answer` does; `interrupt` ends all waiting."""

    def __init__(self, answer: Model, clock: Clock, latency_s: float) -> None:
        self.description = answer.description
        self._answer = answer
        self._clock = clock
        self._latency_s = latency_s
        self._interrupted = threading.Event()

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:
        self._clock.wait(self._interrupted, self._latency_s)
        return self._answer.run(stream, view, pixels)

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        self._answer.close()


class HangingModel:
    """Does not return before `release`: a native call that hangs, seen from outside."""

    def __init__(self, answer: Model) -> None:
        self.description = answer.description
        self._answer = answer
        self._entered = threading.Semaphore(0)
        self._released = threading.Event()

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:
        self._entered.release()
        self._released.wait()
        return self._answer.run(stream, view, pixels)

    def wait_entered(self, timeout_s: float) -> bool:
        """Waits until one more call hangs."""
        return self._entered.acquire(timeout=timeout_s)

    def release(self) -> None:
        self._released.set()

    def close(self) -> None:
        self._answer.close()


class FailingModel:
    """Raises `error` on the calls counted in `fail_on`, from 1; answers as `answer` does on all others."""

    def __init__(self, answer: Model, fail_on: Sequence[int], error: BaseException) -> None:
        self.description = answer.description
        self._answer = answer
        self._fail_on = frozenset(fail_on)
        self._error = error
        self._lock = threading.Lock()
        self._calls = 0

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:
        with self._lock:
            self._calls += 1
            failing = self._calls in self._fail_on
        if failing:
            raise self._error
        return self._answer.run(stream, view, pixels)

    def close(self) -> None:
        self._answer.close()


def packed(found: Sequence[Detection], class_names: tuple[str, ...]) -> Detections:
    """Detections as they travel, in the order given."""
    return pack(
        np.array([d.xyxy for d in found], np.float32).reshape(-1, 4),
        np.array([d.confidence for d in found], np.float32),
        np.array([d.class_id for d in found], np.int32),
        class_names,
    )


def loader(*models: Model) -> LoadModel:
    """Gives out `models` by name where an executor would load files; other names fail to load."""
    by_name = {model.description.model: model for model in models}

    def load(spec: ModelSpec, streams: int) -> Model:  # noqa: ARG001  they take any number
        if spec.name not in by_name:
            raise load_error(f"model {spec.name}: is not in the test kit", f"It has {', '.join(by_name) or 'none'}")
        return by_name[spec.name]

    return load

"""What ingest and executors told of their load, as rates and mean costs over the last seconds."""

from collections.abc import Iterator

import msgspec

from penstock.contracts.messages import CameraLoad, Load, ModelLoad

NS_PER_S = 1_000_000_000
# Long enough for several keyframes of a usual camera, short enough to follow one that changes its rate.
_CAMERA_WINDOW_NS = 10 * NS_PER_S
# A model that becomes slow must show within the time in which the plan is to settle.
_MODEL_WINDOW_NS = 3 * NS_PER_S
LEAST_BUSY_NS = NS_PER_S // 20
"""of an executor within the window: below it, its own work would pass for its models'"""


class CameraRates(msgspec.Struct, frozen=True, gc=False):
    """One camera's detect stream over the last seconds."""

    unit_fps: float
    keyframe_fps: float
    disposable: float
    """part of the units that no other refers to"""
    decoded: float
    """part of the units that went to the decoder"""
    unit_ns: float
    """processor time per decoded unit; 0 where none was decoded"""
    decode_ns: float
    """processor time per second for it, reading included"""
    view_ns: float
    """processor time of one view; 0 where none was made"""
    views_fps: float


class ModelRates(msgspec.Struct, frozen=True, gc=False):
    """One model on its executor over the last seconds."""

    busy_ns: float
    """one stream was taken for so long by one view, waiting for a core included"""
    cpu_ns: float
    """processor time of one view, with its part of the executor's own work"""
    on_processor: float
    """part of the executor's busy time in which it used a core: little for a device beside the processor, and for
    models that wait"""


class _Process:
    """The loads of one life of one process within the window."""

    def __init__(self) -> None:
        self.loads: list[Load] = []

    def heard(self, load: Load) -> None:
        if self.loads and load.cpu_ns < self.loads[-1].cpu_ns:
            # A new life counts from zero again.
            self.loads.clear()
        self.loads.append(load)
        window_ns = _CAMERA_WINDOW_NS if load.cameras else _MODEL_WINDOW_NS
        while len(self.loads) > 2 and load.at_ns - self.loads[1].at_ns >= window_ns:
            del self.loads[0]


class LoadBook:
    """All processes' loads, by name."""

    def __init__(self) -> None:
        self._processes: dict[str, _Process] = {}

    def heard(self, process: str, load: Load) -> None:
        self._processes.setdefault(process, _Process()).heard(load)

    def gone(self, process: str) -> None:
        """It ended: nothing of it is true any more."""
        self._processes.pop(process, None)

    def cpu_ns(self) -> int:
        """Processor time of all that told of theirs, cumulative."""
        return sum(process.loads[-1].cpu_ns for process in self._processes.values())

    def resident_bytes(self) -> int:
        return sum(process.loads[-1].resident_bytes for process in self._processes.values())

    def cpu_rate(self, process: str) -> float:
        """Cores that it keeps busy; 0 before its second load."""
        span = self._span(process)
        return 0.0 if span is None else (span[1].cpu_ns - span[0].cpu_ns) / (span[1].at_ns - span[0].at_ns)

    def model(self, process: str, model: str) -> ModelRates | None:
        """What one view costs a model; None while too little is known."""
        span = self._span(process)
        if span is None:
            return None
        before, now = ({one.model: one for one in load.models} for load in span)
        busy_ns = sum(one.busy_ns for one in now.values()) - sum(one.busy_ns for one in before.values())
        if model not in now or busy_ns < LEAST_BUSY_NS:
            return None
        earlier = before.get(model, ModelLoad(model))
        views = now[model].views - earlier.views
        if not views:
            return None
        part = (now[model].busy_ns - earlier.busy_ns) / busy_ns
        cpu_ns = span[1].cpu_ns - span[0].cpu_ns
        return ModelRates(
            busy_ns=(now[model].busy_ns - earlier.busy_ns) / views,
            cpu_ns=cpu_ns * part / views,
            on_processor=cpu_ns / busy_ns,
        )

    def cameras(self) -> Iterator[tuple[str, CameraRates]]:
        """Every camera whose process has told of it twice."""
        for name in self._processes:
            span = self._span(name)
            if span is None:
                continue
            earlier = {camera.camera: camera for camera in span[0].cameras}
            for camera in span[1].cameras:
                before = earlier.get(camera.camera)
                if before is not None and camera.units > before.units:
                    yield camera.camera, _rates(before, camera, span[1].at_ns - span[0].at_ns)

    def _span(self, process: str) -> tuple[Load, Load] | None:
        known = self._processes.get(process)
        if known is None or len(known.loads) < 2 or known.loads[-1].at_ns <= known.loads[0].at_ns:
            return None
        return known.loads[0], known.loads[-1]


def _rates(before: CameraLoad, now: CameraLoad, passed_ns: int) -> CameraRates:
    seconds = passed_ns / NS_PER_S
    units = now.units - before.units
    decoded = now.decoded - before.decoded
    views = now.views - before.views
    return CameraRates(
        unit_fps=units / seconds,
        keyframe_fps=(now.keyframes - before.keyframes) / seconds,
        disposable=(now.disposable - before.disposable) / units,
        decoded=decoded / units,
        unit_ns=(now.decode_ns - before.decode_ns) / decoded if decoded else 0.0,
        decode_ns=(now.decode_ns - before.decode_ns) / seconds,
        view_ns=(now.view_ns - before.view_ns) / views if views else 0.0,
        views_fps=views / seconds,
    )

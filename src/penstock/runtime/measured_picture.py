"""What the plan is computed from, kept true by what is measured: costs of models and cameras, activity of lanes, and
what the host has left.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from penstock.contracts.specs import RunSpec
from penstock.runtime import wiring
from penstock.runtime.load_book import CameraRates, LoadBook
from penstock.scheduling.measurements import LaneMeasurement, Measurements, ModelMeasurement
from penstock.scheduling.picture import CameraCost, HostSupply, LaneDemand, ModelCost, Picture

NS_PER_S = 1_000_000_000
# Of a keyframe-only stream, one unit costs more than the mean of all: its price says little of decoding everything.
_MOSTLY_DECODED = 0.8
# What is decoded is keyframes and hardly more: so much a keyframe costs.
_ONLY_KEYFRAMES = 1.2
NO_PICTURE = Picture((), (), (), (), HostSupply(cores=1.0))
"""before anything is known"""
BOUND_BY_PROCESSOR = 0.3
"""part of its calls' time in which a class of somebody's own has a core, from which on it is the cores that limit it;
once is enough, for where many wait for a core everybody has less of one"""
CONTROL_NS = 300_000.0
"""processor time of one analysis beside its view and its model: messages, decisions, rules"""
VIEW_NS = 300_000.0
"""of one view, until it is measured"""


class MeasuredPicture:
    """One run's. `is_up` says whether pictures come of a camera."""

    def __init__(self, spec: RunSpec, is_up: Callable[[str], bool]) -> None:
        self._is_up = is_up
        self._ingests = [wiring.ingest_name(number) for number in range(len(spec.ingest_groups))]
        self._bound_by_processor = {
            model.name
            for executor in spec.executors
            for model in executor.models
            if executor.device == "cpu" and model.kind != "python"
        }
        self.cores = 0.0
        """that the run may use"""
        self.loads = LoadBook()

    def update(
        self, before: Picture, measured: Measurements, others_cores: float, floor_fps: Callable[[str], float]
    ) -> Picture:
        """`before` with what is measured now; `others_cores` is what other programs take, `floor_fps` says by lane how
        slow it may become."""
        lanes = {lane.lane: lane for lane in measured.lanes}
        models = {model.model: model for model in measured.models}
        rates = dict(self.loads.cameras())
        view_ns = _mean_view_ns(rates.values())
        return msgspec.structs.replace(
            before,
            lanes=tuple(self._lane(lane, lanes.get(lane.lane), floor_fps(lane.lane)) for lane in before.lanes),
            models=tuple(self._model(model, models.get(model.model), view_ns) for model in before.models),
            cameras=tuple(_camera(camera, rates.get(camera.camera)) for camera in before.cameras),
            host=msgspec.structs.replace(
                before.host,
                cores=max(0.1, self.cores - others_cores),
                others_cores=others_cores,
                fixed_ns=self._fixed_ns(rates),
            ),
        )

    def _lane(self, lane: LaneDemand, seen: LaneMeasurement | None, floor_fps: float) -> LaneDemand:
        if seen is None:
            return msgspec.structs.replace(lane, floor_fps=floor_fps)
        # A camera that is away takes nothing; what its lanes may have when it returns stays as it is.
        activity = seen.activity if self._is_up(lane.camera) else 0.0
        return msgspec.structs.replace(lane, floor_fps=floor_fps, activity=activity, views=seen.views)

    def _model(self, cost: ModelCost, seen: ModelMeasurement | None, view_ns: float) -> ModelCost:
        if seen is None or not seen.samples:
            return cost
        rates = self.loads.model(wiring.executor_process(cost.executor), cost.model)
        if rates is None:
            bound = cost.measured and cost.model in self._bound_by_processor
            return cost if bound else msgspec.structs.replace(cost, stream_ns=seen.stream_ns)
        # On a busy processor a call takes longer only because others run meanwhile. Planned with that time, fewer calls
        # would make each seem cheaper, and the plan would swing: what it needs of a core does not change.
        if rates.on_processor >= BOUND_BY_PROCESSOR:
            self._bound_by_processor.add(cost.model)
        stream_ns = rates.cpu_ns if cost.model in self._bound_by_processor else seen.stream_ns
        return msgspec.structs.replace(
            cost, stream_ns=stream_ns, host_ns=rates.cpu_ns + view_ns + CONTROL_NS, measured=True
        )

    def _fixed_ns(self, rates: Mapping[str, CameraRates]) -> float:
        """What ingest takes beside decoding and views, whatever is analysed: packets, notices, statistics."""
        ingest_ns = sum(self.loads.cpu_rate(process) for process in self._ingests) * NS_PER_S
        return max(0.0, ingest_ns - sum(rate.decode_ns + rate.view_ns * rate.views_fps for rate in rates.values()))


def _camera(cost: CameraCost, rates: CameraRates | None) -> CameraCost:
    if rates is None:
        return cost
    mostly = rates.decoded >= _MOSTLY_DECODED
    unit_ns = rates.unit_ns if rates.unit_ns and (mostly or not cost.measured) else cost.unit_ns
    only_keyframes = 0 < rates.decoded <= _ONLY_KEYFRAMES * rates.keyframe_fps / rates.unit_fps
    return msgspec.structs.replace(
        cost,
        unit_fps=rates.unit_fps,
        keyframe_fps=rates.keyframe_fps,
        disposable=rates.disposable,
        unit_ns=unit_ns,
        keyframe_ns=rates.unit_ns if only_keyframes and not mostly else cost.keyframe_ns,
        measured=cost.measured or mostly,
    )


def _mean_view_ns(rates: Iterable[CameraRates]) -> float:
    known = [rate for rate in rates if rate.views_fps]
    views = sum(rate.views_fps for rate in known)
    return sum(rate.view_ns * rate.views_fps for rate in known) / views if views else VIEW_NS

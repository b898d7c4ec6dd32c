"""Keeps every measured value of the picture until a new measurement differs by more than a band.

What is measured is never twice the same, and the plan must be: with costs that only move when they really moved, the
plan is computed from the same numbers again and again, also what low priorities get, which is the small difference of
large numbers. Two measurements of one thing that are each 5 % wrong differ by at most 10.5 %: inside the band of 12 %.
A smaller real change may be noticed later or not at all, which the headroom covers.

After a model's cost has clearly changed, the first measurements of it are of few calls: for `REFINE_NS` the newest is
believed, so that what is then held is a mean of many.
"""

import msgspec

from penstock.scheduling.picture import CameraCost, HostSupply, LaneDemand, ModelCost, Picture

# Parts of a whole (activity, disposable pictures) below this difference are the same.
_LEAST_PART = 0.01
_LEAST_CORE = 0.02
# Movement comes and goes; what a few cameras see of it must not move the plan of all.
_LEAST_ACTIVITY = 0.15
REFINE_NS = 2_500_000_000
_NS_PER_S = 1_000_000_000


class Beliefs:
    """Give it every picture in turn; it remembers only what the last one named."""

    def __init__(self, band: float) -> None:
        self._ratio = 1.0 + band
        self._lanes: dict[str, LaneDemand] = {}
        self._models: dict[tuple[str, str], ModelCost] = {}
        self._refined_until_ns: dict[tuple[str, str], int] = {}
        self._cameras: dict[str, CameraCost] = {}
        self._host: HostSupply | None = None

    def update(self, picture: Picture, now_ns: int) -> Picture:
        """`picture` with the values that are believed; what is configured passes as it is."""
        self._lanes = {lane.lane: self._lane(lane) for lane in picture.lanes}
        self._models = {(model.model, model.executor): self._model(model, now_ns) for model in picture.models}
        self._cameras = {camera.camera: self._camera(camera) for camera in picture.cameras}
        self._host = self._host_supply(picture.host)
        return msgspec.structs.replace(
            picture,
            lanes=tuple(self._lanes.values()),
            models=tuple(self._models.values()),
            cameras=tuple(self._cameras.values()),
            host=self._host,
        )

    def _value(self, believed: float, measured: float, least: float = 0.0) -> float:
        if believed / self._ratio <= measured <= believed * self._ratio or abs(measured - believed) <= least:
            return believed
        return measured

    def _bytes(self, believed: int, measured: int) -> int:
        """Memory is a hard limit: growth is believed at once."""
        return believed if believed / self._ratio <= measured <= believed else measured

    def _lane(self, new: LaneDemand) -> LaneDemand:
        old = self._lanes.get(new.lane)
        if old is None or old == new:
            return new
        activity = self._value(old.activity, new.activity, _LEAST_ACTIVITY)
        views = self._value(old.views, new.views)
        if activity == new.activity and views == new.views:
            return new
        return msgspec.structs.replace(new, activity=activity, views=views)

    def _model(self, new: ModelCost, now_ns: int) -> ModelCost:
        key = (new.model, new.executor)
        old = self._models.get(key)
        if old is None or old.measured != new.measured:
            self._refined_until_ns[key] = now_ns + REFINE_NS
            return new
        stream_ns, host_ns = self._value(old.stream_ns, new.stream_ns), self._value(old.host_ns, new.host_ns)
        if stream_ns != old.stream_ns or host_ns != old.host_ns:
            self._refined_until_ns[key] = max(self._refined_until_ns.get(key, 0), now_ns + REFINE_NS)
        if now_ns < self._refined_until_ns.get(key, 0):
            stream_ns, host_ns = new.stream_ns, new.host_ns
        return msgspec.structs.replace(
            new,
            stream_ns=stream_ns,
            host_ns=host_ns,
            memory_bytes=self._bytes(old.memory_bytes, new.memory_bytes),
            device_memory_bytes=self._bytes(old.device_memory_bytes, new.device_memory_bytes),
        )

    def _camera(self, new: CameraCost) -> CameraCost:
        old = self._cameras.get(new.camera)
        if old is None or old.measured != new.measured:
            return new
        return msgspec.structs.replace(
            new,
            unit_fps=self._value(old.unit_fps, new.unit_fps),
            keyframe_fps=self._value(old.keyframe_fps, new.keyframe_fps),
            disposable=self._value(old.disposable, new.disposable, _LEAST_PART),
            unit_ns=self._value(old.unit_ns, new.unit_ns),
            keyframe_ns=self._value(old.keyframe_ns, new.keyframe_ns),
            active=self._value(old.active, new.active, _LEAST_PART),
            memory_bytes=self._bytes(old.memory_bytes, new.memory_bytes),
        )

    def _host_supply(self, new: HostSupply) -> HostSupply:
        old = self._host
        if old is None:
            return new
        return msgspec.structs.replace(
            new,
            cores=self._value(old.cores, new.cores, _LEAST_CORE),
            fixed_ns=self._value(old.fixed_ns, new.fixed_ns, _LEAST_CORE * _NS_PER_S),
            fixed_memory_bytes=self._bytes(old.fixed_memory_bytes, new.fixed_memory_bytes),
        )

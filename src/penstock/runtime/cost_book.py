"""What was measured in earlier runs, kept in the data folder: the first plan of the next run begins from it.

A hint and never more: what is torn, foreign, of another host or of another content is not believed, and everything in
it is measured anew while the run lasts. No address and no name of a model's file stands in it.
"""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, TypeVar

import msgspec
from msgspec.structs import replace

from penstock.contracts.specs import CameraSpec, ExecutorSpec, ModelSpec, RunSpec
from penstock.contracts.work import ModelDescription
from penstock.runtime.model_identity import HostFacts, camera_key, host_facts, model_key
from penstock.scheduling.picture import CameraCost, ModelCost, Picture

log = logging.getLogger(__name__)

FILE = "costs.json"
VERSION = 1
MAX_BYTES = 16 * 1024 * 1024
MAX_MODELS = 1024
MAX_CAMERAS = 20_000
"""beyond them the oldest leave"""

NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e15)]
Bytes = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]


class KnownModel(msgspec.Struct, frozen=True):
    """What one view costs one model; nanoseconds, as `scheduling.picture.ModelCost` has them."""

    name: str
    """for people who read the file"""
    stream_ns: Annotated[float, msgspec.Meta(gt=0, le=1e15)]
    host_ns: NotNegative
    views: NotNegative = 1.0
    """mean number of views per analysis"""
    memory_bytes: Bytes = 0
    """0 where it was not measured"""
    device_memory_bytes: Bytes = 0
    view_bytes: Bytes = 0
    """size of one view; 0 where the model was never loaded"""
    utc_ns: int = 0
    """when it was last measured"""


class KnownCamera(msgspec.Struct, frozen=True):
    """What one camera sends, and what decoding it costs."""

    name: str
    unit_fps: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    keyframe_fps: NotNegative
    disposable: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    unit_ns: NotNegative = 0.0
    width_px: Annotated[int, msgspec.Meta(ge=0, le=1 << 16)] = 0
    height_px: Annotated[int, msgspec.Meta(ge=0, le=1 << 16)] = 0
    utc_ns: int = 0


class _File(msgspec.Struct, frozen=True):
    version: int
    host: HostFacts
    fixed_ns: NotNegative = 0.0
    models: dict[str, KnownModel] = {}
    cameras: dict[str, KnownCamera] = {}


D = TypeVar("D", KnownModel, KnownCamera)


class CostBook:
    """Costs by content. `read` and `write` are its only looks at the disk, but for the models' own files."""

    def __init__(self, host: HostFacts) -> None:
        self._host = host
        self._models: dict[str, KnownModel] = {}
        self._cameras: dict[str, KnownCamera] = {}
        self._model_keys: dict[tuple[str, str], str] = {}
        self.fixed_ns = 0.0
        """processor time per second of the run beside decoding and models; 0 where it was not measured"""

    @classmethod
    def read(cls, folder: Path | str, host: HostFacts | None = None) -> "CostBook":
        """The book of a data folder; empty where there is none, and, with a warning, where it cannot be read."""
        book = cls(host or host_facts())
        path = Path(folder) / FILE
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return book
        except OSError as error:
            log.warning("%s cannot be read (%s): costs are measured anew", path, error.strerror)
            return book
        try:
            if len(data) > MAX_BYTES:
                raise ValueError(f"it is larger than {MAX_BYTES} bytes")
            found = msgspec.json.decode(data, type=_File)
            if found.version != VERSION:
                raise ValueError(f"its version is {found.version}, not {VERSION}")
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            log.warning("%s is no book of costs (%s): costs are measured anew", path, error)
            return book
        if found.host == book._host:
            book._models.update(found.models)
            book.fixed_ns = found.fixed_ns
            book._cameras.update(found.cameras)
        else:
            # What a camera sends is so wherever it is decoded.
            book._cameras.update({key: replace(camera, unit_ns=0.0) for key, camera in found.cameras.items()})
        return book

    def write(self, folder: Path | str) -> bool:
        """Replaces the folder's book in one step; False, and a warning, where that cannot be done."""
        path = Path(folder) / FILE
        unfinished = path.with_name(f".{FILE}.{os.getpid()}")
        found = _File(
            version=VERSION,
            host=self._host,
            fixed_ns=self.fixed_ns,
            models=_newest(self._models, MAX_MODELS),
            cameras=_newest(self._cameras, MAX_CAMERAS),
        )
        try:
            unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
            unfinished.replace(path)
        except OSError as error:
            log.warning("%s cannot be written (%s): the next run measures its costs anew", path, error.strerror)
            unfinished.unlink(missing_ok=True)
            return False
        return True

    # what is known

    def model(self, model: ModelSpec, executor: ExecutorSpec) -> KnownModel | None:
        return self._models.get(self._key_of(model, executor))

    def camera(self, camera: CameraSpec) -> KnownCamera | None:
        return self._cameras.get(camera_key(camera))

    # what is learnt

    def learn_model(self, model: ModelSpec, executor: ExecutorSpec, known: KnownModel) -> None:
        """Nothing where the model's content cannot be read: then nobody could ask for it either."""
        if key := self._key_of(model, executor):
            self._models[key] = known

    def learn_camera(self, camera: CameraSpec, known: KnownCamera) -> None:
        if key := camera_key(camera):
            self._cameras[key] = known

    def learn(
        self,
        spec: RunSpec,
        picture: Picture,
        utc_ns: int,
        descriptions: Iterable[ModelDescription] = (),
        sizes_px: Mapping[str, tuple[int, int]] = MappingProxyType({}),
    ) -> None:
        """Everything in `picture` that was measured; what it does not say (memory, sizes) stays as it was.

        `descriptions` are what executors said of models that they have loaded; `sizes_px` are widths and heights of
        the cameras' pictures.
        """
        costs = {cost.model: cost for cost in picture.models if cost.measured and cost.stream_ns > 0}
        views = {described.model: described.view.nbytes for described in descriptions}
        for executor in spec.executors:
            for model in executor.models:
                if (cost := costs.get(model.name)) is not None:
                    before = self.model(model, executor)
                    known = _known_model(cost, picture, before, views.get(model.name, 0), utc_ns)
                    self.learn_model(model, executor, known)
        cameras = {cost.camera: cost for cost in picture.cameras if cost.measured and cost.unit_fps > 0}
        for camera in spec.cameras:
            if (seen := cameras.get(camera.name)) is not None:
                self.learn_camera(camera, _known_camera(seen, self.camera(camera), sizes_px.get(camera.name), utc_ns))
        if picture.host.fixed_ns > 0:
            self.fixed_ns = picture.host.fixed_ns

    def _key_of(self, model: ModelSpec, executor: ExecutorSpec) -> str:
        # Once per life: the file that was loaded counts, not one that takes its place later.
        asked = (model.name, executor.name)
        if asked not in self._model_keys:
            self._model_keys[asked] = model_key(model, executor)
        return self._model_keys[asked]


def _known_model(
    cost: ModelCost, picture: Picture, before: KnownModel | None, view_bytes: int, utc_ns: int
) -> KnownModel:
    counts = [lane.views for lane in picture.lanes if lane.model == cost.model] or [1.0]
    return KnownModel(
        name=cost.model,
        stream_ns=cost.stream_ns,
        host_ns=cost.host_ns,
        views=sum(counts) / len(counts),
        memory_bytes=before.memory_bytes if before is not None else 0,
        device_memory_bytes=before.device_memory_bytes if before is not None else 0,
        view_bytes=view_bytes or (before.view_bytes if before is not None else 0),
        utc_ns=utc_ns,
    )


def _known_camera(
    cost: CameraCost, before: KnownCamera | None, size_px: tuple[int, int] | None, utc_ns: int
) -> KnownCamera:
    width_px, height_px = size_px or ((before.width_px, before.height_px) if before is not None else (0, 0))
    return KnownCamera(
        name=cost.camera,
        unit_fps=cost.unit_fps,
        keyframe_fps=cost.keyframe_fps,
        disposable=min(1.0, cost.disposable),
        unit_ns=cost.unit_ns,
        width_px=width_px,
        height_px=height_px,
        utc_ns=utc_ns,
    )


def _newest(known: Mapping[str, D], limit: int) -> dict[str, D]:
    """At most `limit` entries, by key, so that the same book is the same file."""
    kept = sorted(known.items(), key=lambda item: -item[1].utc_ns)[:limit]
    return dict(sorted(kept))

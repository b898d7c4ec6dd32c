"""Where each number behind an admission comes from, and the measuring of what no earlier run has measured.

Cameras that answer are listened to, side by side; models that can be loaded are timed, one after another, for they
share this host. What remains is assumed, and says so.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec

from penstock.base.clock import NS_PER_MS, Clock
from penstock.base.redaction import redact
from penstock.contracts.identity import Role
from penstock.contracts.sources import SourceError
from penstock.contracts.specs import CameraSpec, ExecutorSpec, ModelSpec, RunSpec
from penstock.runtime.camera_trial import wait_camera_trial
from penstock.runtime.cost_book import CostBook, KnownCamera, KnownModel
from penstock.runtime.model_trial import TrialError, wait_model_trial
from penstock.scheduling.picture import Picture

CAMERAS_AT_ONCE = 8

EARLIER = "an earlier run"
NOW = "measured now"
ASSUMED = "assumed"
_CAMERA = "camera "


class CostNote(msgspec.Struct, frozen=True):
    """One cost that went into the picture, and how it is known."""

    what: str
    """`camera NAME` or `model NAME`"""
    cost: str
    known_from: str
    """`an earlier run`, `measured now` or `assumed`"""
    why: str = ""
    """why it could not be measured, where that was tried"""

    @property
    def text(self) -> str:
        return f"{self.what}: {self.cost} ({self.known_from}{f'; {self.why}' if self.why else ''})"


def cost_lines(notes: Iterable[CostNote]) -> list[str]:
    """For people: one line per note, and one for all cameras of which the same is known, where the first was."""
    groups: dict[tuple[str, ...], list[CostNote]] = {}
    for note in notes:
        is_camera = note.what.startswith(_CAMERA)
        key = (note.cost, note.known_from, note.why) if is_camera else (note.what,)
        groups.setdefault((_CAMERA if is_camera else "", *key), []).append(note)
    lines = []
    for group in groups.values():
        what = group[0].what
        if len(group) > 1:
            what = f"{len(group)} cameras ({_named(note.what.removeprefix(_CAMERA) for note in group)})"
        lines.append(msgspec.structs.replace(group[0], what=what).text)
    return lines


class Measured(msgspec.Struct, frozen=True):
    """What was measured now, and what could not be; by the names of cameras and models."""

    cameras: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    faults: dict[str, str] = {}
    """why, by `camera NAME` or `model NAME`"""


def wait_measured(spec: RunSpec, costs: CostBook, clock: Clock, tell: Callable[[str], None]) -> Measured:
    """Measures what `costs` does not know of `spec`, and puts it there; takes seconds for each model."""
    faults: dict[str, str] = {}
    cameras = [one for one in spec.cameras if _is_decoded(one) and not _known(costs.camera(one))]
    if cameras:
        tell(f"listening to {_named(one.name for one in cameras)}")

        def listen(camera: CameraSpec) -> KnownCamera | str:
            try:
                return wait_camera_trial(spec, camera, clock)
            except SourceError as error:
                return redact(error.what)

        with ThreadPoolExecutor(CAMERAS_AT_ONCE) as pool:
            for camera, heard in zip(cameras, pool.map(listen, cameras), strict=True):
                if isinstance(heard, str):
                    faults[f"camera {camera.name}"] = heard
                else:
                    costs.learn_camera(camera, heard)
    models = [pair for pair in _models(spec) if costs.model(*pair) is None]
    for model, executor in models:
        tell(f"timing model {model.name}")
        try:
            known = wait_model_trial(model, executor, clock.utc_ns())
        except TrialError as error:
            faults[f"model {model.name}"] = str(error)
        else:
            costs.learn_model(model, executor, known)
    return Measured(
        cameras=frozenset(one.name for one in cameras if f"camera {one.name}" not in faults),
        models=frozenset(one.name for one, _ in models if f"model {one.name}" not in faults),
        faults=faults,
    )


def cost_notes(spec: RunSpec, picture: Picture, costs: CostBook, measured: Measured) -> list[CostNote]:
    """Every model and camera of `picture`, in its order."""
    notes = []
    pairs = {model.name: (model, executor) for model, executor in _models(spec)}
    for cost in picture.models:
        known = costs.model(*pairs[cost.model])
        what = f"model {cost.model}"
        text = (
            f"{cost.stream_ns / NS_PER_MS:.1f} ms of executor {cost.executor} and "
            f"{cost.host_ns / NS_PER_MS:.1f} ms of processor time per view"
        )
        notes.append(CostNote(what, text, _from(known, cost.model in measured.models), measured.faults.get(what, "")))
    cameras = {camera.name: camera for camera in spec.cameras}
    for seen in picture.cameras:
        found = costs.camera(cameras[seen.camera])
        what = f"camera {seen.camera}"
        rates = f"{seen.unit_fps:.3g}/s, {_keyframes(seen.keyframe_fps)}"
        text = f"{rates}, {seen.unit_ns / NS_PER_MS:.2f} ms of processor time each"
        source = _from(found, seen.camera in measured.cameras)
        if source != ASSUMED and not seen.measured:
            text += " (the time assumed)"
        notes.append(CostNote(what, text, source, measured.faults.get(what, "")))
    return notes


def _keyframes(fps: float) -> str:
    return f"keyframe every {1 / fps:.2g} s" if fps > 0 else "no keyframe seen"


def _from(known: KnownModel | KnownCamera | None, now: bool) -> str:
    return ASSUMED if known is None else NOW if now else EARLIER


def _known(camera: KnownCamera | None) -> bool:
    return camera is not None and camera.unit_ns > 0


def _is_decoded(camera: CameraSpec) -> bool:
    return camera.stream_with(Role.DETECT) is not None


def _models(spec: RunSpec) -> Iterator[tuple[ModelSpec, ExecutorSpec]]:
    for executor in spec.executors:
        for model in executor.models:
            yield model, executor


def _named(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")

"""Checks what models ask of each other and of their share: rates, required signals, crops, shared executors.

What a model states is known where its file or the configuration says it; where only the loaded model knows, every name
may be one of its, and the run tells of those that are not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from penstock.config.crosscheck import Finding, KnownModel, RuleCheck, RuleQuestion, known_model
from penstock.config.model_questions import ModelAnswer
from penstock.config.problems import KeyPath, closest
from penstock.config.schema import CameraConfig, Config, ModelConfig

MOTION_STATES = ("motion", "MotionLevel")


def check_lanes(
    config: Config, answers: Mapping[str, ModelAnswer] | None = None, rule_check: RuleCheck | None = None
) -> Iterator[Finding]:
    """Everything about rates, requirements, crops and executors; `answers` are what the models' files say."""
    yield from _check_rates(config)
    yield from _check_executors(config)
    for name, model in config.models.items():
        yield from _check_crops(config, name, model, answers or {})
        yield from _check_requirements(config, name, model, answers or {}, rule_check)


def _cameras_of(config: Config, model: str) -> Iterator[tuple[str, CameraConfig]]:
    """The enabled cameras that `model` looks at."""
    for name, camera in config.cameras.items():
        if camera.enabled and model in config.models_of(camera):
            yield name, camera


def _check_rates(config: Config) -> Iterator[Finding]:
    advice = "lower it, or raise fps"
    for name, camera in config.cameras.items():
        detect = camera.detect
        if detect.min_fps > detect.fps:
            what = f"{detect.min_fps:g} is more than the camera's fps, {detect.fps:g}"
            yield Finding(("cameras", name, "detect", "min_fps"), what, advice)
    for name, model in config.models.items():
        own = model.detect
        if own.min_fps is None and own.fps is None:
            continue
        for camera_name, camera in _cameras_of(config, name):
            merged = config.detect_of(camera, name)
            if merged.min_fps <= merged.fps or camera.detect.min_fps > camera.detect.fps:
                continue
            key = "min_fps" if own.min_fps is not None else "fps"
            value = f"{merged.fps:g} is less than min_fps, {merged.min_fps:g}"
            if key == "min_fps":
                value = f"{merged.min_fps:g} is more than fps, {merged.fps:g}"
            yield Finding(
                ("models", name, "detect", key),
                f"{value}, on camera {camera_name!r}",
                advice if key == "min_fps" else "raise it, or give this model a min_fps of its own",
            )
            break


def _check_executors(config: Config) -> Iterator[Finding]:
    devices = {model.device.lower() for model in config.models.values() if model.kind != "python"} | {"cpu", "motion"}
    shared: dict[str, tuple[str, str]] = {}
    for name, model in config.models.items():
        path: KeyPath = ("models", name, "executor")
        if model.executor is not None and model.kind != "python":
            what = "only `kind: python` chooses its executor; others run in that of their device"
            yield Finding(path, what, "remove it, or set `device`", True)
        elif model.executor is not None and model.executor.lower() in devices:
            yield Finding(path, f"{model.executor!r} names the executor of a device", "choose another name")
        elif model.kind == "python":
            executor, device = model.executor or name, model.device.lower()
            other, other_device = shared.setdefault(executor, (name, device))
            if device != other_device:
                what = f"{other!r} is in it and runs on {other_device}, and this model on {device}"
                yield Finding(path, what, "give each device an executor of its own")


def _check_crops(
    config: Config, name: str, model: ModelConfig, answers: Mapping[str, ModelAnswer]
) -> Iterator[Finding]:
    crops = model.crops
    if crops is None:
        return
    path: KeyPath = ("models", name, "crops")
    of, place = config.model(crops.of), (*path, "of")
    if model.kind == "motion":
        yield Finding(path, "motion is measured on whole pictures", "remove `crops`", True)
    elif crops.of == name:
        yield Finding(place, "a model cannot look at its own boxes", "name the model that finds them")
    elif of is None:
        known = [other for other in config.models if other != name]
        yield Finding(place, f"there is no model {crops.of!r}", closest(crops.of, known))
    elif of.crops is not None:
        what = f"{crops.of!r} looks at crops itself, and crops of crops are not made"
        yield Finding(place, what, f"name the model that looks at whole pictures: {of.crops.of}")
    else:
        for camera_name, camera in _cameras_of(config, name):
            if crops.of not in config.models_of(camera):
                what = f"{crops.of!r} does not look at camera {camera_name!r}, and this model does"
                yield Finding(place, what, f"add {crops.of} to that camera's `models`")
                break
        classes = known_model(config, crops.of, answers).classes
        for i, label in enumerate(crops.labels):
            if classes is not None and label not in classes:
                what = f"{crops.of!r} has no class {label!r}"
                yield Finding((*path, "labels", i), what, closest(label, classes))
        if of.shadow and not model.shadow:
            what = f"{crops.of!r} is a shadow model, so this one runs only where something is left over"
            yield Finding(place, what, "mark this model `shadow: true` as well", warning=True)


@dataclass(frozen=True, slots=True)
class _Statable:
    """What the other models of a camera can state."""

    camera: str
    models: tuple[KnownModel, ...]

    @property
    def complete(self) -> bool:
        """Whether all of it is known before anything is loaded."""
        return all(model.classes is not None for model in self.models)

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(name for model in self.models for name in (*(model.classes or ()), *model.signals)))


_ADD_MOTION = "add motion to the camera's `models`"


def _check_requirements(
    config: Config,
    name: str,
    model: ModelConfig,
    answers: Mapping[str, ModelAnswer],
    rule_check: RuleCheck | None,
) -> Iterator[Finding]:
    own = _stated(known_model(config, name, answers), config)
    for required in model.requires:
        path: KeyPath = ("models", name, "requires", _place_of(model, required))
        for camera_name, camera in _cameras_of(config, name):
            others = tuple(
                _stated(known_model(config, other, answers), config)
                for other in config.models_of(camera)
                if other != name and config.model(other) is not None
            )
            can = _Statable(camera_name, others)
            if required in can.names or (can.models and not can.complete) or _follows(required, can, rule_check):
                continue
            if required in (*(own.classes or ()), *own.signals):
                what = f"on camera {camera_name!r} only this model states {required!r}, and it cannot wait for itself"
                advice = "add a model that states it to the camera's `models`"
            else:
                what = f"no other model on camera {camera_name!r} states {required!r}"
                advice = closest(required, can.names) if can.names else "give the camera a model that does"
                if required in MOTION_STATES and (config.models or camera.models is not None):
                    # Where a camera has all of `models`, a list with `motion` alone would take the others away.
                    everything = camera.models is None
                    advice = "add `motion: {kind: motion}` to `models`" if everything else _ADD_MOTION
            yield Finding(path, what, advice)
            break


def _place_of(model: ModelConfig, required: str) -> str | int:
    """Where the name stands: a place in a list, or a key."""
    return required if any(model.requires.values()) else list(model.requires).index(required)


def _stated(model: KnownModel, config: Config) -> KnownModel:
    own = config.model(model.name)
    if own is not None and own.kind == "motion":
        return KnownModel(model.name, model.classes, MOTION_STATES)
    return model


def _follows(required: str, can: _Statable, rule_check: RuleCheck | None) -> bool:
    """Whether it is one of the signals that follow from what models find, as the rule language knows them."""
    if rule_check is None or not can.models or not required.isidentifier():
        return False
    return not rule_check(RuleQuestion("requires", required, can.camera, (), can.models))

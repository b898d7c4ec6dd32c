"""Checks what models ask of each other and of their share: rates, crops, shared executors; what they require of each
other is apart (`requirement_checks`).

What a model finds is known where its file or the configuration says it; the rest only the run can tell.
"""

from collections.abc import Iterator, Mapping

from penstock.config.crosscheck import Finding, RuleCheck, known_model
from penstock.config.model_questions import ModelAnswer
from penstock.config.problems import KeyPath, closest
from penstock.config.requirement_checks import cameras_of, check_requirements
from penstock.config.schema import Config, ModelConfig

_HEADS_WITHOUT_BOXES = ("classification", "anomaly")


def check_lanes(
    config: Config, answers: Mapping[str, ModelAnswer] | None = None, rule_check: RuleCheck | None = None
) -> Iterator[Finding]:
    """Everything about rates, requirements, crops and executors; `answers` are what the models' files say."""
    yield from _check_rates(config)
    yield from _check_executors(config)
    for name, model in config.models.items():
        yield from _check_crops(config, name, model, answers or {})
    yield from check_requirements(config, answers or {}, rule_check)


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
        for camera_name, camera in cameras_of(config, name):
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
        for camera_name, camera in cameras_of(config, name):
            if crops.of not in config.models_of(camera):
                what = f"{crops.of!r} does not look at camera {camera_name!r}, and this model does"
                yield Finding(place, what, f"add {crops.of} to that camera's `models`")
                break
        answer = answers.get(crops.of)
        if of.head in _HEADS_WITHOUT_BOXES or (answer is not None and answer.boxes is False):
            what = f"{crops.of!r} judges whole pictures and finds no boxes, so there is nothing to look at"
            yield Finding(place, what, "name a model that finds boxes, or remove `crops`")
            return
        classes = known_model(config, crops.of, answers).classes
        for i, label in enumerate(crops.labels):
            if classes is not None and label not in classes:
                what = f"{crops.of!r} has no class {label!r}"
                yield Finding((*path, "labels", i), what, closest(label, classes))
        if of.shadow and not model.shadow:
            what = f"{crops.of!r} is a shadow model, so this one runs only where something is left over"
            yield Finding(place, what, "mark this model `shadow: true` as well", warning=True)

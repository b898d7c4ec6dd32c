"""Checks what one key says against what others say: names that must exist, and sums that must fit.

Checks of files on this host are apart (`check_files`), for a configuration may be checked elsewhere than it runs.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from penstock.base.redaction import redact
from penstock.base.units import format_duration
from penstock.config.addresses import PLUGIN, SCHEMES, address_scheme, meant_address
from penstock.config.fields import Point, crosses_itself
from penstock.config.model_questions import ModelAnswer
from penstock.config.problems import KeyPath, closest
from penstock.config.schema import CameraConfig, Config
from penstock.contracts.identity import Role

ANOMALY_SIGNALS = ("anomaly_score", "Anomalous")
"""What anomaly detectors state"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at `path`; `within` is offset and length in characters inside a text."""

    path: KeyPath
    what: str
    suggestion: str = ""
    at_key: bool = False
    warning: bool = False
    within: tuple[int, int] | None = None
    text: str = ""
    """what `within` counts in"""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that looks at a camera, and what a rule can say of it."""

    name: str
    classes: tuple[str, ...] | None
    """None where only the loaded model knows them"""
    signals: tuple[str, ...] = ()
    shadow: bool = False
    """on trial: rules speak of it, and its events go nowhere"""


@dataclass(frozen=True, slots=True)
class RuleQuestion:
    """One rule on one camera, as the configuration knows it."""

    rule: str
    when: str
    camera: str
    zones: tuple[tuple[str, tuple[Point, ...]], ...]
    models: tuple[KnownModel, ...]
    in_file: bool = True
    """False for what was said on the command line"""


@dataclass(frozen=True, slots=True)
class RuleProblem:
    """What is wrong with a rule's text, and where in it."""

    what: str
    suggestion: str = ""
    offset: int = 0
    length: int = 1


RuleCheck = Callable[[RuleQuestion], list[RuleProblem]]
"""Asks those who know the grammar: `runtime.rule_check` gives it, for this room does not know rules."""


def model_findings(config: Config, answers: Mapping[str, ModelAnswer]) -> Iterator[Finding]:
    """What is wrong with the models, where it is written."""
    for name, answer in answers.items():
        for problem in answer.problems:
            path: KeyPath = ("models", name, problem.key)
            if problem.key == "labels":
                # The one that is meant, where the message quotes it.
                labels = config.models[name].labels
                path = (*path, *([i for i, label in enumerate(labels) if repr(label) in problem.what][:1]))
            yield Finding(path, problem.what, problem.suggestion)


def check(config: Config) -> Iterator[Finding]:
    """Everything that needs no look at this host."""
    if not config.cameras:
        yield Finding(("cameras",), "no camera", "name at least one: `cameras: {front: {url: rtsp://…}}`", True)
    elif not any(camera.enabled for camera in config.cameras.values()):
        yield Finding(("cameras",), "no camera is enabled", "set `enabled: true` for at least one", True)
    for name, camera in config.cameras.items():
        yield from _check_camera(config, camera, ("cameras", name))
    for name, model in config.models.items():
        if model.kind == "onnx" and not model.path:
            yield Finding(("models", name), "`path` is missing", "name the ONNX file", True)
        if model.kind == "python":
            yield from _check_plugin(model.plugin, ("models", name))
        elif model.plugin:
            yield Finding(("models", name, "plugin"), "only `kind: python` has a plugin", "set `kind: python`", True)
        if name == "motion" and model.kind != "motion":
            yield Finding(("models", name), "`motion` is the built-in model", "name this one otherwise", True)
        unknown = [label for label in model.labels if model.class_names and label not in model.class_names]
        for label in unknown:
            path = ("models", name, "labels", model.labels.index(label))
            yield Finding(path, f"the model has no class {label!r}", closest(label, model.class_names))
    for name, rule in config.rules.items():
        for i, camera_name in enumerate(rule.cameras):
            if camera_name not in config.cameras:
                what = f"there is no camera {camera_name!r}"
                yield Finding(("rules", name, "cameras", i), what, closest(camera_name, list(config.cameras)))
    devices = {model.device.lower() for model in config.models.values()} | {"cpu"}
    plugins = {model.executor or name for name, model in config.models.items() if model.kind == "python"}
    for device in config.executors:
        if device.lower() not in devices and device not in plugins:
            what = f"no model runs on {device!r}"
            advice = closest(device, sorted(devices | plugins))
            yield Finding(("executors", device), what, advice, True, warning=True)


def _check_camera(config: Config, camera: CameraConfig, path: KeyPath) -> Iterator[Finding]:
    if camera.url and camera.inputs:
        yield Finding((*path, "url"), "`url` is the short form of `inputs`, and both are given", "keep one", True)
    if not camera.streams:
        yield Finding(path, "no stream", "write `url: rtsp://…`, or `inputs:` for more than one", True)
    roles = Counter(role for stream in camera.streams for role in stream.roles)
    for i, stream in enumerate(camera.streams):
        place = (*path, "inputs", i, "path") if camera.inputs else (*path, "url")
        scheme = address_scheme(stream.path)
        yield from _check_address(stream.path, scheme, place)
        for j, role in enumerate(stream.roles):
            if roles[role] > 1 and any(role in other.roles for other in camera.streams[:i]):
                what = f"another input of this camera has the role {role.value} already"
                yield Finding((*path, "inputs", i, "roles", j), what, "give each role once")
    models = config.models_of(camera)
    if camera.streams and models and not roles[Role.DETECT]:
        yield Finding((*path, "inputs"), "no input has the role detect", "add `detect` to the roles of one", True)
    if camera.streams and camera.record.enabled and not roles[Role.RECORD]:
        what = "no input has the role record, so events get no clip"
        yield Finding((*path, "inputs"), what, "add `record` to the roles of one", True, warning=True)
    known = [*config.models, *([] if "motion" in config.models else ["motion"])]
    for i, model in enumerate(models):
        if model not in known:
            yield Finding((*path, "models", i), f"there is no model {model!r}", closest(model, known))
        elif model in models[:i]:
            yield Finding((*path, "models", i), f"{model!r} is named twice", "name each model once")
    if camera.record.enabled and camera.record.pre_capture_ns > camera.buffer.duration_ns:
        held = format_duration(camera.buffer.duration_ns)
        what = f"longer than the {held} that are kept in memory"
        yield Finding((*path, "record", "pre_capture"), what, "shorten it, or raise buffer.duration")
    for zone, shape in camera.zones.items():
        if crosses_itself(shape.coordinates):
            place = (*path, "zones", zone, "coordinates")
            yield Finding(place, "the outline crosses itself", "give the points in order around it", warning=True)


def _check_address(address: str, scheme: str, place: KeyPath) -> Iterator[Finding]:
    if scheme == "python":
        module, _, factory = address.removeprefix(PLUGIN).rpartition(":")
        if not module or not factory.isidentifier():
            what = "it names no factory of a source plugin"
            yield Finding(place, what, "write python:package.module:factory or python:/path/file.py:factory")
    elif scheme == "push":
        if not re.fullmatch(r"push://[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}/?", address):
            what = "push:// takes a plain name"
            yield Finding(place, what, "letters, digits, `_`, `-` and `.`, such as push://crane")
    elif meant := meant_address(address, Path("/")):
        yield Finding(place, f"an address begins with {meant.partition('://')[0]}://", f"write {redact(meant)}")
    elif scheme and scheme not in SCHEMES:
        yield Finding(place, f"addresses with {scheme}:// are not known", closest(scheme, SCHEMES))


def check_files(config: Config) -> Iterator[Finding]:
    """Files that must be here; paths are absolute by now."""
    for name, model in config.models.items():
        if model.kind == "onnx" and model.path:
            yield from _check_file(Path(model.path), ("models", name, "path"))
        if model.kind == "python" and (file := plugin_file(model.plugin)):
            yield from _check_file(Path(file), ("models", name, "plugin"))
    for name, camera in config.cameras.items():
        if not camera.enabled:
            continue
        for i, stream in enumerate(camera.streams):
            path: KeyPath = ("cameras", name, "inputs", i, "path") if camera.inputs else ("cameras", name, "url")
            if meant_address(stream.path, Path("/")):
                continue  # told by `check`
            if address_scheme(stream.path) in ("", "file"):
                yield from _check_file(Path(stream.path.removeprefix("file://")), path)
            elif stream.path.startswith(PLUGIN) and (file := plugin_file(stream.path.removeprefix(PLUGIN))):
                yield from _check_file(Path(file), path)
            if stream.tls_ca:
                place = ("cameras", name, *(("inputs", i) if camera.inputs else ("input",)), "tls_ca")
                yield from _check_file(Path(stream.tls_ca), place)
    folder = Path(config.data_dir)
    there = next((parent for parent in (folder, *folder.parents) if parent.exists()), folder)
    if not there.is_dir():
        yield Finding(("data_dir",), f"{there} is a file, not a folder", "name another folder")
    elif not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            ("data_dir",), f"{there} cannot be written by this user", "name another folder, or give the right"
        )


def plugin_file(plugin: str) -> str:
    """The file of `file.py:Class`; empty for `package.module:Class`."""
    where = plugin.rpartition(":")[0]
    return where if where.endswith(".py") else ""


def _check_plugin(plugin: str, path: KeyPath) -> Iterator[Finding]:
    form = "write `plugin: file.py:Class` or `plugin: package.module:Class`"
    if not plugin:
        yield Finding(path, "`plugin` is missing", form, True)
        return
    where, _, class_name = plugin.rpartition(":")
    importable = where.endswith(".py") or all(part.isidentifier() for part in where.split("."))
    if not class_name.isidentifier() or not importable:
        yield Finding((*path, "plugin"), f"{plugin!r} names no class", form)


def _check_file(file: Path, path: KeyPath) -> Iterator[Finding]:
    if file.is_dir():
        yield Finding(path, f"{file} is a folder, not a file")
    elif not file.exists():
        beside = [other.name for other in file.parent.iterdir()] if file.parent.is_dir() else []
        found = closest(file.name, beside)
        yield Finding(path, f"there is no file {file}", found if found.startswith("did") else "check the path")
    elif not os.access(file, os.R_OK):
        yield Finding(path, f"{file} cannot be read by this user", "give the right to read it")


def check_rules(
    config: Config, rule_check: RuleCheck, answers: Mapping[str, ModelAnswer] | None = None, *, in_file: bool = True
) -> Iterator[Finding]:
    """Asks `rule_check` about every rule on every enabled camera that it watches; each finding once.

    `answers` are what the models' files say.
    """
    for name, rule in config.rules.items():
        seen: set[RuleProblem] = set()
        for camera_name, camera in config.cameras.items():
            if not camera.enabled or (rule.cameras and camera_name not in rule.cameras):
                continue
            question = RuleQuestion(
                rule=name,
                when=rule.when,
                camera=camera_name,
                zones=tuple((zone, shape.coordinates) for zone, shape in camera.zones.items()),
                models=known_models(config, camera, answers or {}),
                in_file=in_file,
            )
            for problem in rule_check(question):
                if problem not in seen:
                    seen.add(problem)
                    within = (problem.offset, problem.length)
                    yield Finding(
                        ("rules", name, "when"), problem.what, problem.suggestion, within=within, text=rule.when
                    )


def known_models(config: Config, camera: CameraConfig, answers: Mapping[str, ModelAnswer]) -> tuple[KnownModel, ...]:
    """All that look at `camera`, shadow models marked."""
    found = []
    for name in config.models_of(camera):
        model = config.model(name)
        shadow = model is not None and model.shadow
        found.append(replace(known_model(config, name, answers), shadow=shadow))
    return tuple(found)


def known_model(config: Config, name: str, answers: Mapping[str, ModelAnswer]) -> KnownModel:
    """What is known of a model before it is loaded; `answers` are what the models' files say."""
    model = config.model(name)
    answer = answers.get(name)
    if answer is not None and answer.classes is not None:
        return KnownModel(name, answer.classes, answer.signals)
    if answer is not None and any(problem.key in ("head", "labels", "class_names") for problem in answer.problems):
        return KnownModel(name, None)  # its labels are not to be believed
    if model is None:
        return KnownModel(name, None)
    if model.kind == "motion":
        return KnownModel(name, ("motion",), ("motion",))
    if model.kind == "python":
        # Its class says what it states, and is not run to check a configuration.
        return KnownModel(name, None)
    classes = model.labels or model.class_names
    # Whether they are classes of boxes or of whole pictures, only the file tells.
    signals = (*classes, *ANOMALY_SIGNALS) if model.head in ("auto", "classification", "anomaly") else ()
    return KnownModel(name, classes or None, signals)

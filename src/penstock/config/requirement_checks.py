"""Checks what models require of each other: that somebody on the camera states it, and that nobody waits for himself.

What a model states is known where its file or the configuration says it; where only the loaded model knows, every name
may be one of its, and the run tells of those that are not.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from penstock.config.crosscheck import Finding, KnownModel, RuleCheck, RuleQuestion, known_model
from penstock.config.model_questions import ModelAnswer
from penstock.config.problems import KeyPath, closest
from penstock.config.schema import CameraConfig, Config, ModelConfig

MOTION_STATES = ("motion", "MotionLevel")
_ADD_MOTION = "add motion to the camera's `models`"
_DID_YOU_MEAN_MOTION = tuple(closest(state, MOTION_STATES) for state in MOTION_STATES)


def check_requirements(
    config: Config, answers: Mapping[str, ModelAnswer], rule_check: RuleCheck | None
) -> Iterator[Finding]:
    """Everything about `requires`; `answers` are what the models' files say."""
    for name, model in config.models.items():
        yield from _check_model(config, name, model, answers, rule_check)
    if not any(model.requires for model in config.models.values()):
        return
    told: set[frozenset[str]] = set()
    seen: set[tuple[str, ...]] = set()
    for camera_name, camera in config.cameras.items():
        if not camera.enabled or config.models_of(camera) in seen:
            continue
        seen.add(config.models_of(camera))
        for cycle in _Waiting(config, camera_name, camera, answers, rule_check).cycles():
            if frozenset(cycle.models) not in told:
                told.add(frozenset(cycle.models))
                yield cycle.finding(config)


def cameras_of(config: Config, model: str) -> Iterator[tuple[str, CameraConfig]]:
    """The enabled cameras that `model` looks at."""
    for name, camera in config.cameras.items():
        if camera.enabled and model in config.models_of(camera):
            yield name, camera


@dataclass(frozen=True, slots=True)
class _Statable:
    """What some models of a camera can state."""

    camera: str
    models: tuple[KnownModel, ...]

    @property
    def complete(self) -> bool:
        """Whether all of it is known before anything is loaded."""
        return all(model.classes is not None for model in self.models)

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(name for model in self.models for name in (*(model.classes or ()), *model.signals)))

    def may_state(self, required: str, rule_check: RuleCheck | None) -> bool:
        """Whether one of them states it, or could, or it follows from what they find."""
        if not self.models:
            return False
        return required in self.names or not self.complete or self._follows(required, rule_check)

    def _follows(self, required: str, rule_check: RuleCheck | None) -> bool:
        """Whether it is one of the signals that follow from what models find, as the rule language knows them."""
        if rule_check is None or not required.isidentifier():
            return False
        return not rule_check(RuleQuestion("requires", required, self.camera, (), self.models))


def _check_model(
    config: Config,
    name: str,
    model: ModelConfig,
    answers: Mapping[str, ModelAnswer],
    rule_check: RuleCheck | None,
) -> Iterator[Finding]:
    own = _stated(known_model(config, name, answers), config)
    for required in model.requires:
        path: KeyPath = ("models", name, "requires", _place_of(model, required))
        for camera_name, camera in cameras_of(config, name):
            others = tuple(known for known in _models_on(config, camera, answers) if known.name != name)
            can = _Statable(camera_name, others)
            if can.may_state(required, rule_check):
                continue
            if required in (*(own.classes or ()), *own.signals):
                what = f"on camera {camera_name!r} only this model states {required!r}, and it cannot wait for itself"
                advice = "add a model that states it to the camera's `models`"
            else:
                what = f"no other model on camera {camera_name!r} states {required!r}"
                advice = closest(required, can.names) if can.names else "give the camera a model that does"
                advice = _about_motion(config, camera, required, can) or advice
            yield Finding(path, what, advice)
            break


def _about_motion(config: Config, camera: CameraConfig, required: str, can: _Statable) -> str:
    """What to do where the built-in model is meant, which is there for the asking and not on this camera."""
    there = any(state in can.names for state in MOTION_STATES)
    meant = closest(required, (*can.names, *MOTION_STATES))
    if there or meant not in _DID_YOU_MEAN_MOTION or not (config.models or camera.models is not None):
        return ""
    # Where a camera has all of `models`, a list with `motion` alone would take the others away.
    add = "add `motion: {kind: motion}` to `models`" if camera.models is None else _ADD_MOTION
    return add if required in MOTION_STATES else f"{meant} Then also {add}"


@dataclass(frozen=True, slots=True)
class _Cycle:
    """Models of one camera that wait for each other, each for the next and the last for the first."""

    camera: str
    models: tuple[str, ...]
    waits: tuple[str, ...]
    """for what, in the same order: a required name, or empty for the boxes of the next"""

    def finding(self, config: Config) -> Finding:
        """Told at the first of them that requires something: crops alone make no cycle."""
        first = next(place for place, required in enumerate(self.waits) if required)
        name, required = self.models[first], self.waits[first]
        path: KeyPath = ("models", name, "requires", _place_of(config.models[name], required))
        turned = [(first + step) % len(self.models) for step in range(len(self.models))]
        parts = [
            f"{self.models[place]!r} waits for "
            f"{self.models[(place + 1) % len(self.models)]!r} ({self.waits[place] or 'its boxes'})"
            for place in turned
        ]
        what = f"on camera {self.camera!r} {', '.join(parts[:-1])} and {parts[-1]}: none of them can ever run"
        return Finding(path, what, "remove this requirement, or add another model that states it")


class _Waiting:
    """Which models of one camera can never run, each waiting for another that cannot."""

    def __init__(
        self,
        config: Config,
        camera_name: str,
        camera: CameraConfig,
        answers: Mapping[str, ModelAnswer],
        rule_check: RuleCheck | None,
    ) -> None:
        self._config = config
        self._camera = camera_name
        self._known = {known.name: known for known in _models_on(config, camera, answers)}
        self._rule_check = rule_check

    def cycles(self) -> Iterator[_Cycle]:
        """One for each model that leads to one; what nobody states, and crops of crops, are told elsewhere."""
        stuck = self._stuck()
        for name in stuck:
            path, waits = [name], []
            while (step := self._next(path[-1], stuck)) is not None:
                waits.append(step[1])
                if step[0] in path:
                    first = path.index(step[0])
                    if any(waits[first:]):
                        yield _Cycle(self._camera, tuple(path[first:]), tuple(waits[first:]))
                    break
                path.append(step[0])

    def _stuck(self) -> list[str]:
        """All that are left when those began that wait for nobody, then those that wait only for these, and so on."""
        runs: list[str] = []
        while begun := [name for name in self._known if name not in runs and self._can_run(name, runs)]:
            runs += begun
        return [name for name in self._known if name not in runs]

    def _can_run(self, name: str, runs: Iterable[str]) -> bool:
        model = self._config.model(name)
        if model is None:
            return True
        if model.crops is not None and model.crops.of in self._known and model.crops.of not in runs:
            return False
        return all(self._may_state(required, runs) for required in model.requires)

    def _next(self, name: str, stuck: list[str]) -> tuple[str, str] | None:
        """A model that `name` waits for in vain, and for what of it; None where nobody at all states it."""
        model = self._config.model(name)
        assert model is not None, "what is not known waits for nobody"
        runs = [other for other in self._known if other not in stuck]
        for required in model.requires:
            if self._may_state(required, runs):
                continue
            others = [other for other in stuck if other != name and self._may_state(required, [other])]
            if others:
                # One that states it for sure tells more than one that only may.
                return min(others, key=lambda other: self._known[other].classes is None), required
        if model.crops is not None and model.crops.of in stuck and model.crops.of != name:
            return model.crops.of, ""
        return None

    def _may_state(self, required: str, models: Iterable[str]) -> bool:
        known = tuple(self._known[name] for name in models)
        return _Statable(self._camera, known).may_state(required, self._rule_check)


def _models_on(config: Config, camera: CameraConfig, answers: Mapping[str, ModelAnswer]) -> Iterator[KnownModel]:
    for name in dict.fromkeys(config.models_of(camera)):
        if config.model(name) is not None:
            yield _stated(known_model(config, name, answers), config)


def _place_of(model: ModelConfig, required: str) -> str | int:
    """Where the name stands: a place in a list, or a key."""
    return required if any(model.requires.values()) else list(model.requires).index(required)


def _stated(model: KnownModel, config: Config) -> KnownModel:
    own = config.model(model.name)
    if own is not None and own.kind == "motion":
        return KnownModel(model.name, model.classes, MOTION_STATES)
    return model

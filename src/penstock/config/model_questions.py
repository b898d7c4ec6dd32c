"""What the configuration asks about its models, and what it is answered: this room knows neither heads nor devices.

Its findings point at the keys that say what is wrong; classes found in a file let rules be checked before it is loaded.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from penstock.config.schema import Config


@dataclass(frozen=True, slots=True)
class ModelQuestion:
    """One model, as the configuration knows it; `path` and `plugin` are empty where files are not to be looked at."""

    kind: str
    path: str
    plugin: str
    device: str
    backend: str
    head: str
    class_names: tuple[str, ...]
    labels: tuple[str, ...]
    options: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class ModelProblem:
    """What is wrong with a model, and the key of it that says so."""

    key: str
    what: str
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What is wrong with a model, and what its file says of its classes and answers; None where it does not."""

    problems: tuple[ModelProblem, ...] = ()
    classes: tuple[str, ...] | None = None
    signals: tuple[str, ...] = ()
    boxes: bool | None = None
    """whether it finds boxes, which other models can look at; None where the file does not say"""


ModelCheck = Callable[[ModelQuestion], ModelAnswer]
"""Asks those who know heads, devices and files: `runtime.model_check` gives it."""


def check_models(config: Config, model_check: ModelCheck, *, files: bool) -> Iterator[tuple[str, ModelAnswer]]:
    """Asks `model_check` about every model; its name and the answer."""
    for name, model in config.models.items():
        question = ModelQuestion(
            kind=model.kind,
            path=model.path if files else "",
            plugin=model.plugin if files else "",
            device=model.device.lower(),
            backend=model.backend,
            head=model.head,
            class_names=model.class_names,
            labels=model.labels,
            options=tuple(model.options.items()),
        )
        yield name, model_check(question)

"""Checks plain values against the schema and words every finding so that its reader knows what to do."""

import typing
from collections.abc import Sequence
from enum import Enum
from typing import Any, Literal, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from penstock.config.document import Document
from penstock.config.inheritance import EXTENSION, has_placeholders_below
from penstock.config.problems import KeyPath, Problem, closest, dotted
from penstock.config.schema import Config, ConfigFile
from penstock.config.walk import annotation_at, is_section, keys_of

_ELSEWHERE = {
    "ffmpeg": "write `inputs:` directly under the camera",
    "objects": "write the classes to keep in `labels:` of a model",
    "model": "write `models:` with a name for each",
    "detectors": "write `device:` under a model",
    "mask": "draw a zone of the part that matters and use it in a rule",
    "width": "each model gets pictures in the size it wants; remove the key",
    "height": "each model gets pictures in the size it wants; remove the key",
}
"""Keys that users of other programs try, and where their meaning lives here"""

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "names, each with its settings",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "parameter_type": "a text, a number, true or false",
}


_SHAPES = ("model_type", "dict_type", "tuple_type", "missing", "extra_forbidden")
"""Mistakes that no text could mend"""


def validate(data: Any, document: Document | None) -> tuple[Config | None, list[Problem]]:
    """The configuration that `data` describes (cameras are whole), or None and everything that is wrong with it."""
    return _validated(Config, data, document)


def validate_written(document: Document) -> list[Problem]:
    """What is wrong with the file as it is written, templates that no camera uses included.

    Texts with placeholders are not judged: they are, once a camera has given its values.
    """
    data = document.data
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if not key.startswith(EXTENSION)}
    return _validated(ConfigFile, data, document)[1]


C = TypeVar("C", bound=Config)


def _validated(schema: type[C], data: Any, document: Document | None) -> tuple[C | None, list[Problem]]:
    try:
        return schema.model_validate(data if data is not None else {}), []
    except ValidationError as error:
        problems: list[Problem] = []
        for details in error.errors(include_url=False):
            shape = details["type"] in _SHAPES
            if schema is ConfigFile and document and not shape and has_placeholders_below(document, details["loc"]):
                continue
            problem = _problem(details, data, document)
            if problem is not None and problem not in problems:
                problems.append(problem)
        return None, problems


def _problem(details: ErrorDetails, data: Any, document: Document | None) -> Problem | None:
    path: KeyPath = details["loc"]
    kind = details["type"]
    bad_key = bool(path) and path[-1] == "[key]"
    if bad_key:
        path = path[:-1]
    elif "[key]" in path:
        return None
    if kind != "missing" and "inputs" in path and _absent(data, path):
        return None  # it came from the settings of all inputs, where it is told
    what, suggestion = _wording(kind, details, path, data, document, bad_key)
    at_key = bad_key or kind in ("extra_forbidden", "missing")
    shown = path if kind != "missing" else (*path[:-1],)
    if document is None:
        return Problem("command line", dotted(path), what, suggestion)
    written = dotted(document.inherited.get(path, path))
    if any(problem.path == written for problem in document.problems if not problem.warning):
        return None
    return document.problem(shown, what, suggestion, at_key=at_key and bool(shown))


def _absent(data: Any, path: KeyPath) -> bool:
    above = _value_at(data, path[:-1])
    return isinstance(above, dict) and path[-1] not in above


def _wording(
    kind: str,
    details: ErrorDetails,
    path: KeyPath,
    data: Any,
    document: Document | None,
    bad_key: bool,
) -> tuple[str, str]:
    context = details.get("ctx", {})
    value = written(_value_at(data, path), path, document)
    if bad_key:
        first = "" if "[A-Za-z0-9_][" in str(context.get("pattern")) else " and begin with a letter"
        return f"{str(path[-1])!r} cannot be a name", f"use at most 64 letters, digits, _ and -{first}"
    if kind == "extra_forbidden":
        section = annotation_at(ConfigFile, path[:-1])
        known = [key for key, _ in keys_of(section)] if is_section(section) else []
        key = str(path[-1])
        return "unknown key", _ELSEWHERE.get(key) or closest(key, known)
    if kind == "missing":
        return f"`{path[-1]}` is missing", _missing_advice(path)
    if details["input"] is None and kind != "value_error":
        return "has no value", "give it one, or remove the line"
    if kind in ("literal_error", "enum"):
        choices = choices_of(annotation_at(ConfigFile, path))
        return f"{value} is not one of {', '.join(choices)}", _did_you_mean(str(details["input"]), choices)
    if kind == "model_type" and path[-1:] == ("input",) and isinstance(details["input"], list):
        return "expected keys and values, not a list", "several streams are written under `inputs`"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, not {value}", ""
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        bound = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}[kind]
        words = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}[bound]
        return f"must be {words} {context[bound]:g}, not {value}", ""
    if kind in ("too_short", "string_too_short"):
        return "must not be empty", ""
    if kind == "string_pattern_mismatch":
        return f"{value} cannot be a name", "use at most 64 letters, digits, _ and -"
    if kind == "value_error":
        what = str(context["error"])
        raw = _value_at(data, path)
        return (what.replace(repr(raw), value) if isinstance(raw, str) else what), ""
    return f"{details['msg'][:1].lower()}{details['msg'][1:]}", ""


def written(value: Any, path: KeyPath, document: Document | None) -> str:
    """A value as its file has it, before variables were replaced; short."""
    entry = document.entries.get(path) if document else None
    if document and path in document.shown and isinstance(value, str) and path in document.inherited:
        return repr(document.shown[path])
    if entry is not None and entry.raw is not None:
        return repr(entry.raw) if isinstance(value, str) else entry.raw
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list):
        return "a list"
    return repr(value)


def choices_of(annotation: Any) -> list[str]:
    """The values that a key of fixed choices may have."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    if typing.get_origin(annotation) is Literal:
        return [str(choice) for choice in typing.get_args(annotation)]
    return []


def _did_you_mean(word: str, choices: Sequence[str]) -> str:
    found = closest(word, choices)
    return found if found.startswith("did") else ""


def _missing_advice(path: KeyPath) -> str:
    match path:
        case ("cameras",):
            return "name at least one camera: `cameras: {front: {url: rtsp://…}}`"
        case (*_, "when"):
            return "write the condition: `when: count(person) >= 1 for 1s`"
        case (*_, "coordinates"):
            return "write its points: `coordinates: 0.1,0.2,0.5,0.2,0.5,0.9`"
        case (*_, "path"):
            return "write the address or file"
        case _:
            return ""


def _value_at(data: Any, path: KeyPath) -> Any:
    for part in path:
        if isinstance(data, dict):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data

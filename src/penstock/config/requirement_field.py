"""What a model requires, as people write it: a name, a list of names, or names with how long ago each may have been."""

from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from penstock.config.fields import DURATION_SCHEMA, Written, duration_ns, written_duration
from penstock.config.substitution import VARIABLE_TEXT

_SHAPE = "expected names such as [motion], or names with a duration such as {person: 2s}"


def requirements(value: Any) -> dict[str, int]:
    """Nanoseconds by name; 0 where none are given: then whatever states it must still be valid."""
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list | tuple):
        found = dict.fromkeys(value, 0) if all(isinstance(name, str) for name in value) else None
        if found is None or len(found) != len(value):
            raise ValueError(_SHAPE if found is None else "a name is given twice")
    elif isinstance(value, dict):
        found = {name: duration_ns(within) for name, within in value.items()}
    else:
        raise ValueError(_SHAPE)
    if not all(isinstance(name, str) and name.strip() for name in found):
        raise ValueError(_SHAPE)
    return found


def written_requirements(value: dict[str, int]) -> list[str] | dict[str, str]:
    """As one would write it in the file."""
    return {name: written_duration(ns) for name, ns in value.items()} if any(value.values()) else list(value)


_NAME = {"type": "string", "pattern": r"\S"}
_SCHEMA = {
    "type": ["string", "array", "object"],
    "pattern": r"\S",
    "items": _NAME,
    "uniqueItems": True,
    "propertyNames": _NAME,
    "additionalProperties": {**DURATION_SCHEMA, "pattern": f"{DURATION_SCHEMA['pattern']}|{VARIABLE_TEXT}"},
}
Requirements = Annotated[
    dict[str, int],
    BeforeValidator(requirements),
    PlainSerializer(written_requirements),
    Written("list of names, or durations by name", _SCHEMA),
]

"""Finds the part of the schema that a key path leads to: for suggestions and for the reference."""

import typing
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any

from pydantic.fields import FieldInfo

from penstock.config.camera_schema import Section
from penstock.config.problems import KeyPath


def key_of(name: str, field: FieldInfo) -> str:
    """The key as the file has it."""
    return field.alias or name


def keys_of(section: type[Section]) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in section.model_fields.items():
        yield key_of(name, field), field


def without_none(annotation: Any) -> Any:
    """`X` of `X | None`; anything else as it is."""
    if typing.get_origin(annotation) in (UnionType, typing.Union):
        rest = [part for part in typing.get_args(annotation) if part is not NoneType]
        return rest[0] if len(rest) == 1 else annotation
    return annotation


def annotation_at(section: type[Section], path: KeyPath) -> Any:
    """The type of the value at `path` below `section`; None where the schema has no such place."""
    here: Any = section
    for part in path:
        here = without_none(here)
        origin, args = typing.get_origin(here), typing.get_args(here)
        if is_section(here):
            here = next((field.annotation for key, field in keys_of(here) if key == part), None)
        elif origin is dict:
            here = args[1]
        elif origin in (tuple, list):
            here = args[0]
        else:
            return None
    return without_none(here)


def is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)

"""The JSON Schema (draft 2020-12) of the file, for editors that complete and check while one types.

Written from the sections themselves, because the file has other forms than the program's values: durations and sizes
are texts, variables may stand for anything, parts of cameras may be `null` and hold placeholders. It never
refuses what the loader takes. What it cannot know (names that must exist, variables' values, sums) it leaves to
`penstock check`.
"""

import re
import typing
from enum import Enum
from typing import Any

from pydantic import StringConstraints
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from penstock.config.camera_schema import CameraSection, Section
from penstock.config.fields import Written
from penstock.config.inheritance import EXTENSION
from penstock.config.schema import ConfigFile, RuleConfig
from penstock.config.substitution import PLACEHOLDER_TEXT, VARIABLE_TEXT
from penstock.config.validation import choices_of
from penstock.config.walk import is_section, keys_of, without_none

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The whole schema."""
    definitions: dict[str, Any] = {}
    top = _section(ConfigFile, definitions)
    # Keys of nobody: a place for anchors.
    top["patternProperties"] = {f"^{EXTENSION}": {}}
    return {"$schema": DRAFT, **top, "title": "Penstock configuration", "$defs": dict(sorted(definitions.items()))}


def default_of(field: FieldInfo) -> Any:
    """A key's default as the file would have it; None where there is none to tell."""
    default = field.default
    if default is PydanticUndefined or default is None or isinstance(default, Section) or default in ("", (), {}):
        return None
    written = next((item for item in field.metadata if isinstance(item, Written)), None)
    if written is not None and written.text is not None:
        return written.text(default)
    if isinstance(default, tuple):
        return [item.value if isinstance(item, Enum) else item for item in default]
    if isinstance(default, Enum):
        return default.value
    return int(default) if isinstance(default, float) and default == int(default) else default


def title_of(section: type[Section]) -> str:
    """`Record` of `RecordConfig`."""
    name = re.sub(r"(Config|Entry)$", "", section.__name__)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


def _section(section: type[Section], definitions: dict[str, Any]) -> dict[str, Any]:
    inheritable = issubclass(section, CameraSection)
    properties = {}
    required = []
    for key, field in keys_of(section):
        schema = _value(field.annotation, list(field.metadata), definitions, inheritable)
        description = _one_line(field.description)
        if inheritable and not field.is_required():
            schema = _nullable(schema)
        if field.is_required():
            required.append(key)
        elif (default := default_of(field)) is not None:
            schema["default"] = default
        properties[key] = {"title": key, **({"description": description} if description else {}), **schema}
    result: dict[str, Any] = {
        "title": title_of(section),
        "description": _one_line(section.__doc__),
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return {**result, "required": required} if required else result


def _reference(section: type[Section], definitions: dict[str, Any]) -> dict[str, Any]:
    name = section.__name__.removesuffix("Config")
    if name not in definitions:
        definitions[name] = {}
        schema = _section(section, definitions)
        if section is RuleConfig:
            text = {
                "type": "string",
                "minLength": 1,
                "description": "The condition alone, such as `count(person) >= 1`.",
            }
            schema = {"title": schema["title"], "description": schema["description"], "anyOf": [text, schema]}
        definitions[name] = schema
    return {"$ref": f"#/$defs/{name}"}


def _value(annotation: Any, metadata: list[Any], definitions: dict[str, Any], inheritable: bool) -> dict[str, Any]:
    optional = annotation != without_none(annotation)
    annotation = without_none(annotation)
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *more = typing.get_args(annotation)
        metadata = [*more, *metadata]
    schema = _bounded(_plain(annotation, metadata, definitions, inheritable), metadata)
    schema = _replaceable(schema, inheritable)
    return _nullable(schema) if optional else schema


def _plain(annotation: Any, metadata: list[Any], definitions: dict[str, Any], inheritable: bool) -> dict[str, Any]:
    written = next((item for item in metadata if isinstance(item, Written)), None)
    if written is not None:
        return _copied(written.schema)
    if is_section(annotation):
        return _reference(annotation, definitions)
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is dict:
        names = _value(args[0], [], definitions, False)
        below = _value(args[1], [], definitions, inheritable)
        if inheritable:
            below = _nullable(below)
        schema: dict[str, Any] = {"type": "object", "additionalProperties": below}
        # Keys are never replaced.
        pattern = names.get("pattern", "").removesuffix(f"|{VARIABLE_TEXT}")
        return {**schema, "propertyNames": {"pattern": pattern}} if pattern else schema
    if origin is tuple:
        return {"type": "array", "items": _value(args[0], [], definitions, inheritable)}
    if choices := choices_of(annotation):
        return {"enum": choices}
    assert annotation is str, annotation
    pattern = next((item.pattern for item in metadata if isinstance(item, StringConstraints)), None)
    return {"type": "string", "pattern": str(pattern)} if pattern else {"type": "string"}


def _bounded(schema: dict[str, Any], metadata: list[Any]) -> dict[str, Any]:
    """With the limits that stand beside the type; patterns and bounds concern only values that they fit."""
    array = schema.get("type") == "array" or "items" in schema
    names = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
    names["min_length"] = "minItems" if array else "minLength"
    names["pattern"] = "pattern"
    for item in metadata:
        for name, keyword in names.items():
            limit = getattr(item, name, None)
            if limit is not None and not isinstance(item, Written):
                schema[keyword] = limit
    return schema


def _replaceable(schema: dict[str, Any], inheritable: bool) -> dict[str, Any]:
    """Lets a variable, and in cameras a placeholder, stand wherever a text, number or choice may."""
    replaced = f"{VARIABLE_TEXT}|{PLACEHOLDER_TEXT}" if inheritable else VARIABLE_TEXT
    if "enum" in schema:
        return {"anyOf": [schema, {"type": "string", "pattern": replaced}]}
    if "pattern" in schema and not schema["pattern"].endswith(replaced):
        schema["pattern"] += f"|{replaced}"
    if isinstance(schema.get("items"), dict):
        schema["items"] = (
            _replaceable(schema["items"], inheritable) if "$ref" not in schema["items"] else schema["items"]
        )
    return schema


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    kind = schema.get("type")
    if isinstance(kind, str):
        return {**schema, "type": [kind, "null"]}
    if isinstance(kind, list):
        return schema if "null" in kind else {**schema, "type": [*kind, "null"]}
    choices = schema.get("anyOf", [schema])
    return schema if {"type": "null"} in choices else {"anyOf": [*choices, {"type": "null"}]}


def _copied(schema: typing.Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) if isinstance(value, dict) else value for key, value in schema.items()}


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())

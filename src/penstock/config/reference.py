"""The page that explains every key, and the JSON Schema for editors: both made from the schema, so both are true."""

import types
import typing
from enum import Enum
from typing import Any

from pydantic.fields import FieldInfo
from pydantic.json_schema import WithJsonSchema

from penstock.config.fields import written_duration, written_size
from penstock.config.schema import Config, Section
from penstock.config.validation import choices_of
from penstock.config.walk import is_section, keys_of, without_none

_HEAD = """# Configuration

One YAML file (YAML 1.2) says everything: `penstock check FILE` checks it, `penstock run FILE` runs it.
This page is made from the program's own schema by `penstock schema --markdown`.

- Unknown keys and duplicate keys are errors. All errors of a file are shown together, each with its line.
- A **duration** is a text such as `500ms`, `5s` or `1m30s`, or a number of seconds. A **size** is a text such as
  `512kB` or `32MiB`, or a number of bytes.
- `${NAME}` inside a value is replaced by the environment variable NAME, which must be set; `${NAME:-default}`
  has a default for where it is unset or empty; `$${` stands for the two signs themselves. Keys are never replaced.
  Inside `{ }` and `[ ]`, put such text in quotes.
- Relative paths start at the folder of the file.
- Anchors and merges (`&name`, `<<: *name`) may be used to say a thing once.

```yaml
cameras:
  front:
    url: rtsp://viewer:${CAM_PASSWORD}@10.0.0.5/stream1
    models: [people]
    zones:
      gate: {coordinates: "0.1,0.2,0.5,0.2,0.5,0.9"}
models:
  people: {path: yolox_nano.onnx, confidence: 0.3, labels: [person]}
rules:
  two_people: {when: "count(person) >= 2 for 1s", cameras: [front], severity: alert}
  somebody_at_the_gate: count(person in gate) >= 1 for 2s
```
"""


def reference_markdown() -> str:
    """`docs/configuration.md`, whole."""
    parts = [_HEAD]
    _write(Config, "", parts)
    return "\n".join(parts)


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the file, for editors that complete and check while one types."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema(by_alias=True)}


def _write(section: type[Section], path: str, parts: list[str]) -> None:
    title = f"## `{path}`" if path else "## Top level"
    parts.append(f"{title}\n\n{section.__doc__}\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |")
    below: list[tuple[type[Section], str]] = []
    rows = []
    for key, field in keys_of(section):
        value, child, suffix = _value(field)
        if child is not None:
            below.append((child, f"{path}.{key}{suffix}" if path else f"{key}{suffix}"))
        meaning = field.description or (child.__doc__ if child else "") or ""
        rows.append(f"| `{key}` | {value} | {_default(field, child)} | {' '.join(meaning.split())} |")
    parts[-1] += "\n" + "\n".join(rows) + "\n"
    for child, where in below:
        _write(child, where, parts)


def _value(field: FieldInfo) -> tuple[str, type[Section] | None, str]:
    """What may stand there, in words; the section below it; and how its path goes on."""
    return _words(without_none(field.annotation), [*field.metadata])


def _words(annotation: Any, metadata: list[Any]) -> tuple[str, type[Section] | None, str]:
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *more = typing.get_args(annotation)
        return _words(annotation, [*metadata, *more])
    written = next((item.json_schema for item in metadata if isinstance(item, WithJsonSchema)), None)
    if written:
        return str(written.get("description", "")).split(":", 1)[0], None, ""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if is_section(annotation):
        return "section", annotation, ""
    if origin is dict:
        words, child, _ = _words(args[1], [])
        return ("sections by name", child, ".NAME") if child else (f"{words}s by name", None, "")
    if origin is tuple:
        words, child, _ = _words(args[0], [])
        return (f"list of {words}s" if child else f"list of {words}"), child, "[]" if child else ""
    choices = choices_of(annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices), None, ""
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_words(kind, [])[0] for kind in args), None, ""
    names = {bool: "`true`, `false`", int: "whole number", float: "number", str: "text"}
    return names[annotation] + _bounds(metadata), None, ""


def _bounds(metadata: list[Any]) -> str:
    low = next((getattr(item, name) for item in metadata for name in ("ge", "gt") if hasattr(item, name)), None)
    high = next((getattr(item, name) for item in metadata for name in ("le", "lt") if hasattr(item, name)), None)
    open_low = any(hasattr(item, "gt") for item in metadata)
    if low is None or high is None:
        return ""
    return f" above {low:g}, at most {high:g}" if open_low else f" {low:g} to {high:g}"


def _default(field: FieldInfo, child: type[Section] | None) -> str:
    if field.is_required():
        return "required"
    default = field.default
    if default is None or default in ("", (), {}) or (child is not None):
        return ""
    written = next((item.json_schema for item in field.metadata if isinstance(item, WithJsonSchema)), None)
    if written and isinstance(default, int):
        kind = str(written.get("description", ""))
        return f"`{written_duration(default) if kind.startswith('duration') else written_size(default)}`"
    if isinstance(default, tuple):
        return f"`[{', '.join(str(item.value if isinstance(item, Enum) else item) for item in default)}]`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, Enum):
        return f"`{default.value}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"

"""The page that explains every key: made from the schema, so that it is true and complete."""

import typing
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from penstock.config.camera_schema import CameraConfig, CameraDefaults, CameraEntry, Section, TemplateConfig
from penstock.config.fields import Written
from penstock.config.json_schema import default_of
from penstock.config.schema import ConfigFile
from penstock.config.section_examples import EXAMPLES
from penstock.config.validation import choices_of
from penstock.config.walk import is_section, keys_of, without_none

_HEAD = """# Configuration

One YAML file (YAML 1.2) says everything: `penstock check FILE` checks it, `penstock run FILE` runs it.
This page is made from the program's own schema by `penstock schema --markdown`.

- Unknown keys and duplicate keys are errors. All errors of a file are shown together, each with its line; names, files
  and rules are checked once nothing but keys is wrong: after a wrong value is mended, look again.
- A **duration** is a text such as `500ms`, `5s` or `1m30s`, or a number of seconds. A **size** is a text such as
  `512kB` or `32MiB`, or a number of bytes.
- `${NAME}` inside a value is replaced by the environment variable NAME, which must be set; `${NAME:-default}`
  has a default for where it is unset or empty; `$${` stands for the two signs themselves. Keys are never replaced.
  Inside `{ }` and `[ ]`, put such text in quotes.
- Relative paths start at the folder of the file.
- Cameras inherit from `defaults` and from `templates`; [the guide](guide/configuration.md) tells how, and how an editor
  completes and checks the file while you type.
- `{NAME}` in a text of a camera, or in what it inherits, is replaced by the camera's `values`; `{name}` is its own
  name, and `{{NAME}}` stands for the braces themselves.
- Anchors and merges (`&name`, `<<: *name`) work too; keys of the top level that begin with `x-` are a place for them.
- Numbers, `true` and `false` may be written as texts, because what a variable holds is always a text.

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
    sections = list(_sections(ConfigFile, ""))
    index = "\n".join(
        f"- [{_title(path)}](#{_anchor(path)}): {_one_line(section.__doc__)}" for section, path in sections
    )
    pages = [_page(section, path) for section, path in sections]
    return "\n".join([_HEAD, f"## Sections\n\n{index}\n", *pages])


def _sections(section: type[Section], path: str) -> Iterator[tuple[type[Section], str]]:
    """Every section with its path, parents first; what cameras may inherit is told once, under the camera."""
    yield section, path
    if section in (CameraDefaults, TemplateConfig):
        return
    for key, field in keys_of(section):
        _, child, suffix = _value(field)
        if child is not None:
            yield from _sections(child, f"{path}.{key}{suffix}" if path else f"{key}{suffix}")


def _page(section: type[Section], path: str) -> str:
    rows = [f"## {_title(path)}\n\n{_one_line(section.__doc__)}\n", "| key | value | default | meaning |"]
    rows.append("| --- | --- | --- | --- |")
    told = set(CameraConfig.model_fields) if section in (CameraDefaults, TemplateConfig) else set()
    for key, field in _keys_by_use(section):
        if key in told:
            continue
        words, child, _ = _value(field)
        meaning = field.description or (child.__doc__ if child else "") or ""
        rows.append(f"| `{key}` | {words} | {_default(field)} | {_one_line(meaning)} |")
    if told:
        camera = _anchor("cameras.NAME")
        rows.append(f"| … | | | all keys of [`cameras.NAME`](#{camera}) and of the sections in it |")
    example = EXAMPLES.get(section)
    return "\n".join([*rows, *(["", "```yaml", example.rstrip(), "```"] if example else []), ""])


def _keys_by_use(section: type[Section]) -> list[tuple[str, FieldInfo]]:
    """A camera's keys with those first that say where the others come from."""
    first = ("template", "values") if section is CameraEntry or section is TemplateConfig else ()
    return sorted(keys_of(section), key=lambda item: item[0] not in first)


def _title(path: str) -> str:
    return f"`{path}`" if path else "Top level"


def _anchor(path: str) -> str:
    """As GitHub and most others make it of the title."""
    kept = "".join(char for char in path.lower() if char.isalnum() or char in "_-")
    return kept or "top-level"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _value(field: FieldInfo) -> tuple[str, type[Section] | None, str]:
    """What may stand there, in words; the section below it; and how its path goes on."""
    return _words(without_none(field.annotation), [*field.metadata])


def _words(annotation: Any, metadata: list[Any]) -> tuple[str, type[Section] | None, str]:
    if typing.get_origin(annotation) is typing.Annotated:
        annotation, *more = typing.get_args(annotation)
        return _words(annotation, [*metadata, *more])
    written = next((item for item in metadata if isinstance(item, Written)), None)
    if written:
        return written.words + _bounds(metadata), None, ""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if is_section(annotation):
        return "section", annotation, ""
    if origin is dict:
        words, child, _ = _words(args[1], [])
        return ("sections by name", child, ".NAME") if child else (f"by name: {words}", None, "")
    if origin is tuple:
        words, child, _ = _words(args[0], [])
        return (f"list of {words}s" if child else f"list of {words}"), child, "[]" if child else ""
    choices = choices_of(annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices), None, ""
    assert annotation is str, annotation
    return "text", None, ""


def _bounds(metadata: list[Any]) -> str:
    low = next((getattr(item, name) for item in metadata for name in ("ge", "gt") if hasattr(item, name)), None)
    high = next((getattr(item, name) for item in metadata for name in ("le", "lt") if hasattr(item, name)), None)
    open_low = any(hasattr(item, "gt") for item in metadata)
    if low is None or high is None:
        return ""
    return f" above {low:g}, at most {high:g}" if open_low else f" {low:g} to {high:g}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = default_of(field)
    if default is None:
        return ""
    if isinstance(default, list):
        return f"`[{', '.join(str(item) for item in default)}]`"
    return f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`"

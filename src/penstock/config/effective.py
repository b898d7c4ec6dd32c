"""What every camera comes to in the end, each value with the place where it is written.

Laid out as YAML, so that it reads like the file; values of the environment stay `${NAME}` and credentials are hidden.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.base.redaction import redact
from penstock.config.camera_schema import CameraConfig, Section
from penstock.config.document import Document
from penstock.config.inheritance import described
from penstock.config.problems import KeyPath
from penstock.config.schema import Config
from penstock.config.walk import is_section, key_of, without_none


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `text` is YAML, `source` says where it comes from; empty for the keys of sections."""

    text: str
    source: str = ""


def effective_camera(name: str, config: Config, document: Document | None) -> list[Line]:
    """All keys of one camera, those included that nobody wrote."""
    camera = config.cameras[name]
    camera = camera.model_copy(update={"models": config.models_of(camera)})
    return [Line(f"{name}:"), *_Writer(document).section(camera, ("cameras", name), 1)]


class _Writer:
    def __init__(self, document: Document | None) -> None:
        self._document = document

    def section(self, section: Section, path: KeyPath, depth: int) -> Iterator[Line]:
        fields = type(section).model_fields
        first = ("path", "roles")
        for name, field in sorted(fields.items(), key=lambda item: item[0] not in first):
            key = key_of(name, field)
            value = getattr(section, name)
            place = (*path, key)
            if value in ("", (), {}) and not self._is_written(place):
                continue
            if key == "input" and isinstance(section, CameraConfig) and section.inputs:
                continue  # each of its inputs says what came of it
            if is_section(without_none(field.annotation)):
                yield Line(f"{'  ' * depth}{key}:")
                yield from self.section(value, place, depth + 1)
            elif isinstance(value, tuple) and value and isinstance(value[0], Section):
                yield Line(f"{'  ' * depth}{key}:")
                for i, item in enumerate(value):
                    begun, *lines = self.section(item, (*place, i), depth + 2)
                    yield Line(f"{'  ' * (depth + 1)}- {begun.text.lstrip()}", begun.source)
                    yield from lines
            elif isinstance(value, dict) and any(isinstance(item, Section) for item in value.values()):
                yield Line(f"{'  ' * depth}{key}:")
                for item_name, item in value.items():
                    yield Line(f"{'  ' * (depth + 1)}{item_name}:")
                    yield from self.section(item, (*place, item_name), depth + 2)
            else:
                written = section.model_dump(mode="json", by_alias=True, include={name})[key]
                yield Line(f"{'  ' * depth}{key}: {self._text(written, place)}", self._source(place))

    def _text(self, value: Any, path: KeyPath) -> str:
        if isinstance(value, list):
            return f"[{', '.join(self._text(item, (*path, i)) for i, item in enumerate(value))}]"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{key}: {self._text(item, (*path, key))}' for key, item in value.items())}}}"
        if isinstance(value, bool) or value is None:
            return "null" if value is None else str(value).lower()
        if isinstance(value, float):
            return f"{value:g}"
        return redact(self._document.shown.get(path, str(value)) if self._document else str(value))

    def _is_written(self, path: KeyPath) -> bool:
        return self._document is not None and path in self._document.entries

    def _source(self, path: KeyPath) -> str:
        """`line 12` for the camera's own, `templates.hall, line 4` for what it inherits."""
        document = self._document
        if document is None or not self._is_written(path):
            common = (*path[:2], "input", path[-1])
            if len(path) > 3 and path[2] == "inputs" and common != path and self._is_written(common):
                return self._source(common)
            return "default"
        entry = document.entries[path]
        if entry.raw in ("null", "~", "Null", "NULL"):
            return f"default, by null in line {entry.value.line + 1}"
        line = f"line {entry.value.line + 1}"
        inherited = document.inherited.get(path)
        return f"{described(inherited)}, {line}" if inherited else line


def rendered(lines: list[Line], file: Path) -> str:
    """The lines with their sources in a column of comments."""
    width = min(max((len(line.text) for line in lines if line.source), default=0), 72)
    shown = [f"{line.text:<{width}}  # {line.source}" if line.source else line.text for line in lines]
    return "\n".join([f"# {file.name}: what its cameras come to, and where each value is written", *shown])

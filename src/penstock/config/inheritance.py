"""Puts every camera together from `defaults`, its templates and its own keys, and remembers where each part is written.

The rules: what comes later wins, in the order defaults, templates, the camera itself; sections are merged key by key,
texts, numbers and lists are replaced whole; `null` takes a key back to the program's default. They are those of GitLab
CI's `extends`, which many people know. Placeholders are replaced last, with the values of the camera itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from penstock.config.document import MAX_VALUES, Document
from penstock.config.problems import KeyPath, closest, dotted
from penstock.config.substitution import has_placeholder, substitute

EXTENSION = "x-"
"""Keys of the top level that begin so belong to nobody: a place for anchors"""
_INSTEAD = {"url": "inputs", "inputs": "url"}
"""Keys that say the same in two ways: what comes later takes the place of the other"""


@dataclass(frozen=True, slots=True)
class _Part:
    """A value with the path where it is written; sections have `keys`, all else has `value`."""

    path: KeyPath
    value: Any = None
    keys: "dict[str, _Part] | None" = None


def inherit(document: Document) -> Any:
    """The document's data with whole cameras, and without `defaults`, `templates` and `x-…` keys.

    What is wrong on the way is added to the document's problems, and the places of what is inherited to its entries.
    Parts of the wrong shape are left out or as they are: validation tells of them.
    """
    data = document.data
    if not isinstance(data, dict):
        return data
    rest = {
        key: value
        for key, value in data.items()
        if key not in ("defaults", "templates") and not key.startswith(EXTENSION)
    }
    if isinstance(data.get("cameras"), dict):
        rest["cameras"] = _Cameras(document).whole()
    return rest


class _Cameras:
    def __init__(self, document: Document) -> None:
        self._document = document
        assert document.data is not None
        self._cameras = document.data["cameras"]
        defaults, templates = document.data.get("defaults"), document.data.get("templates")
        self._defaults = _part(defaults if isinstance(defaults, dict) else {}, ("defaults",))
        self._templates = templates if isinstance(templates, dict) else {}
        self._merged: dict[str, _Part] = {}
        self._values = 0

    def whole(self) -> dict[str, Any]:
        for name in self._templates:
            self._template(name, ())
        return {name: self._camera(name, data) for name, data in self._cameras.items()}

    def _camera(self, name: str, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        path: KeyPath = ("cameras", name)
        part = self._defaults
        for place, template in self._named(data, path):
            part = _merged(part, self._template(template, (), place))
        part = _merged(part, _part(data, path))
        assert part.keys is not None
        keys = {key: below for key, below in part.keys.items() if key not in ("template", "values")}
        self._values += sum(1 for _ in _leaves(part))
        if self._values > MAX_VALUES:
            self._tell(path, f"with it, all cameras have more than {MAX_VALUES} values", "inherit less", at_key=True)
            return data
        values = self._values_of(name, part.keys.get("values"))
        used: set[str] = set()
        whole = {key: self._placed(below, (*path, key), values, used) for key, below in keys.items()}
        own = data.get("values")
        if isinstance(own, dict) and all(template in self._templates for _, template in self._named(data, path)):
            for value in own.keys() - used - {"name"}:
                what = f"nothing that this camera says or inherits has {{{value}}}"
                self._tell((*path, "values", value), what, "remove it", at_key=True, warning=True)
        return whole

    def _template(self, name: str, chain: tuple[str, ...], asked_at: KeyPath = ()) -> _Part:
        """Template `name` with all that it builds on; empty where it cannot be had, which is told."""
        nothing = _Part(("templates", name), keys={})
        if name not in self._templates:
            advice = closest(name, list(self._templates)) if self._templates else "write it under `templates:`"
            self._tell(asked_at, f"there is no template {name!r}", advice)
            return nothing
        if name in chain:
            circle = " → ".join([*chain[chain.index(name) :], name])
            self._tell(asked_at, f"templates build on each other in a circle: {circle}", "break it at one of them")
            return nothing
        data = self._templates[name]
        if name not in self._merged:
            part = nothing
            if isinstance(data, dict):
                path: KeyPath = ("templates", name)
                for place, parent in self._named(data, path):
                    part = _merged(part, self._template(parent, (*chain, name), place))
                part = _merged(part, _part(data, path))
            self._merged[name] = part
        return self._merged[name]

    def _named(self, data: dict[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
        named = data.get("template")
        if isinstance(named, str):
            yield (*path, "template"), named
        elif isinstance(named, list):
            yield from (((*path, "template", i), name) for i, name in enumerate(named) if isinstance(name, str))

    def _values_of(self, camera: str, part: _Part | None) -> dict[str, tuple[str, str]]:
        """Every value as a text and as one to show; numbers as they are written, with their leading zeros."""
        values = {"name": (camera, camera)}
        for name, value in ((part.keys or {}) if part else {}).items():
            entry = self._document.entries.get(value.path)
            if name == "name":
                self._tell(
                    value.path, "{name} is always the camera's own name", "name the value otherwise", at_key=True
                )
            elif value.value is not None and not isinstance(value.value, list) and entry and entry.raw is not None:
                text = value.value if isinstance(value.value, str) else entry.raw
                values[name] = (text, self._document.shown.get(value.path, text))
        return values

    def _placed(self, part: _Part, path: KeyPath, values: dict[str, tuple[str, str]], used: set[str]) -> Any:
        """The value of `part` at its place in the camera, with its placeholders replaced."""
        self._locate(path, part.path)
        if part.keys is not None:
            return {key: self._placed(below, (*path, key), values, used) for key, below in part.keys.items()}
        return self._replaced(part.value, part.path, path, values, used)

    def _replaced(
        self, value: Any, written: KeyPath, path: KeyPath, values: dict[str, tuple[str, str]], used: set[str]
    ) -> Any:
        """A list or scalar, where it is `written`, as it is at `path`."""
        self._locate(path, written)
        if isinstance(value, dict):
            return {
                key: self._replaced(item, (*written, key), (*path, key), values, used) for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._replaced(item, (*written, i), (*path, i), values, used) for i, item in enumerate(value)]
        entry = self._document.entries.get(written)
        if not isinstance(value, str) or entry is None or entry.raw is None or not has_placeholder(entry.raw):
            return value
        result = substitute(entry.raw, self._document.environ, values)
        used |= result.used
        self._document.keep_secret(result)
        self._document.shown[path] = result.shown
        for trouble in result.troubles:
            if trouble.placeholder:
                problem = self._document.problem(path, trouble.what, trouble.advice, within=trouble.within)
                self._document.problems.append(problem)
        return result.text

    def _locate(self, path: KeyPath, written: KeyPath) -> None:
        if path != written and written in self._document.entries:
            self._document.entries[path] = self._document.entries[written]
            self._document.inherited[path] = written
            if written in self._document.shown:
                self._document.shown[path] = self._document.shown[written]

    def _tell(
        self, path: KeyPath, what: str, suggestion: str = "", *, at_key: bool = False, warning: bool = False
    ) -> None:
        problem = self._document.problem(path, what, suggestion, at_key=at_key, warning=warning)
        self._document.problems.append(problem)


def _part(data: Any, path: KeyPath) -> _Part:
    if isinstance(data, dict):
        return _Part(path, keys={key: _part(value, (*path, key)) for key, value in data.items()})
    return _Part(path, value=data)


def _merged(base: _Part, over: _Part, *, camera: bool = True) -> _Part:
    """`over` laid upon `base`; `camera` where both are whole cameras and not a part of one."""
    if base.keys is None or over.keys is None:
        return over
    keys = dict(base.keys)
    for key, part in over.keys.items():
        if camera and _INSTEAD.get(key) not in over.keys:
            keys.pop(_INSTEAD.get(key, ""), None)
        keys[key] = _merged(keys[key], part, camera=False) if key in keys else part
    return _Part(over.path, keys=keys)


def _leaves(part: _Part) -> Iterator[_Part]:
    if part.keys is None:
        yield part
    else:
        for below in part.keys.values():
            yield from _leaves(below)


def empty_values(document: Document) -> Iterator[KeyPath]:
    """Keys below cameras, templates and defaults after which nothing stands: meant for `null` or forgotten?"""
    for path, entry in document.entries.items():
        if path and path[0] in ("cameras", "templates", "defaults") and entry.raw == "" and entry.key == entry.value:
            yield path


def has_placeholders_below(document: Document, path: KeyPath) -> bool:
    """Whether the value at `path`, or anything in it, waits for a camera's values."""
    return path[:1] in (("cameras",), ("templates",), ("defaults",)) and any(
        entry.raw is not None and has_placeholder(entry.raw)
        for place, entry in document.entries.items()
        if place[: len(path)] == path
    )


def described(path: KeyPath) -> str:
    """Where a value is inherited from: `defaults`, `templates.NAME`."""
    return dotted(path[:1] if path[0] == "defaults" else path[:2])

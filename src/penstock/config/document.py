"""YAML 1.2 as plain values, with the place of every key and value, and `${ENV}` replaced.

Built on ruamel's node tree and not on its objects, because nodes know both their ends, duplicate keys can be
collected, and an alias is bounded before it is unfolded (a few short lines can stand for billions of values).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLStreamError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from penstock.config.problems import Excerpt, KeyPath, Problem, dotted

MAX_VALUES = 100_000
_VARIABLE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?")
_INT = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key or value stands; line and column from 0, `length` within its first line."""

    line: int
    column: int
    length: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the document. `raw` is what the file says, before variables are replaced."""

    key: Place
    value: Place
    raw: str | None
    """None for mappings and sequences"""
    text_column: int
    """where a one-line scalar's text begins, past its quote; -1 where it spans lines or is escaped"""


@dataclass(slots=True)
class Document:
    """`data` is plain dicts, lists and scalars; `entries` has a place for every path in it."""

    file: str
    lines: list[str]
    data: Any = None
    entries: dict[KeyPath, Entry] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    """values that came from the environment, with the `${NAME}` that asked for them"""
    problems: list[Problem] = field(default_factory=list)

    def problem(
        self,
        path: KeyPath,
        what: str,
        suggestion: str = "",
        *,
        at_key: bool = False,
        within: tuple[int, int] | None = None,
        warning: bool = False,
    ) -> Problem:
        """A problem at `path`, or at the nearest thing above it that the file has; never shows a secret.

        `within` is offset and length in characters inside a scalar's text.
        """
        known = path
        while known and known not in self.entries:
            known = known[:-1]
        entry = self.entries.get(known)
        for secret, placeholder in self.secrets.items():
            if len(secret) >= 4:
                what, suggestion = what.replace(secret, placeholder), suggestion.replace(secret, placeholder)
        if entry is None:
            return Problem(self.file, dotted(path), what, suggestion, warning=warning)
        place = entry.key if at_key or known != path else entry.value
        if within and entry.text_column >= 0:
            place = Place(entry.value.line, entry.text_column + within[0], max(within[1], 1))
        return self._problem_at(place, dotted(path), what, suggestion, warning)

    def _problem_at(self, place: Place, path: str, what: str, suggestion: str = "", warning: bool = False) -> Problem:
        line = self.lines[place.line] if place.line < len(self.lines) else ""
        column = min(place.column, len(line))
        excerpt = Excerpt(line, column, place.length)
        return Problem(self.file, path, what, suggestion, place.line + 1, column + 1, excerpt, warning)

    def _syntax_error(self, error: MarkedYAMLError | YAMLStreamError) -> Problem:
        if not isinstance(error, MarkedYAMLError):
            what = str(error).splitlines()[0] if str(error) else "it cannot be read as YAML"
            return Problem(self.file, "", what)
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part) or "it cannot be read as YAML"
        suggestion = ""
        if "\\t" in what or "'\t'" in what:
            suggestion = "indent with spaces, not with tabs"
        elif mark is not None and "${" in "".join(self.lines[mark.line : mark.line + 1]):
            suggestion = "put text with ${…} inside { } or [ ] in quotes"
        elif "mapping values are not allowed" in what:
            suggestion = "put text that contains ': ' in quotes, and check the indentation"
        if mark is None:
            return Problem(self.file, "", what, suggestion)
        return self._problem_at(Place(mark.line, mark.column, 1), "", what, suggestion)


def parse(text: str, file: str, environ: Mapping[str, str]) -> Document:
    """Reads one document; what is wrong with it is in `problems`, and `data` is as much as could be read."""
    document = Document(file, text.splitlines())
    try:
        root = YAML(typ="rt", pure=True).compose(text)
    except (MarkedYAMLError, YAMLStreamError) as error:
        document.problems.append(document._syntax_error(error))
        return document
    if root is not None:
        document.data = _Builder(document, environ).build(root, (), _place(root))
    return document


class _Builder:
    """Walks the node tree once, bounded, and fills a document."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._values = 0
        self._open: list[Node] = []

    def build(self, node: Node, path: KeyPath, key: Place) -> Any:
        self._values += 1
        if self._values > MAX_VALUES or node in self._open:
            if self._values <= MAX_VALUES + 1:
                what = "an alias contains itself" if node in self._open else f"more than {MAX_VALUES} values"
                self._document.problems.append(self._document._problem_at(_place(node), dotted(path), what))
                self._values = MAX_VALUES + 1
            return None
        raw = node.value if isinstance(node, ScalarNode) else None
        nothing = isinstance(node, ScalarNode) and node.start_mark.index == node.end_mark.index
        self._document.entries[path] = Entry(key, key if nothing else _place(node), raw, self._text_column(node))
        self._open.append(node)
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode):
                return [self.build(item, (*path, i), _place(item)) for i, item in enumerate(node.value)]
            assert isinstance(node, ScalarNode)
            return self._scalar(node, path)
        finally:
            self._open.pop()

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        seen: dict[str, Place] = {}
        for key_node, value_node in self._pairs(node):
            place = _place(key_node)
            if not isinstance(key_node, ScalarNode):
                self._report(place, path, "a key must be plain text")
                continue
            key = str(key_node.value)
            if key in seen and self._owns(node, key_node):
                self._report(place, (*path, key), f"duplicate key; it is already in line {seen[key].line + 1}")
                continue
            seen[key] = place
            data[key] = self.build(value_node, (*path, key), place)
        return data

    def _pairs(self, node: MappingNode) -> Iterator[tuple[Node, Node]]:
        """Merged mappings (`<<: *name`) first, so that the mapping's own keys override theirs."""
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                merged = value.value if isinstance(value, SequenceNode) else [value]
                for source in reversed(merged):
                    if isinstance(source, MappingNode):
                        yield from source.value
                    else:
                        self._report(_place(value), (), "only a mapping can be merged with <<")
        for key, value in node.value:
            if key.tag != f"{_TAG}merge":
                yield key, value

    def _owns(self, node: MappingNode, key_node: Node) -> bool:
        """Whether `key_node` repeats a key of `node` itself and not one that was merged into it."""
        own = [key for key, _ in node.value if isinstance(key, ScalarNode) and key.value == key_node.value]
        return any(key is key_node for key in own[1:])

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        text = str(node.value)
        tag = str(node.tag)
        if not tag.startswith(_TAG):
            self._report(_place(node), path, f"the tag {tag} is not known here", "remove it")
            return text
        if "${" in text:
            return self._substitute(text, path)
        match tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" if _INT.fullmatch(text):
                return int(text, 8) if text.startswith("0o") else int(text, 16 if text.startswith("0x") else 10)
            case "float":
                try:
                    return float(text.replace(".inf", "inf").replace(".nan", "nan"))
                except ValueError:
                    return text
            case _:
                return text

    def _substitute(self, text: str, path: KeyPath) -> str:
        entry = self._document.entries[path]

        def value_of(match: re.Match[str]) -> str:
            if match.group() == "$${":
                return "${"
            name, default = match.group("name"), match.group("default")
            within = (match.start(), len(match.group()))
            if name is None:
                what, advice = "unfinished ${…}", "write ${NAME} or ${NAME:-default}, and $${ for the signs themselves"
                self._document.problems.append(self._document.problem(path, what, advice, within=within))
                return ""
            value = self._environ.get(name)
            if default is not None and not value:
                return default
            if value is None:
                what = f"the environment variable {name} is not set"
                advice = f"set it, or write ${{{name}:-default}}"
                self._document.problems.append(self._document.problem(path, what, advice, within=within))
                return ""
            self._document.secrets[value] = f"${{{name}}}"
            return value

        result = _VARIABLE.sub(value_of, text)
        if result != text:
            self._document.secrets.setdefault(result, entry.raw or text)
        return result

    def _text_column(self, node: Node) -> int:
        if not isinstance(node, ScalarNode) or node.start_mark.line != node.end_mark.line:
            return -1
        column: int = node.start_mark.column + (1 if node.style in ("'", '"') else 0)
        line = "".join(self._document.lines[node.start_mark.line : node.start_mark.line + 1])
        return column if line[column : column + len(node.value)] == node.value else -1

    def _report(self, place: Place, path: KeyPath, what: str, suggestion: str = "") -> None:
        self._document.problems.append(self._document._problem_at(place, dotted(path), what, suggestion))


def _place(node: Node) -> Place:
    start, end = node.start_mark, node.end_mark
    length = end.column - start.column if end.line == start.line else 1
    return Place(start.line, start.column, max(length, 1))

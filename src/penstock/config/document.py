"""YAML 1.2 as plain values, with the place of every key and value, and `${ENV}` replaced.

Built on ruamel's node tree and not on its objects, because nodes know both their ends, duplicate keys can be
collected, and an alias is bounded before it is unfolded (a few short lines can stand for billions of values).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from penstock.config.problems import Excerpt, KeyPath, Problem, dotted
from penstock.config.substitution import Substituted, substitute

MAX_VALUES = 100_000
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
    environ: Mapping[str, str] = field(default_factory=dict)
    inherited: dict[KeyPath, KeyPath] = field(default_factory=dict)
    """paths of cameras whose value is written elsewhere, under `defaults` or a template, with where that is"""
    shown: dict[KeyPath, str] = field(default_factory=dict)
    """texts in which something was replaced, as they may be shown: the environment's values stay `${NAME}`"""
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
        entry, exact = self.entries.get(known), known == path
        camera = str(path[1]) if known in self.inherited and len(path) > 1 else ""
        path = (*self.inherited.get(known, known), *path[len(known) :])
        for secret, placeholder in self.secrets.items():
            if len(secret) >= 4:
                what, suggestion = what.replace(secret, placeholder), suggestion.replace(secret, placeholder)
        if entry is None:
            return Problem(self.file, dotted(path), what, suggestion, warning=warning)
        place = entry.key if at_key or not exact else entry.value
        if within and entry.text_column >= 0:
            place = Place(entry.value.line, entry.text_column + within[0], max(within[1], 1))
        problem = self._problem_at(place, dotted(path), what, suggestion, warning)
        return replace(problem, cameras=(camera,)) if camera else problem

    def keep_secret(self, result: Substituted) -> None:
        """From now on, what the environment gave is not told in problems."""
        for name, value in result.found.items():
            self.secrets[value] = f"${{{name}}}"
        if result.text != result.shown:
            self.secrets.setdefault(result.text, result.shown)

    def _problem_at(self, place: Place, path: str, what: str, suggestion: str = "", warning: bool = False) -> Problem:
        line = self.lines[place.line] if place.line < len(self.lines) else ""
        column = min(place.column, len(line))
        excerpt = Excerpt(line, column, place.length)
        return Problem(self.file, path, what, suggestion, place.line + 1, column + 1, excerpt, warning)

    def _syntax_error(self, error: YAMLError, text: str) -> Problem:
        if isinstance(error, ReaderError):
            place = Place(
                text.count("\n", 0, error.position), error.position - text.rfind("\n", 0, error.position) - 1, 1
            )
            what = f"the character U+{ord(text[error.position]):04X} has no place in a text file"
            return self._problem_at(place, "", what, "remove it")
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
    document = Document(file, text.splitlines(), environ=environ)
    try:
        root = YAML(typ="rt", pure=True).compose(text)
    except YAMLError as error:
        document.problems.append(document._syntax_error(error, text))
        return document
    if root is not None:
        document.data = _Builder(document).build(root, (), _place(root))
    return document


class _Builder:
    """Walks the node tree once, bounded, and fills a document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._values = 0
        self._gave_up = False
        self._open: list[Node] = []

    def build(self, node: Node, path: KeyPath, key: Place) -> Any:
        self._values += 1
        if self._values > MAX_VALUES or node in self._open:
            if not self._gave_up:
                what = "an alias contains itself" if node in self._open else f"more than {MAX_VALUES} values"
                self._report(_place(node), path, what)
                self._gave_up, self._values = True, MAX_VALUES
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

    def _pairs(self, node: MappingNode) -> list[tuple[Node, Node]]:
        """Merged mappings (`<<: *name`) first, so that the mapping's own keys override theirs."""
        pairs: list[tuple[Node, Node]] = []
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                merged = value.value if isinstance(value, SequenceNode) else [value]
                for source in reversed(merged):
                    if not isinstance(source, MappingNode):
                        self._report(_place(key), (), "only a mapping can be merged with <<")
                    elif source not in self._open and self._values <= MAX_VALUES:
                        self._values += len(source.value)
                        self._open.append(source)
                        pairs += self._pairs(source)
                        self._open.pop()
        return [*pairs, *((key, value) for key, value in node.value if key.tag != f"{_TAG}merge")]

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
        result = substitute(text, self._document.environ, None)
        for trouble in result.troubles:
            problem = self._document.problem(path, trouble.what, trouble.advice, within=trouble.within)
            self._document.problems.append(problem)
        self._document.keep_secret(result)
        self._document.shown[path] = result.shown
        return result.text

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

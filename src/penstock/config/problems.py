"""What is wrong with a configuration: where, what, and what to do, all problems of a file at once.

The layout follows compilers: a line that editors can jump to, then the offending line with a caret. Text from
the file is redacted before it is shown.
"""

import difflib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from penstock.base.redaction import HIDDEN, redact

KeyPath = tuple[str | int, ...]
"""Keys and indexes from the top of the document"""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The line that a problem is about; `column` and `length` in characters, from 0."""

    line: str
    column: int
    length: int

    def render(self, number: int) -> str:
        """Two lines: the text, with credentials replaced, and a caret under the part that is meant; 0 is no number."""
        shown, before = redact(self.line), redact(self.line[: self.column])
        width = self.length
        if not shown.startswith(before) or (shown != self.line and before == self.line[: self.column]):
            # What is meant lies in what was replaced, or is longer or shorter now.
            marked = redact(self.line[self.column : self.column + self.length])
            if shown.startswith(before) and shown.startswith(marked, len(before)):
                width = len(marked)
            else:
                same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(shown, self.line, strict=False))
                before, width = "".join(char for char, _ in same), len(HIDDEN)
        width = min(max(width, 1), max(len(shown) - len(before), 1))
        return f"{number or '':>6} | {shown}\n{' ' * 6} | {' ' * len(before)}{'^' * width}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong (or, with `warning`, odd)."""

    file: str
    """the file's name, or `command line`"""
    path: str
    """the key path, such as `cameras.front.detect.fps`; empty for the document as a whole"""
    what: str
    suggestion: str = ""
    line: int = 0
    """from 1; 0 where there is no file"""
    column: int = 0
    excerpt: Excerpt | None = None
    warning: bool = False
    cameras: tuple[str, ...] = ()
    """cameras that inherit what is wrong, where it is not written under them"""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        what = f"{self.what} ({_used_by(self.cameras)})" if self.cameras else self.what
        parts = [place, *(["warning"] if self.warning else []), *([self.path] if self.path else []), what]
        text = redact(": ".join(parts))
        if self.suggestion:
            text += f"; {redact(self.suggestion)}"
        return f"{text}\n{self.excerpt.render(self.line)}" if self.excerpt else text


def _used_by(cameras: Sequence[str]) -> str:
    if len(cameras) == 1:
        return f"used by camera {cameras[0]}"
    if len(cameras) <= 4:
        return f"used by cameras {', '.join(cameras[:-1])} and {cameras[-1]}"
    return f"used by cameras {', '.join(cameras[:3])} and {len(cameras) - 3} more"


def told_once(problems: Iterable[Problem]) -> list[Problem]:
    """Problems without repetition: one that many cameras inherit is told once, with their names."""
    found: dict[Problem, dict[str, None]] = {}
    for problem in problems:
        found.setdefault(replace(problem, cameras=()), {}).update(dict.fromkeys(problem.cameras))
    return [replace(problem, cameras=tuple(cameras)) for problem, cameras in found.items()]


class ConfigError(Exception):
    """Everything that is wrong with one configuration; `str` shows all problems in order of place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(told_once(problems), key=lambda problem: (problem.line, problem.column)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def dotted(path: KeyPath) -> str:
    """`("cameras", "front", "inputs", 0)` as people write it: `cameras.front.inputs[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def closest(word: str, known: Sequence[str]) -> str:
    """`did you mean X?` for the most similar of `known`; otherwise what there is, where that is little."""
    lowered = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    if found:
        return f"did you mean {lowered[found[0]]}?"
    return f"known: {', '.join(sorted(known))}" if 0 < len(known) <= 12 else ""

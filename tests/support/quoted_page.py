"""docs/troubleshooting.md taken apart: what it quotes, by where that is said, compared with what is really said."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
PROSE = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
_BLOCK = re.compile(r"<!-- (probe|console|run|health|code): ([\w-]+) -->\n```text\n(.*?)\n```", re.DOTALL)
_MEASURED = (
    (re.compile(r"(?<![\w.])\d+(?:\\\.\d+)? m?s(?=\W|$)"), r"\\d+(?:\\.\\d+)? m?s"),
    (
        re.compile(r"(?<![\w.])\d+(?=,? (?:fps|kbit/s|pictures|records|declared|of them|\d))"),
        r"\\d+(?:\\.\\d+)?",
    ),
)
"""what may be another number elsewhere, in a regular expression"""


class Quoted(NamedTuple):
    """A block of the page."""

    kind: str
    """who says it: `penstock probe`, another command, the log of a run, `/health`, or only code"""
    name: str
    text: str


QUOTED = tuple(Quoted(*block) for block in _BLOCK.findall(PAGE))


def names_of(kind: str) -> set[str]:
    return {block.name for block in QUOTED if block.kind == kind}


class Said(NamedTuple):
    """Something that was printed, and how words of the page are written in it."""

    text: str
    swaps: tuple[tuple[str, str], ...] = ()


def assert_said(name: str, said: Said) -> None:
    """White space does not count, `…` stands for anything, and what is measured may differ."""
    (block,) = (block for block in QUOTED if block.name == name)
    quoted = " ".join(block.text.split())
    for word, real in said.swaps:
        quoted = quoted.replace(word, real)
    pattern = re.escape(quoted).replace("…", ".*?").replace(r"\ ", " ")
    for measured, any_number in _MEASURED:
        pattern = measured.sub(any_number, pattern)
    assert re.search(pattern, " ".join(said.text.split())), f"{pattern}\n--- was not said:\n{said.text[-6000:]}"

"""Puts the tables of the last runs into the pages that show them: `python -m bench.document [--out DIR]`.

Only what stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` is replaced; the prose around it is written
by hand. A benchmark without a JSON file keeps the table it has.
"""

import argparse
import re
from pathlib import Path
from typing import Any

import msgspec

from bench import cells, environment
from bench.records import Report

PAGES = (environment.ROOT / "docs" / "performance.md", environment.ROOT / "docs" / "cameras.md")
_BLOCK = re.compile(r"(<!-- bench:(?P<name>\w+) -->\n).*?(<!-- /bench:(?P=name) -->)", re.DOTALL)


def rewrite(out: Path, page: Path) -> None:
    """Raises OSError where `page` cannot be read or written."""
    text = page.read_text(encoding="utf-8")
    names = [match["name"] for match in _BLOCK.finditer(text)]
    page.write_text(replaced(text, {name: block for name in names if (block := _block(out, name))}), encoding="utf-8")


def replaced(text: str, blocks: dict[str, str]) -> str:
    """`text` with the given blocks between their markers; other blocks stay as they are. Pure."""

    def block(match: "re.Match[str]") -> str:
        body = blocks.get(match["name"])
        return match[0] if body is None else f"{match[1]}{body}{match[3]}"

    return _BLOCK.sub(block, text)


def report_markdown(report: Report) -> str:
    """One report: its command, its table, its goals and ratios. Pure."""
    lines = [f"`{report.command}`: {cells.conditions_text(report)}.", ""]
    if report.skipped:
        lines += [f"Skipped: {report.skipped}.", ""]
    if report.failed:
        lines += [f"Failed: {report.failed}.", ""]
    head, body = cells.rows(report)
    if body:
        lines += [_line(head), _line(["---"] * len(head)), *map(_line, body), ""]
    notes = [*map(cells.verdict_text, report.verdicts), *map(cells.ratio_text, report.ratios)]
    if notes:
        lines += [*(f"- {note}" for note in notes), ""]
    return "\n".join(lines) + "\n"


def environment_markdown(found: dict[str, Any]) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in found["libraries"].items())
    return (
        f"{found['cpu']}, {found['cores']} cores ({found['cores_allowed']} allowed), {found['memory_mib']:,} MiB; "
        f"Linux {found['kernel']}, Python {found['python']}; {libraries}.\n"
    )


def _block(out: Path, name: str) -> str:
    path = out / f"{name}.json"
    if not path.is_file():
        return ""
    if name == "environment":
        return environment_markdown(msgspec.json.decode(path.read_bytes()))
    return report_markdown(msgspec.json.decode(path.read_bytes(), type=Report))


def _line(cells_of_row: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells_of_row)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.document")
    parser.add_argument("--out", type=Path, default=Path("bench-out"), help="folder of the JSON files")
    out: Path = parser.parse_args().out
    for page in PAGES:
        rewrite(out, page)


if __name__ == "__main__":
    main()

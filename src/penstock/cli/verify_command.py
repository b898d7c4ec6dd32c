"""`penstock verify`: whether clips, snapshots and manifests are as they were written."""

import sys
from pathlib import Path

from penstock.evidence.archive import verify_archive


def verify_command(folder: Path) -> int:
    """Prints what is wrong and where; 1 where anything is."""
    found = verify_archive(folder)
    for problem in found.problems:
        print(problem, file=sys.stderr)
    looked = f"{_count(found.manifests, 'manifest')} of {_count(found.cameras, 'camera')}"
    if found.problems:
        print(f"penstock: {looked} checked, {_count(len(found.problems), 'problem')} found", file=sys.stderr)
        return 1
    print(f"{looked} checked: every file is there and unchanged, and no manifest is missing")
    return 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")

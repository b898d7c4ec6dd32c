"""Tells sources and models in other processes when the measurement began, so that what they do falls due within it.

A fault has to begin at a known instant of the measurement, and that begins only once all cameras are up and all models
loaded. So the instant is written to a small file when it is known, and whoever waits for it looks there now and then.
"""

import os
from pathlib import Path

from penstock.base.clock import NS_PER_MS, NS_PER_S

LOOK_EVERY_NS = 100 * NS_PER_MS
NAME = "cue"


def give_cue(path: Path, at_ns: int) -> None:
    """The measurement began at `at_ns`, monotonic; whoever reads sees all of it or nothing."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(f"{at_ns}\n", encoding="ascii")
    os.replace(part, path)


class Cue:
    """The reader's side: a look at the file every 100 ms at most, and none after the cue was given."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._looked_ns: int | None = None
        self._given_ns: int | None = None

    def since_s(self, now_ns: int) -> float | None:
        """Seconds since the measurement began; None before it."""
        if self._given_ns is None:
            self._look(now_ns)
        return None if self._given_ns is None else (now_ns - self._given_ns) / NS_PER_S

    def within(self, now_ns: int, from_s: float, until_s: float) -> bool:
        """Whether the measurement is between these two seconds of it; `until_s` is no longer within."""
        since_s = self.since_s(now_ns)
        return since_s is not None and from_s <= since_s < until_s

    def _look(self, now_ns: int) -> None:
        if not self._path or (self._looked_ns is not None and now_ns - self._looked_ns < LOOK_EVERY_NS):
            return
        self._looked_ns = now_ns
        try:
            self._given_ns = int(Path(self._path).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return

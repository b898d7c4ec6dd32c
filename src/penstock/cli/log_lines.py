"""Log lines above the live table: what processes write to its terminal by themselves is overwritten, and tears it."""

import os
import threading
from typing import Self

from rich.console import Console
from rich.text import Text

STDERR = 2
_JOIN_S = 1.0
_STYLES = {" WARNING ": "yellow", " ERROR ": "red", " CRITICAL ": "bold red"}


class LinesAboveTable:
    """Takes standard error of this process, and of those that it starts, from `with` to its end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._terminal = -1
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        reading, writing = os.pipe()
        self._terminal = os.dup(STDERR)
        os.dup2(writing, STDERR)
        os.close(writing)
        self._thread = threading.Thread(target=self._show, args=(reading,), name="log-lines", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *reason: object) -> None:
        os.dup2(self._terminal, STDERR)
        os.close(self._terminal)
        if self._thread is not None:
            self._thread.join(_JOIN_S)  # a process that outlives the run still holds the other end

    def _show(self, reading: int) -> None:
        with open(reading, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                style = next((style for level, style in _STYLES.items() if level in line), "")
                self._console.print(Text(line.rstrip("\n"), style=style), soft_wrap=True)

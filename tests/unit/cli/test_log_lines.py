"""Log lines of all processes above the live table."""

import io
import os

from rich.console import Console

from penstock.cli.log_lines import STDERR, LinesAboveTable


def test_what_goes_to_standard_error_comes_out_of_the_console() -> None:
    file = io.StringIO()
    before = os.fstat(STDERR)
    line = "2026-01-31T12:00:00Z WARNING ingest-0 front: a long line that is not cut [at all]"
    with LinesAboveTable(Console(file=file, width=40)):
        os.write(STDERR, line.encode() + b"\n")
        os.write(STDERR, b"\xff without an end")
    assert file.getvalue().splitlines() == [line, "\ufffd without an end"]
    assert os.fstat(STDERR).st_ino == before.st_ino


def test_levels_have_colours() -> None:
    file = io.StringIO()
    with LinesAboveTable(Console(file=file, force_terminal=True, color_system="standard", width=80)):
        os.write(STDERR, b"12:00 ERROR engine: no\n12:00 INFO engine: yes\n")
    error, info = file.getvalue().splitlines()
    assert "\x1b[31m" in error
    assert "\x1b" not in info

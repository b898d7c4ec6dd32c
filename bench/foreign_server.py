"""The RTSP server of another make that the integration tests use, for benchmarks; skips where it is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench import tests_peers
from bench.records import Skipped

SERVER_MARKER = "gst_rtsp_server.py"
"""in the command line of the server's process"""


@contextmanager
def foreign_server(folder: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[Any]:
    """A running `ForeignRtspServer` (see tests/peers); raises Skipped with what to install."""
    peers = tests_peers.load("peers/foreign_rtsp.py")
    try:
        with peers.ForeignRtspServer(folder, certificate=certificate) as server:
            yield server
    except pytest.skip.Exception as why:
        raise Skipped(str(why)) from None

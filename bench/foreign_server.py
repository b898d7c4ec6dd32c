"""The RTSP server of another make that the integration tests use, for benchmarks; skips where it is not installed."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.environment import ROOT
from bench.records import Skipped

_LAUNCHER = ROOT / "tests" / "peers" / "foreign_rtsp.py"
SERVER_MARKER = "gst_rtsp_server.py"
"""in the command line of the server's process"""


@contextmanager
def foreign_server(folder: Path) -> Iterator[Any]:
    """A running `ForeignRtspServer` (see tests/peers); raises Skipped with what to install."""
    try:
        with _launcher().ForeignRtspServer(folder) as server:
            yield server
    except pytest.skip.Exception as why:
        raise Skipped(str(why)) from None


def _launcher() -> ModuleType:
    # Loaded by path: the tests' folders are no packages.
    spec = importlib.util.spec_from_file_location("bench_foreign_rtsp", _LAUNCHER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module

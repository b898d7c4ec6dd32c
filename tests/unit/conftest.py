"""Unit tests see no network, no sleep and no wall clock: the outside world is taken away, not just discouraged."""

import socket
import subprocess
import time
from typing import Any, NoReturn

import pytest

from penstock.base.clock import SimulatedClock


@pytest.fixture(autouse=True)
def _no_outside_world(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(name: str) -> Any:
        def forbidden(*args: object, **kwargs: object) -> NoReturn:
            raise AssertionError(f"a unit test called {name}: inject a clock, or move it to tests/integration")

        return forbidden

    monkeypatch.setattr(time, "sleep", forbid("time.sleep"))
    monkeypatch.setattr(socket.socket, "connect", forbid("socket.connect"))
    monkeypatch.setattr(socket.socket, "bind", forbid("socket.bind"))
    monkeypatch.setattr(subprocess.Popen, "__init__", forbid("subprocess.Popen"))


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(now_ns=1_000_000_000_000)

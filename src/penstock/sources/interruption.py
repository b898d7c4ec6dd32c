"""Ends a blocking FFmpeg call of another thread within about 0.1 s, without harm to other sessions.

FFmpeg polls an interrupt callback every 100 ms while it waits for the network. PyAV's callback compares
`monotonic()` with the call's time-out and offers no other way in; shutting the socket down is none either, for
FFmpeg does not tell which descriptor is whose. So the clock that PyAV asks is wrapped once per process: it gives the
true time to everybody except to a thread whose call was interrupted, for which it leaps ahead, and the call ends as
timed out. Where a later PyAV keeps its clock elsewhere, calls end by their own time-outs instead.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import av.container.core

LEAP_S = 1e9


class Interruption:
    """A request to stop, once and for all: set from any thread, seen by whoever waits."""

    def __init__(self) -> None:
        self.event = threading.Event()
        """set once interrupted: to wait on where no FFmpeg call is involved"""
        self._leaps = 0

    def set(self) -> None:
        self.event.set()

    def is_set(self) -> bool:
        return self.event.is_set()

    @contextmanager
    def ends_calls(self) -> Iterator[None]:
        """FFmpeg calls that this thread makes inside end soon once this is set, with some error."""
        _install()
        ident = threading.get_ident()
        _watched[ident] = self
        try:
            yield
        finally:
            del _watched[ident]

    def seen_from(self, now_s: float) -> float:
        """What the clock shows to an interrupted call: each reading a leap later, so that any time-out has passed."""
        if not self.event.is_set():
            return now_s
        self._leaps += 1
        return now_s + self._leaps * LEAP_S


_watched: dict[int, Interruption] = {}
_install_lock = threading.Lock()


class _WatchedTime:
    """Stands for the `time` module inside `av.container.core`."""

    def __init__(self, inner: ModuleType) -> None:
        self._inner = inner

    def monotonic(self) -> float:
        now_s: float = self._inner.monotonic()
        watching = _watched.get(threading.get_ident())
        return now_s if watching is None else watching.seen_from(now_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _install() -> None:
    inner = getattr(av.container.core, "time", None)
    if isinstance(inner, ModuleType):
        with _install_lock:
            inner = av.container.core.time  # type: ignore[attr-defined]
            if isinstance(inner, ModuleType):
                av.container.core.time = _WatchedTime(inner)  # type: ignore[attr-defined]

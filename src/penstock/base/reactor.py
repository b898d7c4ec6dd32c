"""One thread's loop: descriptors, timers and wake-ups from other threads, on an injected clock.

Smaller than asyncio on purpose: no task switches between a message and the decision that follows from it, and the
order in which things happen is the order in which they were registered.
"""

import heapq
import os
import selectors
import threading
from collections.abc import Callable
from typing import Protocol

from penstock.base.clock import NS_PER_S, Clock

LONGEST_WAIT_NS = NS_PER_S


class HasFileno(Protocol):
    def fileno(self) -> int: ...


class Reactor:
    """Runs callbacks in the thread that calls `run`; only `wake_nowait` and `stop_nowait` may come from others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._selector: selectors.BaseSelector | None = None
        self._wake_fd = -1
        self._wake_lock = threading.Lock()
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._timer_count = 0
        self._stopping = False
        self._on_wake: list[Callable[[], None]] = []
        self._on_cycle: Callable[[], int | None] | None = None

    def open(self) -> "Reactor":
        self._selector = selectors.DefaultSelector()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._wake_fd, selectors.EVENT_READ, None)
        return self

    def on_readable(self, source: HasFileno, callback: Callable[[], None]) -> None:
        self._opened().register(source, selectors.EVENT_READ, callback)

    def forget(self, source: HasFileno) -> None:
        try:
            self._opened().unregister(source)
        except (KeyError, ValueError):
            pass

    def on_wake(self, callback: Callable[[], None]) -> None:
        """`callback` runs in the loop after `wake_nowait`, once for any number of wake-ups."""
        self._on_wake.append(callback)

    def on_cycle(self, callback: Callable[[], int | None]) -> None:
        """`callback` runs after every batch of events and says when it wants to run again at the latest."""
        self._on_cycle = callback

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> None:
        self._timer_count += 1
        heapq.heappush(self._timers, (at_ns, self._timer_count, callback))

    def call_every(self, interval_ns: int, callback: Callable[[], None]) -> None:
        """Runs `callback` now and then every `interval_ns`; a late run delays the next, none are made up for."""

        def again() -> None:
            callback()
            self.call_at(self._clock.now_ns() + interval_ns, again)

        self.call_at(self._clock.now_ns(), again)

    def wake_nowait(self) -> None:
        """From any thread: lets the loop run its wake callbacks soon."""
        # The lock keeps a late caller from writing into whatever got the descriptor's number after `close`.
        with self._wake_lock:
            if self._wake_fd < 0:
                return
            try:
                os.eventfd_write(self._wake_fd, 1)
            except BlockingIOError:
                # A full counter: a wake-up is due anyway.
                pass

    def stop_nowait(self) -> None:
        """From any thread: `run` returns after the callbacks under way."""
        self._stopping = True
        self.wake_nowait()

    def run(self) -> None:
        """Runs until `stop_nowait`."""
        wanted_ns: int | None = None
        while not self._stopping:
            self._wait(wanted_ns)
            self._run_timers()
            if self._on_cycle is not None and not self._stopping:
                wanted_ns = self._on_cycle()

    def close(self) -> None:
        if self._selector is not None:
            self._selector.close()
            self._selector = None
            with self._wake_lock:
                os.close(self._wake_fd)
                self._wake_fd = -1

    def _wait(self, wanted_ns: int | None) -> None:
        now_ns = self._clock.now_ns()
        until_ns = now_ns + LONGEST_WAIT_NS
        if self._timers:
            until_ns = min(until_ns, self._timers[0][0])
        if wanted_ns is not None:
            until_ns = min(until_ns, wanted_ns)
        for key, _ in self._opened().select(max(0, until_ns - now_ns) / NS_PER_S):
            if key.data is None:
                self._drain_wakeups()
            elif self._opened().get_map().get(key.fd) is key:
                # Not forgotten by a callback of this very batch; its number may have passed to another by now.
                key.data()

    def _drain_wakeups(self) -> None:
        try:
            os.eventfd_read(self._wake_fd)
        except BlockingIOError:
            return
        for callback in self._on_wake:
            callback()

    def _run_timers(self) -> None:
        now_ns = self._clock.now_ns()
        while self._timers and self._timers[0][0] <= now_ns and not self._stopping:
            heapq.heappop(self._timers)[2]()

    def _opened(self) -> selectors.BaseSelector:
        if self._selector is None:
            raise RuntimeError("the reactor is not open")
        return self._selector

"""The only place that reads the system's clock.

Loops take a `Clock`; pure logic takes `now_ns`. `SimulatedClock` lets tests and the simulation assert
exact instants: its time moves only when it is told to (after moonfire-nvr's clock).
"""

import threading
import time
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Clock(Protocol):
    """Monotonic time, its relation to UTC, and waiting."""

    @property
    def clock_id(self) -> str:
        """Names the monotonic clock; values of different ids must never be compared."""
        ...

    def now_ns(self) -> int:
        """Monotonic nanoseconds; one reading is only comparable within one `clock_id`."""
        ...

    def utc_ns(self) -> int:
        """Nanoseconds since the Unix epoch; may jump when the host's time is set."""
        ...

    def thread_cpu_ns(self) -> int:
        """Processor time that the calling thread has used, user and system; only differences mean anything."""
        ...

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        """Waits until `event` is set or `timeout_s` has passed; says whether it is set."""
        ...


class SystemClock:
    """CLOCK_MONOTONIC and CLOCK_REALTIME of this host: the same for all its processes within one boot."""

    clock_id = "monotonic"

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def utc_ns(self) -> int:
        return time.time_ns()

    def thread_cpu_ns(self) -> int:
        return time.thread_time_ns()

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        return event.wait(timeout_s)


class SimulatedClock:
    """Time that moves only by `advance`, `compute` or `wait`, for tests and the simulation."""

    clock_id = "simulated"

    def __init__(self, now_ns: int = 0, utc_offset_ns: int = 1_700_000_000 * NS_PER_S) -> None:
        self._now_ns = now_ns
        self.utc_offset_ns = utc_offset_ns
        self._cpu_ns = 0

    def now_ns(self) -> int:
        return self._now_ns

    def utc_ns(self) -> int:
        return self._now_ns + self.utc_offset_ns

    def thread_cpu_ns(self) -> int:
        """One processor for all threads: what `compute` took."""
        return self._cpu_ns

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        if not event.is_set():
            self.advance(round(timeout_s * NS_PER_S))
        return event.is_set()

    def advance(self, by_ns: int) -> int:
        """Moves time forward by `by_ns` (never back) and returns the new instant."""
        if by_ns < 0:
            raise ValueError(f"time cannot go back by {-by_ns} ns")
        self._now_ns += by_ns
        return self._now_ns

    def compute(self, for_ns: int) -> int:
        """Moves time forward by `for_ns` in which the calling thread had the processor; returns the new instant."""
        now_ns = self.advance(for_ns)
        self._cpu_ns += for_ns
        return now_ns

    def advance_to(self, now_ns: int) -> int:
        """Moves time forward to `now_ns`; an instant already passed is an error."""
        return self.advance(now_ns - self._now_ns)

"""Clocks of benchmarks: wall time in microseconds, and processor time of threads and processes.

Bench reads the system's clocks directly: an injected clock would be part of what is measured.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

NS_PER_US = 1_000
_PER_PROCESS_CPU = 2


def overhead_us(rounds: int = 20_000) -> float:
    """What two readings of the clock with nothing in between show: a floor under all short samples."""
    clock = time.perf_counter_ns
    found = sorted(-(clock() - clock()) for _ in range(rounds))
    return found[rounds // 2] / NS_PER_US


def thread_cpu_us(work: Callable[[], object]) -> float:
    """Processor time of the calling thread, kernel included, for one call of `work`."""
    began_ns = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - began_ns) / NS_PER_US


def process_cpu_ns(pid: int) -> int:
    """Processor time of all threads of another process, exact to nanoseconds (Linux's clock ids of processes)."""
    return time.clock_gettime_ns((~pid << 3) | _PER_PROCESS_CPU)


def thread_cpu_ns(pid: int) -> dict[str, int]:
    """Processor time of each thread of a process by its name, as the kernel's scheduler counts it."""
    found: dict[str, int] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = "main" if task.name == str(pid) else (task / "comm").read_text().strip()
        found[name] = found.get(name, 0) + int((task / "schedstat").read_text().split()[0])
    return found


def children_with(marker: str) -> list[int]:
    """Processes started by this one whose command line holds `marker`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == os.getpid() and marker.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found

"""What other programs take of the processor cores that this run may use: what they have, the plan cannot give out.

From /proc/stat over the cores of this process's affinity. Where a control group limits the run to fewer cores than it
may be moved among, the limit counts, and others cannot be told apart from it.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
NS_PER_S = 1_000_000_000
# A compiler run or a backup should move the plan; one second of it should not.
_WINDOW_S = 5.0
_BUSY_FIELDS = (0, 1, 2, 5, 6, 7)
"""user, nice, system, irq, softirq, steal"""

ReadText = Callable[[str], str]


def read_text(path: str) -> str:
    """The file's text; empty where there is none (other systems than Linux)."""
    try:
        return Path(path).read_text(encoding="ascii")
    except OSError:
        return ""


def usable_cores(read: ReadText = read_text) -> float:
    """Cores of the affinity mask, or what the control group allows where that is less."""
    cores = float(len(os.sched_getaffinity(0)))
    return min(cores, _quota(read) or cores)


def busy_ns(stat: str, cpus: Iterable[int]) -> int:
    """Time that `cpus` were busy since the boot, from the text of /proc/stat; 0 where it says nothing."""
    wanted = {f"cpu{cpu}" for cpu in cpus}
    ticks = 0
    for line in stat.splitlines():
        name, *fields = line.split()
        if name in wanted:
            ticks += sum(int(fields[i]) for i in _BUSY_FIELDS if i < len(fields))
    return ticks * NS_PER_S // _TICKS_PER_S


class HostLoad:
    """Smoothed; told once a second what the run itself has used."""

    def __init__(self, read: ReadText = read_text) -> None:
        self._read = read
        self._cpus = frozenset(os.sched_getaffinity(0))
        self._limited = _quota(read) is not None
        self._before: tuple[int, int, int] | None = None
        self.others_cores = 0.0
        """cores that other programs keep busy, over the last seconds"""

    def update(self, own_cpu_ns: int, now_ns: int) -> None:
        """`own_cpu_ns`: processor time of all the run's processes, cumulative. A process that was replaced makes it
        fall: that second is left out."""
        if self._limited:
            return
        now = (busy_ns(self._read("/proc/stat"), self._cpus), own_cpu_ns, now_ns)
        before, self._before = self._before, now
        if before is None or now[1] < before[1] or now_ns <= before[2]:
            return
        passed_ns = now_ns - before[2]
        others = max(0.0, (now[0] - before[0] - (now[1] - before[1])) / passed_ns)
        self.others_cores += (others - self.others_cores) * min(1.0, passed_ns / NS_PER_S / _WINDOW_S)


def _quota(read: ReadText) -> float | None:
    """Cores that the control group allows; None where it does not limit them."""
    fields = read("/sys/fs/cgroup/cpu.max").split()
    if len(fields) != 2 or fields[0] == "max":
        return None
    return int(fields[0]) / int(fields[1])

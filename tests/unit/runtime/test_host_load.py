"""What other programs take of this host's cores, from the kernel's counters."""

import os
from collections.abc import Callable

import pytest

from penstock.runtime.host_load import HostLoad, busy_ns, usable_cores

S = 1_000_000_000
TICKS = os.sysconf("SC_CLK_TCK")
STAT = "cpu  1 2 3 4\ncpu0 100 10 50 7000 5 3 2 1 0 0\ncpu1 200 0 0 8000 0 0 0 0 0 0\nintr 5\n"


def files(**texts: str) -> Callable[[str], str]:
    return lambda path: texts.get(path.rpartition("/")[2].replace(".", "_"), "")


def test_busy_time_leaves_idle_and_waiting_out() -> None:
    assert busy_ns(STAT, [0]) == 166 * S // TICKS
    assert busy_ns(STAT, [0, 1]) == 366 * S // TICKS
    assert busy_ns("", [0]) == 0


def test_what_the_run_itself_uses_is_not_others() -> None:
    cpu = min(os.sched_getaffinity(0))
    ticks = 0

    def read(path: str) -> str:
        return f"cpu{cpu} {ticks} 0 0 0 0 0 0 0\n" if path.endswith("stat") else ""

    host = HostLoad(read)
    host.update(0, 0)
    for second in range(1, 61):
        ticks = round(second * 0.75 * TICKS)
        host.update(second * S // 2, second * S)
    assert host.others_cores == pytest.approx(0.25, abs=0.01)


def test_a_process_that_ended_does_not_make_others_of_its_time() -> None:
    cpu = min(os.sched_getaffinity(0))
    ticks = 0

    def read(path: str) -> str:
        return f"cpu{cpu} {ticks} 0 0 0 0 0 0 0\n" if path.endswith("stat") else ""

    host = HostLoad(read)
    host.update(10 * S, 0)
    ticks = TICKS
    host.update(2 * S, S)
    assert host.others_cores == 0.0


def test_a_control_group_may_allow_less_than_the_affinity() -> None:
    every = float(len(os.sched_getaffinity(0)))
    assert usable_cores(files()) == every
    assert usable_cores(files(cpu_max="max 100000")) == every
    assert usable_cores(files(cpu_max="50000 100000")) == 0.5
    assert usable_cores(files(cpu_max="9900000 100000")) == every
    host = HostLoad(files(cpu_max="50000 100000", stat=STAT))
    host.update(0, 0)
    host.update(0, S)
    assert host.others_cores == 0.0

"""Entry point of every child process: `python -m penstock.runtime.child NAME CONTROL_FD PARENT_PID`.

Only the rooms that this kind of process needs are imported: an executor without networks loads no OpenVINO, the engine
no NumPy.
"""

import ctypes
import os
import signal
import socket
import sys

from penstock.base.clock import Clock, SystemClock
from penstock.contracts.messages import ProcessKind
from penstock.framebus.links import Link
from penstock.framebus.regions import MemfdRegions, Regions
from penstock.runtime.shell import Shell, Unit
from penstock.telemetry.logs import Logging

_PR_SET_PDEATHSIG = 1


def make_unit(shell: Shell) -> Unit:
    """The unit of the shell's kind of process."""
    match shell.start_message.kind:
        case ProcessKind.INGEST:
            from penstock.runtime.ingest_process import IngestUnit  # noqa: PLC0415

            return IngestUnit(shell)
        case ProcessKind.ENGINE:
            from penstock.runtime.engine_process import EngineUnit  # noqa: PLC0415

            return EngineUnit(shell)
        case ProcessKind.EXECUTOR:
            from penstock.runtime.executor_process import ExecutorUnit  # noqa: PLC0415

            return ExecutorUnit(shell)
        case ProcessKind.RECORDER:
            from penstock.runtime.recorder_process import RecorderUnit  # noqa: PLC0415

            return RecorderUnit(shell)
        case ProcessKind.API:
            from penstock.runtime.api_process import ApiUnit  # noqa: PLC0415

            return ApiUnit(shell)


def run_child(name: str, control: socket.socket, regions: Regions, clock: Clock) -> None:
    """Lives until the supervisor says stop, or is gone."""
    shell = Shell(name, Link(control, "supervisor"), regions, clock)
    shell.run(make_unit)


def main() -> None:
    name, descriptor, parent = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    end_with_parent(parent)
    # Both are the supervisor's to hear, also where a service manager sends them to all of its processes: it stops
    # its children in order, with their events closed and their clips finished.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    clock = SystemClock()
    # The supervisor hands its log settings down in the environment: they are needed before the first message.
    logs = Logging(
        name,
        clock,
        form=os.environ.get("PENSTOCK_LOG_FORMAT", "human"),
        level=os.environ.get("PENSTOCK_LOG_LEVEL", "info"),
    )
    logs.start()
    try:
        run_child(name, socket.socket(fileno=descriptor), MemfdRegions(), clock)
    finally:
        logs.stop()


def end_with_parent(parent: int) -> None:
    """Has the kernel kill this process when its parent ends, even if its loop hangs."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the supervisor ended before its child began")


if __name__ == "__main__":
    main()

"""How a child comes to life: as a process of its own, or as a thread of this one with the same code.

Processes are spawned with a fresh interpreter, never forked: a fork would copy locks and threads of FFmpeg and
OpenVINO in an unknown state. A child gets one descriptor, its control link; everything else comes over that.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Protocol

_CHILD_MODULE = "penstock.runtime.child"
# One thread per library call: cores are given out by us. Few malloc arenas: threads must not multiply memory.
_CHILD_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class Child(Protocol):
    """One life of one child."""

    @property
    def pid(self) -> int: ...

    def ended(self) -> str | None:
        """How it ended, in words; None while it lives. Never waits."""
        ...

    def kill(self) -> None:
        """Ends it now, whatever it does; a thread cannot be killed and is left behind."""
        ...

    def wait_ended(self, timeout_s: float) -> bool: ...


class Launcher(Protocol):
    def launch(self, name: str, control: socket.socket) -> Child:
        """Starts a child on its end of the control link, which is closed here."""
        ...


class ChildProcess:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> str | None:
        code = self._process.poll()
        if code is None:
            return None
        if code >= 0:
            return f"exit code {code}"
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"

    def kill(self) -> None:
        self._process.kill()

    def wait_ended(self, timeout_s: float) -> bool:
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True


class ProcessLauncher:
    """Children as processes, each in a process group of its own, so that Ctrl-C reaches only the supervisor."""

    def launch(self, name: str, control: socket.socket) -> ChildProcess:
        with control:
            descriptor = control.fileno()
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", _CHILD_MODULE, name, str(descriptor), str(os.getpid())],
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                env=os.environ | _CHILD_ENVIRONMENT,
                process_group=0,
            )
        return ChildProcess(process)


class ChildThread:
    def __init__(self, thread: threading.Thread) -> None:
        self._thread = thread

    @property
    def pid(self) -> int:
        return os.getpid()

    def ended(self) -> str | None:
        return None if self._thread.is_alive() else "returned"

    def kill(self) -> None:
        """Nothing can end a thread from outside."""

    def wait_ended(self, timeout_s: float) -> bool:
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


class ThreadLauncher:
    """Children as threads of this process, for embedding, tests and devices that one process must own."""

    def __init__(self, child_main: Callable[[str, socket.socket], None]) -> None:
        self._child_main = child_main

    def launch(self, name: str, control: socket.socket) -> ChildThread:
        thread = threading.Thread(target=self._child_main, args=(name, control), name=name, daemon=True)
        thread.start()
        return ChildThread(thread)

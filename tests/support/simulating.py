"""`penstock simulate` as a process of its own: started, asked for its cameras, and always ended."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from penstock.simulator.ready import Ready, ReadyCamera, decode_ready

READY_WITHIN_S = 60.0
ENDED_WITHIN_S = 10.0
# The smallest that can carry a timecode, and the shortest loop.
SMALL = ("-n", "1", "--setting", "yard", "--loop", "10s", "--size", "512x288", "--gop", "5", "--fps", "10")
PLAIN = (*SMALL, "--no-sub", "--timecode")


class Simulating:
    """The command with `arguments`, on a free port, as a context manager; `films` is kept from one to the next."""

    def __init__(self, films: Path, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "penstock", "simulate", "--json", "--port", "0", "--films", str(films)]
        self._command += arguments
        self._process: subprocess.Popen[bytes] | None = None
        self.log = films / f"simulate-{os.getpid()}-{id(self)}.log"
        self.ready = Ready(())

    def __enter__(self) -> "Simulating":
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, bufsize=0
            )
        try:
            self.ready = decode_ready(self._first_line())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def camera(self) -> ReadyCamera:
        """The first one."""
        return self.ready.cameras[0]

    def said(self) -> str:
        """What it wrote to standard error."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Asks it to end, and gives the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(ENDED_WITHIN_S)

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.kill()
        process.wait(ENDED_WITHIN_S)
        if process.stdout is not None:
            process.stdout.close()

    def _first_line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor, line = self._process.stdout.fileno(), b""
        until_s = time.monotonic() + READY_WITHIN_S
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([descriptor], [], [], max(0.0, until_s - time.monotonic()))
            piece = os.read(descriptor, 65536) if readable else b""
            if not piece:
                raise RuntimeError(
                    f"penstock simulate was not ready within {READY_WITHIN_S:g} s: {self.said()[-2000:]}"
                )
            line += piece
        return line

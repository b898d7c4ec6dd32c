"""Real RTSP cameras for a scenario: `penstock simulate` in a process of its own, always ended."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from penstock.base.clock import NS_PER_S, Clock
from penstock.harness.single_run import BenchError
from penstock.simulator.ready import Ready, decode_ready

READY_WITHIN_S = 600.0
"""films are drawn the first time, which takes a minute or two for many cameras"""
ENDED_WITHIN_S = 10.0
LOOP = "20s"
SIZE = "640x360"


class RtspCameras:
    """`count` cameras on a free port, as a context manager; `films` is kept from one time to the next."""

    def __init__(self, count: int, films: Path, clock: Clock, log_file: Path) -> None:
        self._count = count
        self._films = films
        self._clock = clock
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None
        self.ready = Ready(())

    def __enter__(self) -> "RtspCameras":
        command = [sys.executable, "-m", "penstock", "simulate", "--json", "--port", "0", "-n", str(self._count)]
        command += ["--films", str(self._films), "--loop", LOOP, "--size", SIZE]
        with self._log_file.open("wb") as log:
            # A group of its own: Ctrl-C is for the bench to take, which then ends this in order.
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, bufsize=0, process_group=0
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

    def _first_line(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor, line = self._process.stdout.fileno(), b""
        until_ns = self._clock.now_ns() + round(READY_WITHIN_S * NS_PER_S)
        while not line.endswith(b"\n"):
            left_s = max(0.0, (until_ns - self._clock.now_ns()) / NS_PER_S)
            readable, _, _ = select.select([descriptor], [], [], left_s)
            piece = os.read(descriptor, 65536) if readable else b""
            if not piece:
                raise BenchError(f"the simulated cameras did not start. What they said is in {self._log_file}")
            line += piece
        return line

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(ENDED_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def drawn_films(films: Path, clock: Clock, log_file: Path) -> list[Path]:
    """Video files of the simulator's scenes, drawn where they are missing; raises BenchError."""
    with RtspCameras(4, films, clock, log_file):
        pass
    found = sorted(films.glob(f"*{SIZE}*.mp4"))
    if not found:
        raise BenchError(f"the simulator left no films in {films}. What it said is in {log_file}")
    return found

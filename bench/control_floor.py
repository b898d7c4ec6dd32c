"""What this machine takes for any message at all: another Python process wakes up, receives it and answers.

A floor under control work that no engine in Python gets below: one `epoll_wait`, one `recv`, one `send`.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import time

from bench.records import Series
from bench.stopwatch import process_cpu_ns

MESSAGE = bytes(250)
_WARM_UP = 20
_BATCH = 20
_ANSWER_S = 5.0


def measure(batches: int, pause_s: float) -> dict[str, Series]:
    """Processor time of the answering process per message, by batch."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    echo = subprocess.Popen(
        [sys.executable, "-m", "bench.control_floor", str(theirs.fileno())], pass_fds=[theirs.fileno()]
    )
    theirs.close()
    ours.settimeout(_ANSWER_S)
    samples = []
    try:
        for number in range(batches + 1):
            spent_ns = process_cpu_ns(echo.pid)
            count = _BATCH if number else _WARM_UP
            for _ in range(count):
                time.sleep(pause_s)
                ours.send(MESSAGE)
                ours.recv(len(MESSAGE))
            time.sleep(0.001)  # until it waits again
            if number:
                samples.append((process_cpu_ns(echo.pid) - spent_ns) / 1000 / count)
    finally:
        ours.close()
        echo.send_signal(signal.SIGKILL)
        echo.wait()
    return {"for comparison: one bare message": Series("µs", samples)}


def answer(descriptor: int) -> None:
    """The other process; ends when its peer is gone."""
    link = socket.socket(fileno=descriptor)
    poll = select.epoll()
    poll.register(link, select.EPOLLIN)
    while True:
        poll.poll()
        if not link.recv(len(MESSAGE)):
            os._exit(0)
        link.send(b"1")


if __name__ == "__main__":
    answer(int(sys.argv[1]))

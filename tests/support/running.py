"""Runs `penstock` as people do: in processes of its own, over real sockets and signals, and leaves nothing behind.

What a test may look at is what a user may: exit code, output, `/metrics`, `/health`, files. Processes are found in
/proc, not by asking the program about itself.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from prometheus_client.parser import text_string_to_metric_families

STARTED_WITHIN_S = 30.0
STOPPED_WITHIN_S = 12.0
POLL_S = 0.03

T = TypeVar("T")


class Ended(NamedTuple):
    """How a run ended: its exit code, and how long it took from the signal."""

    code: int
    took_s: float


class Metrics:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self._samples = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]
        self.text = text

    def total(self, name: str, **labels: str) -> float:
        """Sum of all samples of `penstock_<name>` that have `labels`; 0 where there is none."""
        wanted = labels.items()
        return sum(v for n, found, v in self._samples if n == f"penstock_{name}" and wanted <= found.items())

    def analysed(self, camera: str) -> float:
        return self.total("lane_frames_total", camera=camera, fate="analysed")

    def fate(self, camera: str, fate: str) -> float:
        return self.total("lane_frames_total", camera=camera, fate=fate)


class Running:
    """`penstock run` on `config`, as a context manager. Leaving it kills what is left."""

    def __init__(self, folder: Path, config: dict[str, Any], *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self._config = folder / "penstock.yaml"
        self._report = folder / "report.json"
        self._log = folder / "log.txt"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._pids: set[int] = set()
        self._memory: set[tuple[int, int]] = set()
        settings = {"data_dir": str(self.data), "metrics": {"port": self.port}, **config}
        self._config.write_text(json.dumps(settings, indent=2), encoding="utf-8")

    def __enter__(self) -> "Running":
        command = [sys.executable, "-m", "penstock", "run", str(self._config), "--report", str(self._report), "--quiet"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")},
                process_group=0,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self.note_resources()
        for pid in [self.pid, *self._pids]:
            if is_ours(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(10)
        if kind is not None:
            print(f"--- log of the run in {self.folder}\n{self.log()[-8000:]}")

    # looking

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def children(self) -> dict[str, int]:
        """Names and pids of the processes that run now."""
        found = {}
        for pid in live_pids():
            words = command_line(pid)
            if "penstock.runtime.child" in words and words[-1] == str(self.pid):
                found[words[-3]] = pid
        self._pids.update(found.values())
        return found

    def metrics(self) -> Metrics:
        return Metrics(self._get("metrics")[1])

    def health(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._get("health")[1])
        return answer

    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def report(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._report.read_text(encoding="utf-8"))
        return answer

    def events(self) -> list[dict[str, Any]]:
        """Every line of events.jsonl."""
        path = self.data / "events.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def camera(self, name: str) -> dict[str, Any]:
        """What /health says of a camera."""
        found: dict[str, Any] = next(camera for camera in self.health()["cameras"] if camera["camera"] == name)
        return found

    # waiting

    def wait_for(self, what: str, condition: Callable[[], T | None], timeout_s: float = STARTED_WITHIN_S) -> T:
        """The first true answer of `condition`, which may fail while the API is away; fails the test after the time."""
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s:
            assert self._process is not None
            assert self._process.poll() is None, f"the run ended while waiting for {what}:\n{self.log()[-4000:]}"
            with contextlib.suppress(OSError, StopIteration):
                if answer := condition():
                    return answer
            time.sleep(POLL_S)
        raise AssertionError(f"{what}: not within {timeout_s} s\n{self.log()[-6000:]}")

    def wait_analysing(self, *cameras: str, beyond: dict[str, float] | None = None, timeout_s: float = 30.0) -> None:
        """Until every camera has results, more than it had `beyond`."""
        known = beyond or {}
        self.wait_for(
            f"results of {', '.join(cameras)}",
            lambda: all((now := self.metrics()) and now.analysed(name) > known.get(name, 0.0) for name in cameras),
            timeout_s,
        )

    def wait_event(self, rule: str, camera: str = "", timeout_s: float = STARTED_WITHIN_S) -> dict[str, Any]:
        """The first revision of the first event of `rule`, on `camera` where one is named."""

        def first() -> dict[str, Any] | None:
            found = (event for event in self.events() if event["rule"] == rule and camera in ("", event["camera"]))
            return next(found, None)

        return self.wait_for(f"an event of {rule} {camera}", first, timeout_s)

    # acting

    def send(self, number: signal.Signals, child: str | None = None) -> int:
        """Sends a signal to a child by name, or to the supervisor; the pid that got it."""
        pid = self.pid if child is None else self.children()[child]
        os.kill(pid, number)
        return pid

    def stop(self, number: signal.Signals = signal.SIGTERM) -> Ended:
        """Asks the run to end, and waits for it."""
        self.note_resources()
        began_s = time.monotonic()
        self.send(number)
        return Ended(self.wait_ended(STOPPED_WITHIN_S), time.monotonic() - began_s)

    def wait_ended(self, timeout_s: float) -> int:
        """The exit code, once the run has ended by itself."""
        assert self._process is not None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the run did not end within {timeout_s} s\n{self.log()[-6000:]}") from None

    def note_resources(self) -> None:
        """Remembers which shared memory and processes the run has, for `assert_nothing_left`."""
        self.children()
        self._memory |= memory_of(self.pid)

    def assert_nothing_left(self, timeout_s: float = 2.0) -> None:
        """No process, no shared memory and no half-written file of this run outlives it by more than `timeout_s`."""
        shares = "thread" not in self._arguments
        assert bool(self._memory) == shares, "note_resources was not called while the run was alive"
        until_s = time.monotonic() + timeout_s
        while (left := [pid for pid in self._pids if is_ours(pid)]) and time.monotonic() < until_s:
            time.sleep(POLL_S)
        assert not left, {pid: command_line(pid) for pid in left}
        held = {pid: found for pid in live_pids() if (found := memory_of(pid) & self._memory)}
        assert not held, held
        assert not [name for name in os.listdir("/dev/shm") if "penstock" in name]
        assert not self.temporaries()

    def temporaries(self) -> list[Path]:
        """Files of clips that are still being written, or were when their process died."""
        return [path for path in self.data.rglob("*") if path.name.endswith(".partial")]

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def live_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and is_alive(int(name))]


def is_alive(pid: int) -> bool:
    """A process that has ended but was not yet waited for counts as gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def is_ours(pid: int) -> bool:
    """Alive, and still a process of Penstock: a pid may have been given to somebody else."""
    return is_alive(pid) and any(word.startswith("penstock") for word in command_line(pid))


def command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")[:-1]
    except OSError:
        return []


def memory_of(pid: int) -> set[tuple[int, int]]:
    """Device and inode of all shared memory of Penstock that a process has open or mapped."""
    found: set[tuple[int, int]] = set()
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if "memfd:penstock" in os.readlink(entry.path):
                    stat = os.stat(entry.path)
                    found.add((stat.st_dev, stat.st_ino))
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines():
            if "memfd:penstock" in line:
                words = line.split()
                major, minor = (int(part, 16) for part in words[3].split(":"))
                found.add((os.makedev(major, minor), int(words[4])))
    return found

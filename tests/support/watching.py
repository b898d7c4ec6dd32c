"""Watches from outside that a camera is served as if nothing happened to the others."""

import contextlib
import itertools
import threading
import time

from running import Running


class Watch(threading.Thread):
    """Notes when a camera's count of results grows, until it is stopped."""

    def __init__(self, run: Running, name: str) -> None:
        super().__init__(daemon=True)
        self._run = run
        self._name = name
        self._done = threading.Event()
        self.grown: list[tuple[float, float]] = []

    def run(self) -> None:
        while not self._done.wait(0.1):
            with contextlib.suppress(OSError):
                count = self._run.metrics().analysed(self._name)
                if not self.grown or count > self.grown[-1][1]:
                    self.grown.append((time.monotonic(), count))

    def stop(self) -> None:
        self._done.set()
        self.join()

    def longest_gap_s(self) -> float:
        return max(later - earlier for (earlier, _), (later, _) in itertools.pairwise(self.grown))

    def per_s(self) -> float:
        (began, first), (ended, last) = self.grown[0], self.grown[-1]
        return (last - first) / (ended - began)

    def __str__(self) -> str:
        return f"{self._name}: {self.per_s():.2f} results a second, longest gap {self.longest_gap_s():.2f} s"


class Following(threading.Thread):
    """Notes, camera by camera, every fault that /health states, and when each first has results after `expect`."""

    def __init__(self, run: Running) -> None:
        super().__init__(daemon=True)
        self._run = run
        self._done = threading.Event()
        self.faults: dict[str, list[str]] = {}
        self._expected: dict[str, tuple[float, float]] = {}
        self.back_after_s: dict[str, float] = {}

    def expect(self, *cameras: str) -> None:
        """From now on these cameras can be seen."""
        seen = self._run.metrics()
        for name in cameras:
            self.back_after_s.pop(name, None)
            self._expected[name] = (time.monotonic(), seen.analysed(name))

    def wait_back(self, timeout_s: float = 20.0) -> None:
        """Until all that are expected have had new results."""
        self._run.wait_for(
            "the cameras to be back",
            lambda: not (set(self._expected) - self.back_after_s.keys()),
            timeout_s,
        )

    def run(self) -> None:
        while not self._done.wait(0.1):
            with contextlib.suppress(OSError):
                self._look()

    def _look(self) -> None:
        for camera in self._run.health()["cameras"]:
            told = self.faults.setdefault(camera["camera"], [])
            if camera["fault"] and camera["fault"] not in told:
                told.append(camera["fault"])
        seen = self._run.metrics()
        for name, (since_s, count) in list(self._expected.items()):
            if name not in self.back_after_s and seen.analysed(name) > count + 1:
                self.back_after_s[name] = time.monotonic() - since_s

    def stop(self) -> None:
        self._done.set()
        self.join()

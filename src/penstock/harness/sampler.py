"""Watches a run from its own thread: waits until it is up, lets it warm up, reads it once a second, and ends it.

It has the place of the terminal (`telemetry.live.LiveView`): all that it knows comes from the statistics that every
process publishes, so that nothing is measured that a user's metrics would not show.
"""

import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from penstock.base.clock import NS_PER_S, Clock
from penstock.contracts.messages import CameraState
from penstock.harness.cue import give_cue
from penstock.harness.measured import Reading
from penstock.telemetry.joined_statistics import all_models
from penstock.telemetry.statistics import ProcessStatistics, Snapshot

log = logging.getLogger(__name__)

POLL_S = 0.1
UP_WITHIN_NS = 60 * NS_PER_S
SAMPLE_NS = NS_PER_S


class Sampler:
    """One run's. `readings` are, when it is over: the end of the warm-up, one each second, and the end."""

    def __init__(
        self,
        clock: Clock,
        *,
        models: Sequence[str],
        warm_up_ns: int,
        for_ns: int,
        cue: Path,
        end_run: Callable[[], None] | None = None,
        on_second: Callable[[Reading, int], None] | None = None,
    ) -> None:
        self._clock = clock
        self._models = frozenset(models)
        self._warm_up_ns = warm_up_ns
        self._for_ns = for_ns
        self._cue = cue
        self._end_run = end_run or end_this_run
        self._on_second = on_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sampler", daemon=True)
        self._snapshot: Snapshot | None = None
        self.readings: list[Reading] = []
        self.complete = False
        """the whole measurement was seen"""
        self.problem = ""
        """why nothing could be measured"""

    def start(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._thread.start()

    def stop(self) -> None:
        """Waits until nothing more is read."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self) -> None:
        try:
            if self._wait_up() and not self._clock.wait(self._stop, self._warm_up_ns / NS_PER_S):
                self._measure()
        except Exception as error:
            log.exception("the run could not be watched")
            self.problem = f"the run could not be watched: {type(error).__name__}: {error}"
        if not self._stop.is_set():
            self._end_run()

    def _wait_up(self) -> bool:
        """Until every camera gives pictures and every model is loaded."""
        until_ns = self._clock.now_ns() + UP_WITHIN_NS
        missing = "no process has said anything"
        while self._clock.now_ns() < until_ns:
            if self._clock.wait(self._stop, POLL_S):
                return False
            missing = self._missing(self._read().processes)
            if not missing:
                return True
        self.problem = f"not up within {UP_WITHIN_NS // NS_PER_S} s: {missing}"
        return False

    def _missing(self, processes: Sequence[ProcessStatistics]) -> str:
        cameras = [camera for process in processes for camera in process.cameras]
        if not cameras:
            return "no camera is there"
        down = [f"camera {c.camera} is {c.state.value} {c.fault}".strip() for c in cameras if not _is_up(c.state)]
        models = {model.model: model for model in all_models(processes)}
        failed = [f"model {m.model}: {m.fault}" for m in models.values() if m.state == "failed"]
        ready = {name for name, model in models.items() if model.state == "ready"}
        return (failed or down or [f"model {name} is not loaded" for name in sorted(self._models - ready)] or [""])[0]

    def _measure(self) -> None:
        first = self._read()
        self.readings.append(first)
        give_cue(self._cue, first.at_ns)
        second = 1
        while True:
            at_ns = min(first.at_ns + second * SAMPLE_NS, first.at_ns + self._for_ns)
            while (early_ns := at_ns - self._clock.now_ns()) > 0:
                if self._clock.wait(self._stop, early_ns / NS_PER_S):
                    return
            reading = self._read()
            self.readings.append(reading)
            if self._on_second is not None:
                self._on_second(reading, second)
            if at_ns >= first.at_ns + self._for_ns:
                self.complete = True
                return
            second += 1

    def _read(self) -> Reading:
        assert self._snapshot is not None
        return Reading(self._clock.now_ns(), tuple(self._snapshot()))


def end_this_run() -> None:
    """The signal that ends a run in order; the application takes it while the sampler runs."""
    os.kill(os.getpid(), signal.SIGTERM)


def _is_up(state: CameraState) -> bool:
    return state in (CameraState.UP, CameraState.ENDED)

"""A run is measured from the moment it is up and warm, once a second, and ended by who watches it."""

import threading
from pathlib import Path

from penstock.base.clock import NS_PER_S, SimulatedClock
from penstock.contracts.messages import CameraState
from penstock.harness.cue import Cue
from penstock.harness.sampler import Sampler
from penstock.telemetry.analysis_statistics import ModelStatistics
from penstock.telemetry.statistics import CameraStatistics, ProcessStatistics


class ScriptedRun:
    """Its camera comes up at one instant of the clock, and its model is loaded at another."""

    def __init__(self, clock: SimulatedClock, up_s: float, loaded_s: float, model_state: str = "ready") -> None:
        self._clock, self._up_s, self._loaded_s, self._model_state = clock, up_s, loaded_s, model_state

    def __call__(self) -> list[ProcessStatistics]:
        now_s = self._clock.now_ns() / NS_PER_S
        state = CameraState.UP if now_s >= self._up_s else CameraState.CONNECTING
        model = ModelStatistics("slow", "device", state=self._model_state if now_s >= self._loaded_s else "loading")
        camera = CameraStatistics("cam1", state=state)
        return [ProcessStatistics("ingest-0", "ingest", cameras=(camera,), models=(model,))]


def watched(tmp_path: Path, run: ScriptedRun, clock: SimulatedClock) -> tuple[Sampler, bool]:
    ended = threading.Event()
    sampler = Sampler(
        clock,
        models=["slow"],
        warm_up_ns=5 * NS_PER_S,
        for_ns=round(2.5 * NS_PER_S),
        cue=tmp_path / "cue",
        end_run=ended.set,
    )
    sampler.start(run)
    ended.wait(30)
    sampler.stop()
    return sampler, ended.is_set()


def test_it_waits_until_all_is_up_warms_up_and_reads_once_a_second(tmp_path: Path) -> None:
    clock = SimulatedClock()
    sampler, ended = watched(tmp_path, ScriptedRun(clock, up_s=2.0, loaded_s=3.0), clock)
    assert (sampler.complete, sampler.problem, ended) == (True, "", True)
    first_ns = sampler.readings[0].at_ns
    assert first_ns == 8 * NS_PER_S
    assert [reading.at_ns - first_ns for reading in sampler.readings] == [
        0,
        NS_PER_S,
        2 * NS_PER_S,
        round(2.5 * NS_PER_S),
    ]
    assert Cue(str(tmp_path / "cue")).since_s(10 * NS_PER_S) == 2.0


def test_a_run_that_does_not_come_up_is_ended_and_says_what_is_missing(tmp_path: Path) -> None:
    clock = SimulatedClock()
    sampler, ended = watched(tmp_path, ScriptedRun(clock, up_s=1e9, loaded_s=0), clock)
    assert (sampler.complete, ended, sampler.readings) == (False, True, [])
    assert sampler.problem == "not up within 60 s: camera cam1 is connecting"


def test_a_model_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    clock = SimulatedClock()
    sampler, _ = watched(tmp_path, ScriptedRun(clock, up_s=0, loaded_s=0, model_state="failed"), clock)
    assert "model slow" in sampler.problem


def test_what_is_wrong_with_the_statistics_ends_the_run(tmp_path: Path) -> None:
    clock, ended = SimulatedClock(), threading.Event()

    def broken() -> list[ProcessStatistics]:
        raise ValueError("torn")

    sampler = Sampler(clock, models=[], warm_up_ns=1, for_ns=1, cue=tmp_path / "cue", end_run=ended.set)
    sampler.start(broken)
    assert ended.wait(30)
    sampler.stop()
    assert sampler.problem == "the run could not be watched: ValueError: torn"


def test_a_cue_is_not_there_until_it_is_given(tmp_path: Path) -> None:
    cue = Cue(str(tmp_path / "cue"))
    assert cue.since_s(0) is None
    assert not cue.within(0, 0, 10)
    assert Cue("").since_s(0) is None

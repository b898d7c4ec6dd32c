"""A session of the bench: every scenario as often as asked, written down after each run, interrupted in order.

Runs are the outer loop, so that a machine that slows down does so for all scenarios alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.base.clock import NS_PER_MS, NS_PER_S, Clock
from penstock.base.units import format_duration
from penstock.harness.age_against_load import BUDGETS_MS, Variant, curve_row, largest_within, step_run, steps_to
from penstock.harness.comparison import loss_rows
from penstock.harness.environment import environment
from penstock.harness.int8_model import int8_model
from penstock.harness.measured import Measured, Reading
from penstock.harness.network_load import network_run
from penstock.harness.results_folder import CURVE, OTHERS, SUMMARY, VALIDATION, ResultsFolder
from penstock.harness.rtsp_cameras import RtspCameras, drawn_films
from penstock.harness.scenario import Kind, Scenario, Spin
from penstock.harness.series import series_rows
from penstock.harness.single_run import BenchError, Build, Ran, Times, run_once
from penstock.harness.summary import summary_row
from penstock.harness.validation import validation_rows
from penstock.harness.workload import Wanted, synthetic_run
from penstock.models.demo import demo_detector_path
from penstock.runtime.application import RunError

CALIBRATE_NS = 5 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for."""

    out: Path
    runs: int = 1
    for_ns: int = 20 * NS_PER_S
    warm_up_ns: int = 5 * NS_PER_S
    isolation: str = "process"
    cores: int = 1
    model: Path | None = None
    int8: Path | None = None
    videos: tuple[Path, ...] = ()
    films: Path | None = None
    max_cameras: int = 32
    duration_given: bool = False
    """the scenarios' own durations do not count"""


Say = Callable[[str], None]


class Interrupted(Exception):
    """Somebody asked the bench to end; what was measured is kept."""


class Session:
    """Used once: `run` returns whether every scenario could be run."""

    def __init__(self, scenarios: Sequence[Scenario], settings: Settings, clock: Clock, say: Say) -> None:
        self._scenarios = scenarios
        self._settings = settings
        self._clock = clock
        self._say = say
        self._folder = ResultsFolder(settings.out)
        self._films: list[Path] = []
        self._capacity_fps = 0.0
        self.failed: list[str] = []
        """scenarios that could not be run, with the reason"""
        self.interrupted = False

    def run(self) -> bool:
        """Runs all; after Ctrl-C it returns too, and `interrupted` says so. Raises BenchError where nothing can be
        written."""
        settings = self._settings
        self._folder.open()
        told = {
            "scenarios": [scenario.name for scenario in self._scenarios],
            "runs": settings.runs,
            "for_s": settings.for_ns / NS_PER_S,
            "warm_up_s": settings.warm_up_ns / NS_PER_S,
            "isolation": settings.isolation,
            "model": (settings.model or demo_detector_path()).name,
        }
        self._folder.write_environment(environment(self._clock, told))
        try:
            for run_id in range(1, settings.runs + 1):
                for scenario in self._scenarios:
                    self._scenario(scenario, run_id)
        except (Interrupted, KeyboardInterrupt):
            self.interrupted = True
            self._say("interrupted; what was measured is kept")
        return not self.failed

    def _scenario(self, scenario: Scenario, run_id: int) -> None:
        if scenario.kind is Kind.STEPS and run_id > 1:
            return
        self._say(f"{scenario.name}, run {run_id} of {self._settings.runs}: {scenario.about}")
        try:
            if scenario.kind is Kind.STEPS:
                self._steps(scenario, run_id)
            else:
                self._measure(scenario, run_id)
        except RunError as error:
            self.failed.append(f"{scenario.name}: {error}")
            self._say(f"  could not be run: {error}")
            row = {"run_id": run_id, "scenario": scenario.name, "claim": "it runs", "measured": str(error)[:300]}
            self._folder.merge(VALIDATION, [{**row, "holds": False}], ("run_id", "scenario"))

    # one scenario

    def _measure(self, scenario: Scenario, run_id: int) -> None:
        times = self._times(scenario)
        without: Measured | None = None
        if scenario.compared:
            build = self._build(scenario, faults=False)
            without = self._once(scenario, run_id, times, build, label="without").measured
        ran = self._once(scenario, run_id, times, self._build(scenario, faults=True))
        found, wanted = ran.measured, _wanted_of(ran.measured)
        folder, name = self._folder, scenario.name
        folder.merge(SUMMARY, [summary_row(run_id, scenario, found, complete=ran.complete)], ("run_id", "scenario"))
        folder.write_series(name, run_id, series_rows(ran.readings, wanted))
        folder.write_histograms(name, run_id, found)
        if without is not None and without.lanes:
            folder.merge(OTHERS, loss_rows(scenario, run_id, found, without), ("run_id", "scenario", "camera", "model"))
        if not ran.complete:
            raise Interrupted
        rows = validation_rows(scenario, run_id, found, without)
        folder.merge(VALIDATION, rows, ("run_id", "scenario"))
        self._say(f"  {in_short(found)}")
        for row in rows:
            self._say(f"  {'holds' if row['holds'] else 'DOES NOT HOLD'}: {row['claim']} ({row['measured']})")

    def _once(self, scenario: Scenario, run_id: int, times: Times, build: Build, label: str = "") -> Ran:
        name = f"{scenario.name}-{label}" if label else scenario.name
        ran = run_once(
            build,
            times=times,
            clock=self._clock,
            cores=self._settings.cores,
            log_file=self._folder.log_of(name, run_id),
            isolation=self._settings.isolation,
            spins=scenario.spin is Spin.HARNESS,
            on_second=self._on_second,
        )
        if label and not ran.complete:
            raise Interrupted
        return ran

    def _build(self, scenario: Scenario, *, faults: bool) -> Build:
        if scenario.kind is Kind.SYNTHETIC:
            return lambda place: synthetic_run(scenario, place, self._clock, faults=faults)
        videos, model = self._videos(), self._settings.model or demo_detector_path()
        total_fps = scenario.load * self._capacity(videos, model)
        return lambda place: network_run(videos, model, place, self._clock, total_fps=total_fps)

    def _times(self, scenario: Scenario) -> Times:
        settings = self._settings
        own = scenario.for_ns and not settings.duration_given
        return Times(settings.warm_up_ns, scenario.for_ns if own else settings.for_ns)

    # real networks

    def _videos(self) -> list[Path]:
        if self._settings.videos:
            return list(self._settings.videos)
        if not self._films:
            self._films = drawn_films(self._films_folder, self._clock, self._folder.log_of("films", 1))
        return self._films

    @property
    def _films_folder(self) -> Path:
        return (self._settings.films or self._settings.out / "films").absolute()

    def _capacity(self, videos: Sequence[Path], model: Path) -> float:
        """Analyses a second that this machine does of `model` when it is asked for all that the videos have."""
        if not self._capacity_fps:
            ran = run_once(
                lambda place: network_run(videos, model, place, self._clock, total_fps=1e6),
                times=Times(self._settings.warm_up_ns, min(CALIBRATE_NS, self._settings.for_ns)),
                clock=self._clock,
                cores=self._settings.cores,
                log_file=self._folder.log_of("capacity", 1),
                isolation=self._settings.isolation,
            )
            if not ran.complete:
                raise Interrupted
            self._capacity_fps = sum(lane.analysed_fps for lane in ran.measured.lanes)
            if not self._capacity_fps:
                raise BenchError(f"{model} analysed nothing. What the run said is in {self._folder.path / 'logs'}")
            self._say(f"  1× of {model.name} on this machine: {self._capacity_fps:.0f} analyses a second")
        return self._capacity_fps

    # age against load

    def _steps(self, scenario: Scenario, run_id: int) -> None:
        settings = self._settings
        model = settings.model or demo_detector_path()
        log_file = self._folder.log_of(scenario.name, run_id)
        models = {"float": model}
        quantised, why_not = int8_model(settings.int8, model, self._films_folder, self._clock, log_file)
        if quantised is None:
            self._say(f"  no 8-bit model: {why_not}")
        else:
            models["int8"] = quantised
        with RtspCameras(settings.max_cameras, self._films_folder, self._clock, log_file) as simulated:
            cameras = simulated.ready.cameras
            for kind, path in models.items():
                for sub in (False, True):
                    self._curve(Variant(kind, path, sub), cameras, run_id)

    def _curve(self, variant: Variant, cameras: Sequence[Any], run_id: int) -> None:
        rows: list[dict[str, Any]] = []
        for count in steps_to(len(cameras)):

            def build(place: Any, some: Sequence[Any] = cameras[:count]) -> Any:
                return step_run(some, variant, place, self._clock)

            ran = run_once(
                build,
                times=Times(self._settings.warm_up_ns, self._settings.for_ns),
                clock=self._clock,
                cores=self._settings.cores,
                log_file=self._folder.log_of(f"age_against_load-{variant.model}-{count}", run_id),
                isolation=self._settings.isolation,
            )
            if not ran.complete:
                raise Interrupted
            rows.append(curve_row(run_id, variant, ran.measured))
            self._folder.merge(CURVE, rows, ("run_id", "model", "stream", "cameras"))
            row = rows[-1]
            self._say(
                f"  {variant.name}, {count} cameras: age p50 {row['age_p50_ms']:.0f}, p95 {row['age_p95_ms']:.0f}, "
                f"p99 {row['age_p99_ms']:.0f} ms; {row['analysed_fps']:.2f} of {row['wanted_fps']:g} a second each"
            )
        for budget_ms in BUDGETS_MS:
            most = largest_within(rows, budget_ms, full_rate=False)
            at_rate = largest_within(rows, budget_ms, full_rate=True)
            self._say(
                f"  {variant.name}: {most} cameras within {budget_ms} ms at p99, {at_rate} of them at their full rate"
            )

    def _on_second(self, reading: Reading, second: int) -> None:
        del reading
        if second == 1:
            self._say("  measuring")


def _wanted_of(found: Measured) -> Wanted:
    return {(lane.camera, lane.model): (lane.wanted_fps, lane.priority) for lane in found.lanes}


def in_short(found: Measured) -> str:
    """One line; `-` where there is nothing of which to tell a percentile."""
    age = found.age
    wanted_fps = sum(lane.wanted_fps for lane in found.lanes)
    analyses = f"{sum(lane.analysed_fps for lane in found.lanes):.1f} of {wanted_fps:.1f} analyses a second"
    p50, p99 = (f"{age.percentile_ns(percent) / NS_PER_MS:.1f} ms" if age.count else "-" for percent in (50, 99))
    return (
        f"{format_duration(round(found.seconds * NS_PER_S))}: {analyses if found.lanes else 'no analyses'}, "
        f"age p50 {p50}, p99 {p99}, tick p50 {found.plan.percentile_ns(50) / 1000:.1f} µs"
    )

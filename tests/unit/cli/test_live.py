"""The live table: rates, ages and events from one snapshot after another, on virtual time."""

import io
import logging
import re
from collections.abc import Callable

import pytest
from rich.console import Console

from penstock.base.clock import NS_PER_MS, NS_PER_S, SimulatedClock
from penstock.cli.live_model import LiveModel
from penstock.cli.live_table import LiveLines, LiveTable, line, live_view, milliseconds, render
from penstock.contracts.capacity import ResourceUse
from penstock.contracts.messages import CameraState
from penstock.telemetry.analysis_statistics import LaneStatistics, PlanStatistics, RuleStatistics, Stage
from penstock.telemetry.histogram import Histogram
from penstock.telemetry.statistics import CameraStatistics, EventNote, ProcessStatistics


class Run:
    """25 pictures and 5 analyses a second; the ages of results are those that `age_ms` gives for each second."""

    def __init__(self, age_ms: Callable[[int], int]) -> None:
        self._age_ms = age_ms
        self._ages = Histogram()
        self._second = 0

    def at(self, second: int) -> list[ProcessStatistics]:
        while self._second < second:
            self._second += 1
            for _ in range(5):
                self._ages.record(self._age_ms(self._second) * NS_PER_MS)
        lanes = tuple(
            LaneStatistics(
                "front", model, fates={"analysed": 5 * second}, stages={Stage.AGE.value: self._ages.to_record()}
            )
            for model in ("people", "cars")
        )
        notes = (EventNote("e1", "two", "front", "alert", "open", 1_700_000_005 * NS_PER_S),) if second else ()
        return [
            ProcessStatistics(
                "ingest-0",
                cpu_s=0.5 * second,
                rss_bytes=2**20,
                cameras=(
                    CameraStatistics("front", state=CameraState.UP, frames=25 * second),
                    CameraStatistics("front", role="record", state=CameraState.UP, frames=0),
                    CameraStatistics("back", state=CameraState.DOWN, fault="refused"),
                ),
            ),
            ProcessStatistics(
                "engine",
                cpu_s=0.1 * second,
                lanes=lanes,
                recent_events=notes,
                rules=(RuleStatistics("two", "front", confirmed=second),),
            ),
        ]


def test_rates_ages_and_events(clock: SimulatedClock) -> None:
    run, model = Run(lambda _: 80), LiveModel()
    for second in range(4):
        state = model.update(run.at(second), clock.now_ns())
        clock.advance(NS_PER_S)
    front, back = state.rows
    assert (front.camera, front.state, front.fps_in, front.analysed_per_s, front.events) == (
        "front",
        "up",
        25.0,
        10.0,
        3,
    )
    assert front.age_p50_ms == pytest.approx(80, rel=0.02)
    assert front.last_event == "22:13:25 two (open)"
    assert (back.state, back.fault, back.analysed_per_s, back.age_p50_ms) == ("down", "refused", 0.0, None)
    assert state.cpu_cores == pytest.approx(0.6)
    assert (state.processes, state.rss_bytes, state.fates) == (2, 2**20, {"analysed": 30})


def test_ages_are_those_of_the_last_seconds(clock: SimulatedClock) -> None:
    run, model = Run(lambda second: 400 if second <= 10 else 50), LiveModel()
    for second in range(20):
        state = model.update(run.at(second), clock.now_ns())
        clock.advance(NS_PER_S)
    assert state.rows[0].age_p99_ms == pytest.approx(50, rel=0.02)


def test_counters_that_begin_anew_give_no_negative_rate(clock: SimulatedClock) -> None:
    model = LiveModel()
    model.update(Run(lambda _: 80).at(9), clock.now_ns())
    clock.advance(NS_PER_S)
    assert model.update(Run(lambda _: 80).at(1), clock.now_ns()).rows[0].fps_in == 0.0


def test_the_table_shows_it(clock: SimulatedClock) -> None:
    run, model = Run(lambda _: 80), LiveModel()
    model.update(run.at(0), clock.now_ns())
    clock.advance(NS_PER_S)
    console = Console(width=140, file=io.StringIO(), record=True)
    console.print(render(model.update(run.at(1), clock.now_ns())))
    lines = console.export_text().splitlines()
    headings = "camera|state|fps in|analysed/s|age p50|age p99|events|last event"
    assert "|".join(re.split(r"\s{2,}", lines[0].strip())) == headings
    assert lines[1].split()[:5] == ["front", "up", "25.0", "10.0", "80"]
    assert lines[2].split()[:3] == ["back", "down", "0.0"]
    assert lines[3] == "back: refused"
    assert "2 processes  0.60 cores  1 MiB   analysed 10" in lines[5]
    assert lines[6] == "alert   front: 22:13:25 two (open)"


def test_on_a_narrow_terminal_only_the_last_event_is_cut(clock: SimulatedClock) -> None:
    run, model = Run(lambda _: 80), LiveModel()
    model.update(run.at(0), clock.now_ns())
    clock.advance(NS_PER_S)
    console = Console(width=72, file=io.StringIO(), record=True)
    console.print(render(model.update(run.at(1), clock.now_ns())))
    front = console.export_text().splitlines()[1]
    assert front.split()[:8] == ["front", "up", "25.0", "10.0", "80", "ms", "80", "ms"]
    assert front.rstrip().endswith("…")


def test_a_line_for_logs(clock: SimulatedClock) -> None:
    row = LiveModel().update(Run(lambda _: 80).at(0), clock.now_ns()).rows[1]
    assert line(row) == "down (refused), 0.0 fps in, 0.0 analysed/s, age p50 - p99 -, 0 events"


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (3.14, "3.1 ms"), (80.4, "80 ms")])
def test_ages_in_words(value: float | None, text: str) -> None:
    assert milliseconds(value) == text


def test_what_suits_the_output(clock: SimulatedClock) -> None:
    assert isinstance(live_view(Console(file=io.StringIO()), clock), LiveLines)
    assert isinstance(live_view(Console(file=io.StringIO(), force_terminal=True), clock), LiveTable)


def test_lines_come_every_ten_seconds(clock: SimulatedClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    began_ns = clock.now_ns()
    run, view = Run(lambda _: 80), LiveLines(clock)

    def snapshot() -> list[ProcessStatistics]:
        second = (clock.now_ns() - began_ns) // NS_PER_S
        if second >= 30:
            view._ended.set()
        return run.at(second)

    view.start(snapshot)
    view._thread.join(10) if view._thread else None
    view.stop()
    front = [record.message for record in caplog.records if getattr(record, "camera", "") == "front"]
    assert front == [f"up, 25.0 fps in, 10.0 analysed/s, age p50 80 ms p99 80 ms, {n} events" for n in (10, 20, 30)]


def test_a_snapshot_that_fails_ends_the_view_and_nothing_else(
    clock: SimulatedClock, caplog: pytest.LogCaptureFixture
) -> None:
    def snapshot() -> list[ProcessStatistics]:
        raise OSError("gone")

    view = LiveTable(Console(file=io.StringIO(), force_terminal=True), clock)
    view.start(snapshot)
    view.stop()
    assert "the live view has ended; the run goes on" in caplog.text


def test_what_the_plan_takes_from_somebody_is_seen(clock: SimulatedClock) -> None:
    def lanes(level: str, granted_fps: float) -> list[ProcessStatistics]:
        worst = LaneStatistics("front", "cars", max_fps=5.0, granted_fps=granted_fps, level=level)
        plan = PlanStatistics(resources=(ResourceUse("device:cpu", "s/s", 1.8, 1.71, 4.0),))
        return [
            ProcessStatistics(
                "engine",
                lanes=(LaneStatistics("front", "people", max_fps=5.0, granted_fps=5.0), worst),
                cameras=(CameraStatistics("front", state=CameraState.UP),),
                plan=plan,
            )
        ]

    def shown(level: str, granted_fps: float) -> str:
        console = Console(width=120, file=io.StringIO(), record=True)
        console.print(render(LiveModel().update(lanes(level, granted_fps), clock.now_ns())))
        return console.export_text()

    assert "granted" not in shown("full", 5.0).splitlines()[0]
    reduced = shown("reduced", 2.5)
    assert "granted" in reduced.splitlines()[0]
    assert "2.5/s" in reduced.splitlines()[1]
    assert "device:cpu 95% given out" in reduced
    assert "paused" in shown("paused", 0.0)
    assert line(LiveModel().update(lanes("reduced", 2.5), 0).rows[0]).startswith(
        "up, 0.0 fps in, 0.0 analysed/s (granted 2.5/s), age"
    )


def test_rows_are_in_the_order_of_the_configuration() -> None:
    processes = [
        ProcessStatistics("ingest-0", cameras=(CameraStatistics("c0"), CameraStatistics("c2"))),
        ProcessStatistics("ingest-1", cameras=(CameraStatistics("c1"), CameraStatistics("c3"))),
        ProcessStatistics("engine", lanes=tuple(LaneStatistics(f"c{number}", "m") for number in (3, 0, 1, 2))),
    ]
    assert [row.camera for row in LiveModel().update(processes, 0).rows] == ["c3", "c0", "c1", "c2"]

"""Models that only take time take exactly that, and fail when the scenario says so."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from penstock.base.clock import NS_PER_MS, NS_PER_S, SimulatedClock
from penstock.harness.cue import give_cue
from penstock.harness.latency_models import PERIOD_NS, LatencyModel, Planned, Spinning, is_busy


class TickingClock(SimulatedClock):
    """Reading it takes a microsecond, so that who computes until an instant gets there."""

    def now_ns(self) -> int:
        return self.advance(1000)


def called(model: LatencyModel, capture_ns: int = 0) -> dict[str, Any]:
    return model.predict(None, SimpleNamespace(capture_ns=capture_ns))


def took_ms(model: LatencyModel, clock: SimulatedClock) -> int:
    before_ns = SimulatedClock.now_ns(clock)
    called(model)
    return round((SimulatedClock.now_ns(clock) - before_ns) / NS_PER_MS)


def test_it_sleeps_and_computes_for_as_long_as_it_is_told() -> None:
    clock = TickingClock()
    assert took_ms(LatencyModel(sleep_ms=5, clock=clock), clock) == 5
    assert took_ms(LatencyModel(burn_ms=3, clock=clock), clock) == 3
    assert took_ms(LatencyModel(clock=clock), clock) == 0


def test_it_is_slower_within_its_window_and_recovers(tmp_path: Path) -> None:
    clock, cue = SimulatedClock(NS_PER_S), tmp_path / "cue"
    model = LatencyModel(sleep_ms=5, slower=10, slower_from_s=1, slower_until_s=2, cue=str(cue), clock=clock)
    took = [took_ms(model, clock)]
    give_cue(cue, 2 * NS_PER_S)
    for at_s in (2.5, 3.0, 3.9, 4.0):
        clock.advance_to(round(at_s * NS_PER_S))
        took.append(took_ms(model, clock))
    assert took == [5, 5, 50, 50, 5]


def test_it_raises_and_hangs_within_its_window_only(tmp_path: Path) -> None:
    clock, cue = SimulatedClock(), tmp_path / "cue"
    give_cue(cue, 0)
    raising = LatencyModel(raises_from_s=1, raises_until_s=2, cue=str(cue), clock=clock)
    hanging = LatencyModel(hangs_from_s=1, hangs_until_s=2, cue=str(cue), clock=clock)
    called(raising)
    clock.advance_to(NS_PER_S)
    with pytest.raises(Planned, match="call 2"):
        called(raising)
    assert took_ms(hanging, clock) == 3_600_000
    called(raising)


def test_it_is_busy_in_the_first_half_of_each_period_and_has_a_box_then() -> None:
    model = LatencyModel(clock=SimulatedClock())
    assert [is_busy(at_ns) for at_ns in (0, PERIOD_NS // 2 - 1, PERIOD_NS // 2, PERIOD_NS)] == [True, True, False, True]
    busy, idle = called(model, 0), called(model, PERIOD_NS // 2)
    assert (busy["scalars"]["Busy"], len(busy["detections"])) == (True, 1)
    assert (idle["scalars"]["Busy"], len(idle["detections"])) == (False, 0)


def test_a_spinning_thread_ends_when_it_is_stopped() -> None:
    before = threading.active_count()
    spinning = Spinning()
    spinning.start()
    assert threading.active_count() == before + 1
    spinning.stop()
    assert threading.active_count() == before


def test_a_thread_that_a_model_lets_spin_ends_with_the_model() -> None:
    before = set(threading.enumerate())
    model = LatencyModel(spins=True, clock=SimulatedClock())
    (spinning,) = set(threading.enumerate()) - before
    del model
    spinning.join(30)
    assert not spinning.is_alive()

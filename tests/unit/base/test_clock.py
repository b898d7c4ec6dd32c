"""Simulated time moves only when told to; waiting moves it."""

import threading

import pytest

from penstock.base.clock import SimulatedClock, SystemClock


def test_time_moves_only_when_told() -> None:
    clock = SimulatedClock(100, utc_offset_ns=1_000)
    assert (clock.now_ns(), clock.utc_ns()) == (100, 1_100)
    assert clock.advance(50) == clock.now_ns() == 150
    assert clock.advance_to(151) == 151
    clock.utc_offset_ns += 7
    assert clock.utc_ns() == 1_158, "the host's time was set; the monotonic clock did not notice"


@pytest.mark.parametrize("go_back", [lambda c: c.advance(-1), lambda c: c.advance_to(99)])
def test_time_never_goes_back(go_back: object) -> None:
    clock = SimulatedClock(100)
    with pytest.raises(ValueError, match="time cannot go back by 1 ns"):
        go_back(clock)  # type: ignore[operator]
    assert clock.now_ns() == 100


def test_waiting_takes_simulated_time_unless_the_event_is_set() -> None:
    clock, event = SimulatedClock(), threading.Event()
    assert not clock.wait(event, 1.5)
    assert clock.now_ns() == 1_500_000_000
    event.set()
    assert clock.wait(event, 1.5)
    assert clock.now_ns() == 1_500_000_000


def test_only_computing_takes_processor_time() -> None:
    clock = SimulatedClock(100)
    clock.advance(50)
    clock.wait(threading.Event(), 1e-9)
    assert clock.thread_cpu_ns() == 0
    assert clock.compute(30) == clock.now_ns() == 181
    assert clock.thread_cpu_ns() == 30
    with pytest.raises(ValueError, match="time cannot go back by 1 ns"):
        clock.compute(-1)
    assert clock.thread_cpu_ns() == 30


def test_the_systems_clock_is_monotonic_and_named_apart() -> None:
    clock, event = SystemClock(), threading.Event()
    event.set()
    first = clock.now_ns()
    assert clock.wait(event, 10.0)
    assert clock.now_ns() >= first
    used_ns = clock.thread_cpu_ns()
    sum(range(100_000))
    assert clock.thread_cpu_ns() > used_ns
    assert clock.utc_ns() > 1_700_000_000 * 10**9
    assert clock.clock_id != SimulatedClock.clock_id

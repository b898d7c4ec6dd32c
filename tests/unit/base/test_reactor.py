"""The loop on simulated time: each cycle moves the clock and asks to run at once, so nothing really waits."""

import os
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from penstock.base.clock import SimulatedClock
from penstock.base.reactor import LONGEST_WAIT_NS, Reactor

MS = 1_000_000


class Jumping(SimulatedClock):
    """Counts readings; a loop that reads it a million times is stuck."""

    reads = 0

    def now_ns(self) -> int:
        self.reads += 1
        assert self.reads < 100_000, "the loop runs without end"
        return super().now_ns()


@pytest.fixture
def clock() -> Jumping:
    return Jumping(1_000 * MS)


@pytest.fixture
def reactor(clock: Jumping) -> Iterator[Reactor]:
    made = Reactor(clock).open()
    yield made
    made.close()


def run(reactor: Reactor, clock: SimulatedClock, step_ms: int = 1, until_ms: int = 10_000) -> None:
    """Runs the loop; each cycle takes `step_ms`."""
    end_ns = clock.now_ns() + until_ms * MS

    def cycle() -> int:
        if clock.now_ns() >= end_ns:
            reactor.stop_nowait()
        return clock.advance(step_ms * MS)

    reactor.on_cycle(cycle)
    reactor.run()


def test_timers_run_in_order_at_their_time(reactor: Reactor, clock: Jumping) -> None:
    ran: list[tuple[str, int]] = []

    def note(name: str) -> Callable[[], None]:
        return lambda: ran.append((name, clock.now_ns() // MS - 1_000))

    for name, at_ms in (("late", 30), ("early", 10), ("same, later", 20), ("same, latest", 20)):
        reactor.call_at((1_000 + at_ms) * MS, note(name))
    run(reactor, clock, until_ms=100)
    assert ran == [("early", 10), ("same, later", 20), ("same, latest", 20), ("late", 30)]


def test_what_repeats_begins_at_once_and_makes_up_for_nothing(reactor: Reactor, clock: Jumping) -> None:
    ran: list[int] = []

    def slow() -> None:
        ran.append(clock.now_ns() // MS - 1_000)
        if len(ran) == 2:
            clock.advance(500 * MS)

    reactor.call_every(100 * MS, slow)
    run(reactor, clock, until_ms=880)
    assert ran == [0, 100, 700, 800]


def test_a_timer_may_set_the_next_for_now(reactor: Reactor, clock: Jumping) -> None:
    ran = []

    def first() -> None:
        ran.append("first")
        reactor.call_at(clock.now_ns(), lambda: ran.append("second"))

    reactor.call_at(0, first)
    run(reactor, clock, until_ms=5)
    assert ran == ["first", "second"]


def test_nothing_runs_after_stop(reactor: Reactor, clock: Jumping) -> None:
    ran = []
    reactor.call_at(0, reactor.stop_nowait)
    reactor.call_at(0, lambda: ran.append("timer"))
    reactor.on_cycle(lambda: ran.append("cycle"))
    reactor.run()
    assert ran == []


def test_many_wake_ups_are_one(reactor: Reactor, clock: Jumping) -> None:
    woken = []
    reactor.on_wake(lambda: woken.append(1))
    reactor.on_wake(lambda: woken.append(2))
    for _ in range(50):
        reactor.wake_nowait()
    run(reactor, clock, until_ms=5)
    assert woken == [1, 2]


def test_a_wake_up_from_another_thread_ends_the_wait() -> None:
    """For real: without it the loop would sleep for its longest wait, and `join` fail."""
    from penstock.base.clock import SystemClock

    assert LONGEST_WAIT_NS == 10**9
    reactor = Reactor(SystemClock()).open()
    woken = threading.Event()
    reactor.on_wake(woken.set)
    thread = threading.Thread(target=reactor.run)
    thread.start()
    for _ in range(20):
        woken.clear()
        reactor.wake_nowait()
        assert woken.wait(0.9)
    reactor.stop_nowait()
    thread.join(0.9)
    assert not thread.is_alive()
    reactor.close()


def test_waking_a_closed_loop_does_nothing_to_whoever_got_its_descriptor(clock: Jumping) -> None:
    before = set(os.listdir("/proc/self/fd"))
    reactor = Reactor(clock)
    reactor.wake_nowait()
    reactor.open()
    reactor.close()
    assert set(os.listdir("/proc/self/fd")) == before
    fd = os.eventfd(0, os.EFD_NONBLOCK)
    for _ in range(3):
        reactor.wake_nowait()
    with pytest.raises(BlockingIOError):
        os.eventfd_read(fd)
    os.close(fd)
    reactor.close()


def test_what_is_readable_is_called_until_forgotten(reactor: Reactor, clock: Jumping) -> None:
    a, b = socket.socketpair()
    got: list[bytes] = []

    def read() -> None:
        got.append(b.recv(1))
        if len(got) == 2:
            reactor.forget(b)
            reactor.forget(b)

    reactor.on_readable(b, read)
    a.send(b"xyz")
    run(reactor, clock, until_ms=20)
    assert got == [b"x", b"y"]
    a.close()
    b.close()


@pytest.mark.parametrize("reopen", [False, True], ids=["closed", "its number passed to another"])
def test_what_a_callback_closed_is_not_called_in_the_same_batch(reactor: Reactor, clock: Jumping, reopen: bool) -> None:
    """Both are readable; the first to be called closes the other, whose descriptor may be somebody else's at once."""
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []
    opened: list[socket.socket] = []

    def close_other(one: int) -> None:
        called.append(one)
        other = pairs[1 - one][1]
        if other.fileno() >= 0:
            number = other.fileno()
            reactor.forget(other)
            other.close()
            if reopen:
                ours, theirs = socket.socketpair()
                opened.extend([ours, theirs])
                assert number in (ours.fileno(), theirs.fileno())
                same = ours if ours.fileno() == number else theirs
                reactor.on_readable(same, lambda: called.append(99))
        reactor.forget(pairs[one][1])

    for number, (ours, theirs) in enumerate(pairs):
        ours.send(b"x")
        reactor.on_readable(theirs, lambda one=number: close_other(one))  # type: ignore[misc]
    run(reactor, clock, until_ms=20)
    assert len(called) == 1
    assert called[0] in (0, 1)
    for one in [*opened, *(end for pair in pairs for end in pair)]:
        one.close()


def test_a_loop_that_is_not_open_says_so(clock: Jumping) -> None:
    a, b = socket.socketpair()
    with pytest.raises(RuntimeError, match="the reactor is not open"):
        Reactor(clock).on_readable(a, lambda: None)
    a.close()
    b.close()

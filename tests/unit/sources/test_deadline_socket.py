"""A read ends by its instant, however the bytes drip in."""

from typing import Any, cast

import pytest

from penstock.base.clock import SimulatedClock
from penstock.sources.deadline_socket import DeadlineSocket

S = 1_000_000_000


class DrippingSocket:
    """Gives one byte a second, as long as it is waited for that long."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._timeout_s = 0.0
        self.sent = b""

    def settimeout(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    def recv_into(self, buffer: Any) -> int:
        self._clock.advance(round(min(1.0, self._timeout_s) * S))
        if self._timeout_s < 1:
            raise TimeoutError
        buffer[:1] = b"a"
        return 1

    def sendall(self, data: bytes) -> None:
        self.sent += data


@pytest.mark.parametrize(("limit_s", "lasts_s"), [(3, 3), (2.5, 2.5), (0, 0)])
def test_a_line_that_never_ends_is_read_no_longer_than_told(limit_s: float, lasts_s: float) -> None:
    clock = SimulatedClock()
    timed = DeadlineSocket(cast(Any, DrippingSocket(clock)), clock, round(limit_s * S))
    with pytest.raises(TimeoutError):
        timed.makefile("rb").readline()
    assert clock.now_ns() == lasts_s * S


def test_the_deadline_can_be_moved_between_reads() -> None:
    clock = SimulatedClock()
    inner = DrippingSocket(clock)
    timed = DeadlineSocket(cast(Any, inner), clock, 2 * S)
    timed.sendall(b"GET / HTTP/1.1\r\n\r\n")
    file = timed.makefile("rb")
    assert (file.read(2), inner.sent) == (b"aa", b"GET / HTTP/1.1\r\n\r\n")
    timed.until_ns = clock.now_ns() + 5 * S
    assert file.read(3) == b"aaa"
    assert clock.now_ns() == 5 * S

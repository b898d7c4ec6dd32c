"""The ladder of delays, exactly, and what holds for any randomness."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.sources.backoff import HEALTHY_NS, Backoff

MS = 1_000_000
S = 1000 * MS

LADDERS = {
    "no luck: half of each step": (0.0, [100, 200, 400, 800, 1500, 1500, 1500]),
    "half way": (0.5, [150, 300, 600, 1200, 2250, 2250, 2250]),
}


@pytest.mark.parametrize(("draw", "expected_ms"), LADDERS.values(), ids=LADDERS.keys())
def test_ladder(draw: float, expected_ms: list[int]) -> None:
    backoff = Backoff(3 * S, lambda: draw)
    assert [backoff.failed() // MS for _ in expected_ms] == expected_ms
    assert backoff.failures == len(expected_ms)


def test_a_healthy_session_starts_the_ladder_anew() -> None:
    backoff = Backoff(3 * S, lambda: 0.0)
    for _ in range(5):
        backoff.failed()
    assert backoff.failed(lasted_ns=HEALTHY_NS) == 100 * MS
    assert backoff.failures == 1


def test_a_camera_that_accepts_and_hangs_up_is_not_hammered() -> None:
    backoff = Backoff(3 * S, lambda: 0.0)
    assert [backoff.failed(lasted_ns=50 * MS) // MS for _ in range(6)] == [100, 200, 400, 800, 1500, 1500]


@given(st.integers(1, 10 * S), st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=50))
def test_never_above_the_cap_nor_zero_for_ever(cap_ns: int, draws: list[float]) -> None:
    values = iter(draws)
    backoff = Backoff(cap_ns, lambda: next(values))
    delays = [backoff.failed() for _ in draws]
    assert all(0 <= delay <= cap_ns for delay in delays)
    assert all(delay >= min(200 * MS, cap_ns) // 2 for delay in delays)

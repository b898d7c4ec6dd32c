"""When a process that ended is started again."""

import pytest

from penstock.control.restarts import RestartPolicy

MS = 1_000_000


@pytest.mark.parametrize(
    ("lives_ms", "delays_ms"),
    [
        pytest.param([0] * 8, [100, 200, 400, 800, 1600, 3200, 5000, 5000], id="doubled up to the cap"),
        pytest.param([0, 0, 19_999, 20_000, 0], [100, 200, 400, 100, 200], id="a healthy life forgives"),
        pytest.param([0] * 3 + [60_000] * 3, [100, 200, 400, 100, 100, 100], id="each healthy life anew"),
    ],
)
def test_delays(lives_ms: list[int], delays_ms: list[int]) -> None:
    policy = RestartPolicy()
    assert [policy.delay_ns(lived * MS) for lived in lives_ms] == [delay * MS for delay in delays_ms]


def test_it_never_overflows() -> None:
    policy = RestartPolicy()
    assert {policy.delay_ns(0) for _ in range(10_000)} >= {100 * MS, 5_000 * MS}
    assert policy.delay_ns(0) == 5_000 * MS

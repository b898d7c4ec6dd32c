"""What the bench says of a run in one line."""

import pytest

from penstock.base.clock import NS_PER_MS
from penstock.harness.measured import LaneMeasured, Measured
from penstock.harness.session import in_short
from penstock.telemetry.histogram import Histogram


def lane(*ages_ms: int) -> LaneMeasured:
    age = Histogram()
    for age_ms in ages_ms:
        age.record(age_ms * NS_PER_MS)
    fates = {"analysed": len(ages_ms)}
    return LaneMeasured("cam1", "fast", 0, 5.0, 5.0, 500 * NS_PER_MS, 2.0, 10, fates, 0, {"age": age})


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Measured(2.0), "2 s: no analyses, age p50 -, p99 -, tick p50 0.0 µs"),
        (Measured(2.0, lanes=(lane(),)), "2 s: 0.0 of 5.0 analyses a second, age p50 -, p99 -, tick p50 0.0 µs"),
        (
            Measured(2.0, lanes=(lane(0, 0, 0, 0),)),
            "2 s: 2.0 of 5.0 analyses a second, age p50 0.0 ms, p99 0.0 ms, tick p50 0.0 µs",
        ),
    ],
    ids=["no lane", "no result", "results"],
)
def test_what_was_not_measured_is_not_said_to_be_zero(found: Measured, told: str) -> None:
    assert in_short(found) == told

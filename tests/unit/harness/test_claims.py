"""Each claim holds and fails on the numbers that it is about."""

import pytest

from penstock.base.clock import NS_PER_MS
from penstock.harness import claims
from penstock.harness.measured import LaneMeasured, Measured
from penstock.harness.scenario import Claim, Scenario
from penstock.harness.validation import validation_rows
from penstock.telemetry.histogram import Histogram


def lane(model: str, analysed: int, *, wanted_fps: float = 10.0, priority: int = 0, age_ms: int = 50) -> LaneMeasured:
    ages = Histogram()
    for _ in range(analysed):
        ages.record(age_ms * NS_PER_MS)
    return LaneMeasured(
        camera="cam1",
        model=model,
        priority=priority,
        wanted_fps=wanted_fps,
        granted_fps=wanted_fps,
        budget_ns=500 * NS_PER_MS,
        seconds=10.0,
        offered=analysed,
        fates={"analysed": analysed},
        late=0,
        stages={"age": ages},
    )


def of(*lanes: LaneMeasured, **values: object) -> Measured:
    return Measured(seconds=10.0, lanes=lanes, **values)  # type: ignore[arg-type]


MIB = 1 << 20
CASES: dict[str, tuple[Claim, Measured, bool]] = {
    "books balance": (claims.books_balance, of(), True),
    "books do not": (claims.books_balance, of(balanced=False, unbalanced=("frames of lane a/b",)), False),
    "all in time": (claims.within_budget, of(lane("a", 100)), True),
    "two of a hundred too old": (claims.within_budget, of(lane("a", 98), lane("b", 2, age_ms=600)), False),
    "no result at all": (claims.within_budget, of(lane("a", 0)), False),
    "even": (claims.evenly, of(lane("a", 100), lane("b", 100)), True),
    "uneven within a priority": (claims.evenly, of(lane("a", 100), lane("b", 50)), False),
    "uneven between priorities": (claims.evenly, of(lane("a", 100, priority=1), lane("b", 10)), True),
    "high priority untouched": (claims.high_untouched, of(lane("a", 99, priority=1), lane("b", 0)), True),
    "high priority touched": (claims.high_untouched, of(lane("a", 90, priority=1), lane("b", 100)), False),
    "memory flat": (claims.rss_flat, of(rss_series_bytes=(50 * MIB, *[100 * MIB] * 9)), True),
    "memory grows": (claims.rss_flat, of(rss_series_bytes=tuple(n * MIB for n in range(100, 200, 10))), False),
    "too short for memory": (claims.rss_flat, of(rss_series_bytes=(MIB,) * 4), False),
    "plan settled": (claims.plan_settled, of(plan_changes=0), True),
    "plan flaps": (claims.plan_settled, of(plan_changes=1), False),
}


@pytest.mark.parametrize("name", CASES)
def test_a_claim_holds_where_it_does(name: str) -> None:
    claim, found, holds = CASES[name]
    told, verdict = claim.check(found, None)
    assert verdict is holds
    assert told


@pytest.mark.parametrize(("fast_with", "holds"), [(100, True), (99, True), (97, False)])
def test_others_may_lose_two_percent_and_the_faulty_lane_anything(fast_with: int, holds: bool) -> None:
    scenario = Scenario("broken", "faults", "", faulty=("slow",))
    claim = claims.others_lose_nothing(scenario)
    without = of(lane("fast", 100), lane("slow", 100))
    assert claim.check(of(lane("fast", fast_with), lane("slow", 0)), without)[1] is holds
    assert claim.check(of(lane("fast", fast_with)), None)[1] is False


def test_rows_of_the_validation_name_the_claim_and_the_number() -> None:
    scenario = Scenario("broken", "faults", "", claims=(claims.books_balance, claims.plan_settled))
    rows = validation_rows(scenario, 2, of(plan_changes=3))
    assert [(row["run_id"], row["scenario"], row["holds"]) for row in rows] == [
        (2, "broken", True),
        (2, "broken", False),
    ]
    assert rows[1]["measured"] == "3 grants changed in 10 s"

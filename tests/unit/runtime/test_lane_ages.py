"""Ages as they are published: copied when a lane has a new result, and not again for nothing."""

from penstock.contracts.frames import Affine, Lease, Location, PixelFormat, View, ViewSpec
from penstock.contracts.work import Outcome, OutcomeStatus
from penstock.runtime.lane_ages import LaneAges
from penstock.telemetry.analysis_statistics import LaneStatistics, Stage
from penstock.testkit.views import frame_ref

MS = 1_000_000


def analysed(ages: LaneAges, capture_ms: int, age_ms: int) -> None:
    view = View(
        frame_ref("door", capture_ns=capture_ms * MS),
        ViewSpec(16, 12, PixelFormat.GRAY8),
        Lease("pool:door", 0, 1),
        Location.HEAP,
        "cpu",
        (),
        Affine(1.0, 1.0, 0.0, 0.0),
        made_ns=(capture_ms + 1) * MS,
    )
    finished_ns = (capture_ms + age_ms) * MS
    outcome = Outcome(1, 1, "m", OutcomeStatus.DONE, "cpu", started_ns=view.made_ns, finished_ns=finished_ns)
    ages.record(view, capture_ms * MS, outcome, finished_ns)


def test_what_is_published_is_of_all_results_so_far() -> None:
    ages = LaneAges()
    assert ages.records()[Stage.AGE].count == 0
    for number in range(1, 4):
        analysed(ages, 100 * number, 50)
        record = ages.records()[Stage.AGE]
        assert (record.count, record.max_ns) == (number, 50 * MS)
    assert ages.records() is ages.records(), "nothing new: no copy is made"


def test_a_new_engine_goes_on_where_the_last_one_was() -> None:
    before, ages = LaneAges(), LaneAges()
    analysed(before, 100, 50)
    assert ages.records()[Stage.AGE].count == 0
    ages.go_on_from(LaneStatistics("door", "m", late=2, stages=before.records()))
    analysed(ages, 200, 70)
    record = ages.records()[Stage.AGE]
    assert (record.count, record.min_ns, record.max_ns, ages.late) == (2, 50 * MS, 70 * MS, 2)

"""Frames by arithmetic are the frames that walking from one to the next would find."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.testkit.arrivals import PacedArrivals, RecordedArrivals
from penstock.testkit.chance_tables import ChanceTables

MS = 1_000_000
TABLES = ChanceTables(3)


def paced(jitter_ms: int = 0, latency_ms: int = 20, sigma: float = 0.0, key: int = 0) -> PacedArrivals:
    return PacedArrivals(key, TABLES.spread_ns(jitter_ms * MS), TABLES.log_normal_ns(latency_ms * MS, sigma))


def test_even_frames_are_where_they_should_be() -> None:
    camera = paced()
    camera.begin(1000 * MS, 40 * MS)
    assert [camera.capture_ns(index) // MS for index in (1, 2, 10)] == [1000, 1040, 1360]
    assert camera.decoded_ns(1) == 1020 * MS
    assert [camera.newest_at(at_ms * MS) for at_ms in (999, 1019, 1020, 1059, 1060, 1380)] == [0, 0, 1, 1, 2, 10]
    assert [camera.first_captured(at_ms * MS, 0) for at_ms in (0, 1000, 1001, 1360, 1361)] == [1, 1, 2, 10, 11]
    assert camera.first_captured(0, above_index=7) == 8


def test_indices_go_on_over_stretches() -> None:
    camera = paced()
    camera.begin(0, 100 * MS)
    camera.end(1000 * MS)
    camera.end(1000 * MS)
    assert (camera.frames, camera.newest_at(5000 * MS), camera.first_captured(0, 10)) == (10, 10, 0)
    assert [camera.newest_at(at_ms * MS) for at_ms in (819, 820, 919, 920)] == [8, 9, 9, 10]
    assert [camera.first_captured(at_ms * MS, 3) for at_ms in (0, 850, 900, 901)] == [4, 10, 10, 0]
    assert camera.capture_ns(10) == 900 * MS
    camera.begin(3000 * MS, 500 * MS)
    assert [camera.capture_ns(index) // MS for index in (9, 10, 11, 12)] == [800, 900, 3000, 3500]
    assert (camera.newest_at(3019 * MS), camera.newest_at(3020 * MS)) == (10, 11)
    assert camera.first_captured(0, 10) == 11


def test_frames_that_are_late_are_the_newest_later() -> None:
    camera = paced()
    camera.begin(0, 100 * MS)
    assert camera.newest_at(320 * MS) == 4
    camera.lag_ns = 30 * MS
    assert (camera.newest_at(320 * MS), camera.newest_at(350 * MS)) == (3, 4)


@given(
    key=st.integers(0, 5000),
    jitter_ms=st.integers(0, 19),
    latency_ms=st.integers(1, 200),
    at_ms=st.integers(0, 4000),
    above=st.integers(0, 120),
)
def test_arithmetic_finds_what_a_walk_finds(key: int, jitter_ms: int, latency_ms: int, at_ms: int, above: int) -> None:
    camera = paced(jitter_ms, latency_ms, 0.5, key)
    camera.begin(100 * MS, 40 * MS)
    at_ns = at_ms * MS
    walked = [index for index in range(1, 400) if camera.decoded_ns(index) <= at_ns]
    assert camera.newest_at(at_ns) == max(walked, default=0)
    first = next(index for index in range(above + 1, 400) if camera.capture_ns(index) >= at_ns)
    assert camera.first_captured(at_ns, above) == first


def test_recorded_frames_come_when_they_came() -> None:
    camera = RecordedArrivals((0, 40, 80), (25, 90, 88))
    assert [camera.newest_at(at) for at in (24, 25, 89, 90)] == [0, 1, 1, 3]
    assert [camera.first_captured(at, 0) for at in (0, 1, 80, 81)] == [1, 2, 3, 0]
    assert (camera.first_captured(0, above_index=3), camera.capture_ns(2), camera.decoded_ns(3)) == (0, 40, 90)

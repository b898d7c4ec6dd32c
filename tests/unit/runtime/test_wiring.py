"""How much memory a run is given: what its processes publish of themselves fits into theirs, however many lanes."""

import msgspec
import pytest

from penstock.contracts.fates import Fate
from penstock.contracts.specs import CameraSpec, LaneSpec, RuleSpec, RunSpec, StreamSpec
from penstock.contracts.times import ClockReading
from penstock.framebus.cell import LatestCell, cell_bytes
from penstock.framebus.regions import HeapRegions
from penstock.runtime import wiring
from penstock.telemetry.analysis_statistics import LaneStatistics, RuleStatistics, Stage
from penstock.telemetry.histogram import Histogram
from penstock.telemetry.statistics import ProcessStatistics


def run_of(cameras: int, models: int) -> RunSpec:
    names = [f"a-camera-with-a-long-name-{number:04}" for number in range(cameras)]
    return RunSpec(
        host_id="h",
        boot_id="b",
        run_id="r",
        clock=ClockReading("simulated", 0, 0),
        data_dir="",
        cameras=tuple(CameraSpec(name, (StreamSpec(name, "none"),)) for name in names),
        executors=(),
        lanes=tuple(LaneSpec(name, f"model-{number}") for name in names for number in range(models)),
        rules=(RuleSpec("somebody-stands-at-the-door", "person for 3s"),),
        ingest_groups=(tuple(names),),
    )


def wide() -> Histogram:
    """Durations of 1 ms to 1 s, each about as often as the others, many thousands of times."""
    histogram = Histogram()
    value_ns = 1e6
    while value_ns < 1e9:
        for _ in range(300):
            histogram.record(round(value_ns))
        value_ns *= 1.02
    return histogram


@pytest.mark.parametrize(("cameras", "models"), [(1, 1), (64, 3), (1000, 1)])
def test_what_the_engine_publishes_of_all_its_lanes_fits(cameras: int, models: int) -> None:
    spec = run_of(cameras, models)
    region = HeapRegions().create("statistics", cell_bytes(wiring.statistics_bytes(spec, wiring.ENGINE)))
    ages = wide().to_record()
    value = msgspec.msgpack.encode(
        ProcessStatistics(
            process="engine",
            kind="engine",
            pid=1,
            started_utc_ns=1 << 60,
            published_ns=1 << 60,
            cpu_s=1.0,
            rss_bytes=1 << 30,
            threads=3,
            lanes=tuple(
                LaneStatistics(
                    lane.camera,
                    lane.model,
                    fates={fate.label: 1 << 40 for fate in Fate},
                    stages=dict.fromkeys(Stage, ages),
                )
                for lane in spec.lanes
            ),
            rules=tuple(RuleStatistics("somebody-stands-at-the-door", camera.name) for camera in spec.cameras),
        )
    )
    cell = LatestCell(region.memory)
    cell.write(value)
    assert cell.read() == value


def test_only_the_engine_publishes_lanes() -> None:
    few, many = run_of(8, 1), run_of(8, 4)
    assert wiring.statistics_bytes(many, wiring.ENGINE) > wiring.statistics_bytes(few, wiring.ENGINE)
    assert wiring.statistics_bytes(many, wiring.API) == wiring.statistics_bytes(few, wiring.API)

"""A run with two cameras, as its processes would publish it."""

import pytest

from penstock.contracts.messages import CameraState
from penstock.telemetry.analysis_statistics import (
    EngineStatistics,
    ExecutorStatistics,
    LaneStatistics,
    ModelStatistics,
    RuleStatistics,
    Stage,
)
from penstock.telemetry.histogram import Histogram, HistogramRecord
from penstock.telemetry.statistics import (
    CameraStatistics,
    ChildStatistics,
    EventNote,
    JournalStatistics,
    PoolStatistics,
    ProcessStatistics,
    QueueRecord,
    RecorderStatistics,
    SinkStatistics,
    UnitBook,
)

NOW_NS = 1_000_000_000_000


def record_of(*milliseconds: int) -> HistogramRecord:
    histogram = Histogram()
    for value in milliseconds:
        histogram.record(value * 1_000_000)
    return histogram.to_record()


@pytest.fixture
def processes() -> list[ProcessStatistics]:
    def camera(name: str, state: CameraState, fault: str = "") -> CameraStatistics:
        return CameraStatistics(
            camera=name,
            state=state,
            url="rtsp://***@10.0.0.5/x",
            codec="h264",
            units=UnitBook(received=100, decoded=90, skipped=4, undecodable=3, lost=2, pending=1),
            frames=90,
            fps=25.0,
            connect_ns=150_000_000,
            slips=3,
            lost_packets=17,
            times_refused=5,
            capture_error_ns=2_000_000,
            last_frame_ns=NOW_NS - 50_000_000,
            ring_span_ns=12_500_000_000,
            fault=fault,
        )

    return [
        ProcessStatistics(
            process="supervisor",
            kind="supervisor",
            pid=1,
            published_ns=NOW_NS,
            children=tuple(
                ChildStatistics(name, name.split("-")[0], pid=pid, state="running", restarts=pid - 2)
                for pid, name in enumerate(("ingest-0", "engine"), 2)
            ),
        ),
        ProcessStatistics(
            process="ingest-0",
            kind="ingest",
            pid=2,
            started_utc_ns=1_700_000_000_000_000_000,
            published_ns=NOW_NS - 400_000_000,
            cpu_s=12.5,
            rss_bytes=80_000_000,
            cameras=(camera("front", CameraState.UP), camera('ba"ck\\\n', CameraState.UP)),
            pools=(PoolStatistics("front", slots=4, leased=1),),
        ),
        ProcessStatistics(
            process="engine",
            kind="engine",
            pid=3,
            published_ns=NOW_NS,
            cpu_s=3.5,
            rss_bytes=40_000_000,
            lanes=(
                LaneStatistics(
                    camera="front",
                    model="people",
                    offered=90,
                    fates={"analysed": 20, "not_due": 60, "superseded": 9},
                    in_flight=1,
                    granted_fps=5.0,
                    max_fps=5.0,
                    budget_ns=500_000_000,
                    stages={Stage.AGE.value: record_of(*range(1, 101)), Stage.COMPUTE.value: record_of(30, 40)},
                ),
            ),
            executors=(ExecutorStatistics("cpu", ready=True, streams=2, outcomes={"done": 20}, busy_ns=1_500_000_000),),
            models=(ModelStatistics("people", "cpu", state="ready", calls=20, compute=record_of(30, 40)),),
            rules=(RuleStatistics("two", "front", evaluations=50, confirmed=2, blind_ns=500_000_000),),
            engine=EngineStatistics(plans=500, plan=record_of(1)),
            recorder=RecorderStatistics(jobs=2, clips={"ready": 2}, snapshots={"ready": 1, "failed": 1}),
            journal=JournalStatistics(appended=4, sync=record_of(2, 3)),
            sinks=(SinkStatistics("jsonl", delivered=4),),
            queues=(QueueRecord("journal", accepted=4, bound=64),),
            recent_events=(EventNote("e1", "two", "front", "alert", "open", 1_700_000_005_000_000_000),),
        ),
    ]

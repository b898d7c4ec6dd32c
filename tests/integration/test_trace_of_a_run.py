"""`penstock trace` attached to a real run: real frames of real video, every one accounted for in every lane."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from perfetto_files import Timeline
from running import Running

from penstock.contracts.traces import frame_trace_id


def test_every_frame_is_accounted_for(shared_data: Path, tmp_path: Path) -> None:
    video = str(shared_data / "videos" / "vtest_480x360_h264.mp4")
    cameras = {name: {"url": video, "detect": {"fps": fps}} for name, fps in (("front", 5), ("back", 2))}
    config = {"cameras": cameras, "models": {"motion": {"kind": "motion"}}, "rules": {"moving": "MotionLevel > 0.001"}}
    output = tmp_path / "trace.json"
    with Running(tmp_path / "run", config) as run:
        run.wait_analysing(*cameras)
        line = [sys.executable, "-m", "penstock", "trace", "--for", "3s", "-o", str(output)]
        address = ["--url", f"http://127.0.0.1:{run.port}"]
        done = subprocess.run([*line, *address], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        events = run.events()
        run.stop()
    file = json.loads(output.read_text(encoding="utf-8"), parse_float=Decimal)
    timeline = Timeline(file["traceEvents"])
    assert list(timeline.problems()) == []
    recording, summary = file["penstock"], file["otherData"]
    assert summary["missed"] == {}
    assert summary["frames"] > 20
    names = [camera["camera"] for camera in recording["cameras"]]
    for number, lane in enumerate(recording["lanes"]):
        camera = names.index(lane["camera"])
        decoded = [row[3] for row in recording["arrivals"]["rows"] if row[0] == camera]
        assert decoded == list(range(decoded[0], decoded[-1] + 1))
        settled = [row[5] for row in recording["analysed"]["rows"] if row[0] == number]
        assert settled, f"{lane['lane']} analysed nothing"
        for _, first, count, _, _ in (row for row in recording["ended"]["rows"] if row[0] == number):
            settled += range(first, first + count)
        assert sorted(settled) == decoded
    # Every analysed frame's way can be followed, from ingest through the executor to the engine.
    assert len(timeline.arrows) == summary["analysed"]
    whole = [stops for stops in timeline.arrows.values() if len(stops) >= 3]
    assert len(whole) > 0.9 * summary["analysed"]
    # An event names the trace of the frame that decided it.
    assert events
    assert all(one["trace_id"] == frame_trace_id(one["session"], one["frame_seq"]) for one in events)

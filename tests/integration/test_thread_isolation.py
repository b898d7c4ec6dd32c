"""The same classes in one process: the same results as in many, no children, and as quick an end."""

import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from aftermath import assert_books, assert_clips_play, assert_records_agree
from running import Running, live_pids

from penstock.contracts.events import Event
from penstock.simulator.scene_spec import SceneSpec
from penstock.simulator.video_file import EncodingSpec, write_films

CAMERAS = {"yard": 1, "gate": 2}
SECONDS, FPS = 14.0, 10


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("videos")
    for name, seed in CAMERAS.items():
        scene = SceneSpec("street", seed, seconds=SECONDS, fps=FPS)
        write_films(scene, {folder / f"{name}.mp4": EncodingSpec(fps=FPS, gop=10)})
    return {name: folder / f"{name}.mp4" for name in CAMERAS}


def settings(videos: dict[str, Path], mode: str) -> dict[str, Any]:
    return {
        "cameras": {
            name: {
                "inputs": [{"path": str(path), "mode": mode}],
                "detect": {"fps": 5},
                "record": {"pre_capture": "1s", "post_capture": "1s"},
            }
            for name, path in videos.items()
        },
        "rules": {"moving": {"when": "count(motion) >= 1 for 500ms", "cooldown": "1s"}},
    }


def told(events: dict[str, Event]) -> dict[str, list[object]]:
    """What happened on each camera, from its first event on."""
    found: dict[str, list[object]] = {}
    for camera in CAMERAS:
        mine = sorted((e for e in events.values() if e.camera == camera), key=lambda event: event.start_utc_ns)
        first_ns = mine[0].start_utc_ns
        found[camera] = [
            (
                event.rule,
                event.state,
                event.start_utc_ns - first_ns,
                event.confirmed_utc_ns - first_ns,
                None if event.end_utc_ns is None else event.end_utc_ns - first_ns,
                event.frame_seq,
                [(piece.kind, piece.state) for piece in event.evidence],
            )
            for event in mine
        ]
    return found


def test_a_lossless_run_gives_the_same_events_in_one_process_as_in_many(
    videos: dict[str, Path], tmp_path: Path
) -> None:
    found = []
    for isolation in ("process", "thread"):
        with Running(tmp_path / isolation, settings(videos, "lossless"), "--isolation", isolation) as run:
            assert run.wait_ended(60) == 0
        report = run.report()
        assert_books(report)
        assert_clips_play(run.data)
        found.append(told(assert_records_agree(run)))
        for lane in report["lanes"].values():
            # 140 pictures, of which the lane wants five a second.
            assert lane["offered"] == SECONDS * FPS
            assert lane["fates"]["analysed"] + lane["fates"]["not_due"] == lane["offered"]
    assert found[0] == found[1]
    assert all(events for events in found[0].values())


def test_a_live_run_in_one_process_has_no_children_and_stops_at_once(videos: dict[str, Path], tmp_path: Path) -> None:
    with Running(tmp_path, settings(videos, "live"), "--isolation", "thread") as run:
        run.wait_event("moving", "yard")
        run.wait_event("moving", "gate")
        assert run.children() == {}
        assert [pid for pid in live_pids() if parent_of(pid) == run.pid] == []
        assert run.health()["status"] == "ok"
        ended = run.stop(signal.SIGTERM)
        run.assert_nothing_left()
    print(f"stopped within {ended.took_s:.2f} s")
    assert ended.code == 0
    assert ended.took_s < 5
    report = run.report()
    assert_books(report)
    assert_records_agree(run)
    assert_clips_play(run.data)
    assert {piece["state"] for piece in report["clips"]} == {"ready"}
    for lane in report["lanes"].values():
        assert lane["late"] == 0
        assert lane["fates"]["analysed"] > 0
    assert "did not end within its grace" not in run.log()


def parent_of(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def test_an_embedded_run_leaves_no_thread_behind(videos: dict[str, Path], tmp_path: Path) -> None:
    """From a program of one's own, in a thread that is not the main one: no signal handlers, nothing left."""
    from penstock.base.clock import SystemClock
    from penstock.cli.run_command import specification
    from penstock.config.validation import validate
    from penstock.runtime.application import Application

    described = {"data_dir": str(tmp_path), "metrics": {"port": 0}, **settings(videos, "lossless")}
    config, problems = validate(described, None)
    assert config is not None, problems
    before = set(threading.enumerate())
    reports: list[dict[str, Any]] = []
    application = Application(specification(config, SystemClock()), isolation="thread")
    thread = threading.Thread(target=lambda: reports.append(application.run()))
    thread.start()
    thread.join(60)
    assert len(reports) == 1
    assert_books(reports[0])
    assert set(threading.enumerate()) <= before

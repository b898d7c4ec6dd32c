"""`penstock demo` as a newcomer runs it: cameras over RTSP, the detector in the box, events beside what was drawn."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aftermath import assert_books, assert_clips_play
from running import command_line, live_pids

SETTINGS = ("street", "yard", "corridor", "car_park")


class Shown(NamedTuple):
    """One demonstration that has ended."""

    code: int
    report: dict[str, Any]
    data: Path
    told: str


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Forty seconds: every situation of the scenes once."""
    data = tmp_path_factory.mktemp("demo") / "data"
    ended = subprocess.run(
        [sys.executable, "-m", "penstock", "demo", "--for", "42s", "--data-dir", str(data), "--metrics-port", "0"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    report = json.loads((data / "report.json").read_text(encoding="utf-8"))
    return Shown(ended.returncode, report, data, ended.stdout + ended.stderr)


def test_every_frame_is_accounted_for(shown: Shown) -> None:
    assert_books(shown.report)
    assert sorted(shown.report["cameras"]) == sorted(f"{name}{role}" for name in SETTINGS for role in ("", "/record"))
    for lane in shown.report["lanes"].values():
        assert lane["fates"]["analysed"] > 100, lane
        assert lane["fates"]["model_failed"] == 0


def test_events_are_those_that_were_drawn(shown: Shown) -> None:
    """All of them on a machine that is not overloaded; here one may be off."""
    truth = shown.report["truth"]
    print({key: truth[key] for key in ("expected", "found", "missed", "false", "borderline", "delay_ms")})
    assert truth["expected"] >= 3
    assert truth["missed"] <= 1, truth["missed_events"]
    assert truth["false"] <= 1, truth["false_events"]
    assert set(truth["rules"]) == {"waiting_at_gate", "queue", "vehicle_stopped"}
    assert f"Of {truth['expected']} events that were drawn, {truth['found']} were confirmed" in shown.told


def test_clips_are_of_the_main_stream_and_snapshots_of_the_other(shown: Shown) -> None:
    manifests = assert_clips_play(shown.data)
    assert len(manifests) == len(shown.report["events"]) >= 3
    sizes = {(part.width_px, part.height_px) for manifest in manifests for part in manifest.parts}
    assert sizes == {(640, 360)}
    assert shown.report["cameras"]["yard"]["width_px"] == 320


def test_what_it_cost_is_told(shown: Shown) -> None:
    assert shown.report["simulator"]["cpu_s"] > 0
    assert shown.report["simulator"]["rss_bytes"] > 1_000_000
    assert all(process["pss_bytes"] > 0 for process in shown.report["processes"].values())


def test_its_configuration_is_correct_by_itself(shown: Shown) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "penstock", "check", str(shown.data / "demo.yaml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_ctrl_c_ends_it_with_its_cameras(shown: Shown, tmp_path: Path) -> None:
    """The films are drawn already; two cameras are enough to see that nothing is left."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "films").symlink_to(shown.data / "films")
    command = [
        sys.executable,
        "-m",
        "penstock",
        "demo",
        "--cameras",
        "2",
        "--data-dir",
        str(data),
        "--metrics-port",
        "0",
    ]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "ready: yolov8" in line:
                break
        os.kill(process.pid, signal.SIGINT)
        told, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, told[-3000:]
    assert "Every frame is accounted for." in told
    until_s = time.monotonic() + 5
    while (left := _processes_of(data)) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert left == []


def _processes_of(data: Path) -> list[list[str]]:
    return [words for words in map(command_line, live_pids()) if any(str(data) in word for word in words)]


def test_a_second_one_in_the_same_folder_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("of the first\n", encoding="utf-8")
    with (tmp_path / ".lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = subprocess.run(
            [sys.executable, "-m", "penstock", "demo", "--data-dir", str(tmp_path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert f"the data folder {tmp_path} is in use by another run" in ended.stderr
    assert (tmp_path / "demo.yaml").read_text(encoding="utf-8") == "of the first\n"
    assert not (tmp_path / "films").exists()

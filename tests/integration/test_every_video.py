"""Every shared video through `penstock run`, without loss and as a live camera: what is in the file comes out."""

import json
from pathlib import Path
from typing import Any

from aftermath import assert_books
from running import Running

SHARED_VIDEOS = (
    "TUD-Campus.mp4",
    "bottle-detection.mp4",
    "car-detection.mp4",
    "intel-preview_store-aisle-detection.mp4",
    "intel-preview_worker-zone-detection.mp4",
    "one-by-one-person-detection.mp4",
    "vtest_480x360_h264.avi",
    "vtest_480x360_h264.mp4",
)
"""among them: broken times (.avi), five keyframes in 1189 pictures (bottle), audio (car, vtest), MPEG-4 Part 2 (TUD)"""
LIVE_S = 12


def camera_name(video: str) -> str:
    return video.replace(".", "_")


def config(shared_data: Path, mode: str) -> dict[str, Any]:
    return {
        "cameras": {
            camera_name(video): {
                "inputs": [{"path": str(shared_data / "videos" / video), "mode": mode}],
                "detect": {"fps": 30 if mode == "lossless" else 5, "budget": "2s"},
                "motion": {"enabled": False},
                "models": ["detector"],
            }
            for video in SHARED_VIDEOS
        },
        "models": {"detector": {"path": str(shared_data / "models" / "FastestDet.onnx")}},
    }


def show(report: dict[str, Any]) -> None:
    for name, camera in report["cameras"].items():
        units, lane = camera["access_units"], report["lanes"][f"{name}/detector"]
        print(
            f"{name}: {camera['codec']} {camera['width_px']}x{camera['height_px']}, received {units['received']}, "
            f"decoded {units['decoded']}, undecodable {units['undecodable']}, lost {units['lost']}, "
            f"skipped {units['skipped']}; frames {camera['frames']}, analysed {lane['fates']['analysed']}, "
            f"sessions {camera['sessions']}, age p99 {lane['age_ms']['p99']:.0f} ms"
        )


def test_without_loss_every_picture_is_decoded_and_offered(shared_data: Path, tmp_path: Path) -> None:
    manifest = json.loads((shared_data / "manifest.json").read_text(encoding="utf-8"))
    there = {Path(entry["file"]).name: entry for entry in manifest if entry["file"].startswith("videos/")}
    assert set(there) == set(SHARED_VIDEOS)
    with Running(tmp_path, config(shared_data, "lossless")) as run:
        assert run.wait_ended(180) == 0
        report = run.report()
    show(report)
    assert_books(report)
    for video in SHARED_VIDEOS:
        camera = report["cameras"][camera_name(video)]
        assert camera["state"] == "ended", (video, camera["fault"])
        assert camera["access_units"]["decoded"] == camera["frames"] == there[video]["frames"], video
        lane = report["lanes"][f"{camera_name(video)}/detector"]
        assert lane["offered"] == there[video]["frames"]
        assert lane["fates"]["analysed"] + lane["fates"]["not_due"] == lane["offered"], (video, lane["fates"])
        assert lane["fates"]["analysed"] >= 0.5 * lane["offered"], (video, lane["fates"])


def test_as_live_cameras_they_play_on_and_results_are_in_time(shared_data: Path, tmp_path: Path) -> None:
    with Running(tmp_path, config(shared_data, "live"), "--for", f"{LIVE_S}s") as run:
        assert run.wait_ended(60) == 0
        report = run.report()
        log = run.log()
    show(report)
    assert_books(report)
    assert "ERROR" not in log
    for video in SHARED_VIDEOS:
        camera, lane = report["cameras"][camera_name(video)], report["lanes"][f"{camera_name(video)}/detector"]
        assert camera["state"] == "up", (video, camera["fault"])
        assert lane["fates"]["analysed"] >= 2 * LIVE_S, (video, lane["fates"])
        assert lane["fates"]["model_failed"] == 0
        assert camera["access_units"]["undecodable"] == 0

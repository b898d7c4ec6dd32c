"""Faces, classes of pictures and FastestDet's people on real video, through `penstock run` to events."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aftermath import assert_books
from running import Running


class Scene(NamedTuple):
    """One video, one model, and a rule that must open events on it."""

    video: str
    model: dict[str, Any]
    rule: str
    term: str
    frames: int
    """so many must be analysed at least: about five a second"""


SCENES = {
    "faces": Scene(
        "TUD-Campus.mp4",
        {"path": "yunet_n_320_320.onnx", "confidence": 0.6, "iou": 0.3},
        "FacePresent for 400ms",
        "FacePresent",
        12,
    ),
    "classes": Scene(
        "bottle-detection.mp4",
        {"path": "mobilenetv2_int8.onnx", "top_k": 3},
        '"water bottle" > 0.5 for 1s',
        '"water bottle" > 0.5',
        190,
    ),
    "people": Scene(
        "intel-preview_store-aisle-detection.mp4",
        {"path": "FastestDet.onnx", "confidence": 0.5},
        "PersonDetected for 2s",
        "PersonDetected",
        18,
    ),
}


@pytest.mark.parametrize("name", SCENES)
def test_events_of_real_pictures(name: str, shared_data: Path, tmp_path: Path) -> None:
    scene = SCENES[name]
    config = {
        "cameras": {
            name: {
                "inputs": [{"path": str(shared_data / "videos" / scene.video), "mode": "lossless"}],
                "motion": {"enabled": False},
                "detect": {"fps": 5},
                "record": {"enabled": False},
            }
        },
        "models": {"model": {**scene.model, "path": str(shared_data / "models" / scene.model["path"])}},
        "rules": {"seen": scene.rule},
    }
    with Running(tmp_path, config) as run:
        assert run.wait_ended(120) == 0
    events = run.events()
    assert events, run.log()[-3000:]
    [term] = events[0]["reason"]["terms"]
    assert term["text"] == scene.term
    print(f"{name}: {len({e['event_id'] for e in events})} events, first with {term['text']} = {term['value']}")
    assert float(term["value"]) > 0.5
    report = run.report()
    assert_books(report)
    [lane] = report["lanes"].values()
    assert lane["fates"]["analysed"] >= scene.frames

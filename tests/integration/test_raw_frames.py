"""Raw frames in `penstock run`: encoded where clips or snapshots are made of their stream, and nowhere else."""

from pathlib import Path
from typing import Any

from aftermath import assert_books
from running import Running

from penstock.harness.synthetic_source import ADDRESS

SOURCE = {"path": ADDRESS, "options": {"fps": "20", "motion": "always"}}
CAMERAS: dict[str, dict[str, Any]] = {
    "kept": {"inputs": [SOURCE]},
    "looked-at": {"inputs": [SOURCE], "record": {"enabled": False}},
    "pictured": {"inputs": [{**SOURCE, "roles": ["detect"]}, {**SOURCE, "roles": ["record"]}]},
    "clipped": {
        "inputs": [{**SOURCE, "roles": ["detect"]}, {**SOURCE, "roles": ["record"]}],
        "snapshots": {"enabled": False},
    },
}

GIVE_EVIDENCE = {("kept", "detect"), ("pictured", "detect"), ("pictured", "record"), ("clipped", "record")}


def kept_streams(run: Running) -> set[tuple[str, str]]:
    """Camera and role of every stream that has packets."""
    metrics = run.metrics()
    return {
        (camera, role)
        for camera in CAMERAS
        for role in ("detect", "record")
        if metrics.total("camera_ring_bytes", camera=camera, role=role) > 0
    }


def test_raw_frames_are_encoded_for_evidence_only(tmp_path: Path) -> None:
    settings = {
        "cameras": CAMERAS,
        "models": {"motion": {"kind": "motion"}},
        "rules": {"moves": {"when": "MotionLevel > 0 for 500ms", "cooldown": "60s"}},
    }
    with Running(tmp_path, settings) as run:
        run.wait_analysing(*CAMERAS)
        for camera in CAMERAS:
            run.wait_event("moves", camera)
        run.wait_for("packets of whatever gives evidence", lambda: kept_streams(run) == GIVE_EVIDENCE)
        run.stop()
        assert_books(run.report())
        evidence = {
            line["camera"]: sorted((piece["kind"], piece["state"]) for piece in line["evidence"])
            for line in run.events()
        }
        assert evidence == {
            "kept": [("clip", "ready"), ("snapshot", "ready")],
            "looked-at": [],
            "pictured": [("clip", "ready"), ("snapshot", "ready")],
            "clipped": [("clip", "ready")],
        }

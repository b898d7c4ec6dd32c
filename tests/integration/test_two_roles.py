"""Detect from the sub-stream, record the main one: two mounts of a foreign server, through the whole engine."""

from pathlib import Path

import av
from aftermath import assert_books
from foreign_rtsp import ForeignRtspServer
from running import Running

from penstock.evidence.manifest import read_manifest


def test_the_clip_is_the_main_streams_and_the_snapshot_the_sub_streams(tmp_path: Path) -> None:
    with ForeignRtspServer(tmp_path) as server:
        server.add_timecode("sub", fps=10, gop_frames=10, width=400, height=240)
        server.add_timecode("main", fps=25, gop_frames=25, width=1280, height=720)
        config = {
            "cameras": {
                "gate": {
                    "inputs": [
                        {"path": server.url("sub"), "roles": ["detect"]},
                        {"path": server.url("main"), "roles": ["record"]},
                    ],
                    "models": ["motion"],
                    "record": {"pre_capture": "1s", "post_capture": "1s", "max_clip": "6s"},
                }
            },
            "rules": {"moving": {"when": "motion > 0.0001 for 200ms", "cooldown": "1s"}},
        }
        with Running(tmp_path / "run", config) as run:
            run.wait_event("moving", "gate")
            (path,) = run.wait_for("a manifest", lambda: list(run.data.rglob("clips/**/manifest.json"))[:1], 40)
            run.stop()
            report = run.report()
        assert_books(report)
        manifest = read_manifest(path)
        assert manifest.result is not None
        assert (manifest.result.width_px, manifest.result.height_px) == (400, 240)
        assert [(part.codec, part.width_px, part.height_px, part.encoded) for part in manifest.parts] == [
            ("h264", 1280, 720, False)
        ]
        assert manifest.parts[0].session != manifest.result.session
        error = manifest.time_error
        assert error.detect_ns is not None
        assert error.record_ns is not None
        assert error.between_ns == error.detect_ns + error.record_ns
        assert manifest.snapshot is not None
        with av.open(str(path.with_name(manifest.snapshot.file))) as picture:
            (frame,) = picture.decode(video=0)
        assert (frame.width, frame.height) == (400, 240)
        with av.open(str(path.with_name(manifest.parts[0].file))) as clip:
            pictures = list(clip.decode(video=0))
        assert len(pictures) == manifest.parts[0].packets
        assert manifest.asked.start.utc_ns >= manifest.parts[0].start.utc_ns - error.record_ns

"""The whole product on real video: people over foreign RTSP, a real network, and events whose clips show them.

What the pictures are is known from the file that the server plays: a snapshot is looked up among its frames, and from
then on there is ground truth, and what the network says of that very frame.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import pytest
from aftermath import assert_books, assert_clips_play, assert_records_agree, pictures
from foreign_rtsp import ForeignRtspServer
from numpy.typing import NDArray
from running import Running

from penstock.contracts.events import Event
from penstock.contracts.specs import ModelSpec
from penstock.evidence.manifest import Manifest
from penstock.ingest.views import ViewMaker
from penstock.models.loading import load_model
from penstock.testkit.views import ArrayViews, frame_ref

VIDEO = "videos/vtest_480x360_h264.mp4"
TRUTH = "mot/PETS09-S2L1/gt/gt.txt"
TRUTH_SCALE = 0.625
MODEL = "models/yolox_nano.onnx"
CONFIDENCE = 0.5
PRE_S = 3
POST_S = 1
FRAME_NS = 100_000_000
RING_FILLED_S = 5.0
"""an event this long after the connection has its pre-roll in the ring"""
COARSE = 4


class Seen(NamedTuple):
    """One event's evidence beside what is known of its picture."""

    manifest: Manifest
    folder: Path
    snapshot: NDArray[np.uint8]
    frame: av.VideoFrame
    number: int
    """of the frame in the file that the snapshot shows, from 0"""


class Film:
    """All pictures of the file, and which of them a picture is."""

    def __init__(self, path: Path) -> None:
        self.frames = pictures(path)
        self._coarse = np.stack([luma(frame)[::COARSE, ::COARSE] for frame in self.frames]).astype(np.int16)

    def index_of(self, picture: NDArray[np.uint8]) -> int:
        coarse = np.abs(self._coarse - picture[::COARSE, ::COARSE].astype(np.int16)).mean(axis=(1, 2))
        likely = [int(i) for i in np.argsort(coarse)[:8]]
        return min(likely, key=lambda i: difference(luma(self.frames[i]), picture))


def luma(frame: av.VideoFrame) -> NDArray[np.uint8]:
    return np.asarray(frame.to_ndarray(format="gray"), np.uint8)


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())


def read_jpeg(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        return luma(next(container.decode(video=0)))


def clip_of(seen: Seen) -> Path:
    [part] = seen.manifest.parts
    return seen.folder / part.file


@pytest.fixture(scope="module")
def run(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("people")
    with ForeignRtspServer(folder) as server:
        server.add_file("people", shared_data / VIDEO, cached_gop=True)
        settings: dict[str, Any] = {
            "cameras": {
                "square": {
                    "url": server.url("people"),
                    # The encoder of this file holds pictures back for 0.7 s: its B-frames refer that far ahead.
                    "detect": {"fps": 5, "budget": "2s"},
                    "zones": {"near": {"coordinates": "0,0.5,1,0.5,1,1,0,1"}},
                    "record": {"pre_capture": f"{PRE_S}s", "post_capture": f"{POST_S}s"},
                }
            },
            "models": {"yolox": {"path": str(shared_data / MODEL), "labels": ["person"], "confidence": CONFIDENCE}},
            "rules": {
                "crowd": {"when": "count(person) >= 7 for 200ms", "cooldown": "500ms"},
                "group": {"when": "count(person in near) >= 2 for 400ms", "cooldown": "500ms"},
            },
        }
        with Running(folder / "run", settings) as running:
            running.wait_analysing("square")
            until_s = time.time() + RING_FILLED_S

            def settled() -> bool:
                late = [e for e in running.events() if e["start_utc_ns"] > until_s * 1e9 and e["state"] == "ended"]
                return any(all(piece["state"] == "ready" for piece in event["evidence"]) for event in late)

            running.wait_for("an event with its clip", settled, 60)
            ended = running.stop()
            running.assert_nothing_left()
            assert ended.code == 0
            assert ended.took_s < 5
            yield running


@pytest.fixture(scope="module")
def film(shared_data: Path) -> Film:
    return Film(shared_data / VIDEO)


@pytest.fixture(scope="module")
def events(run: Running) -> dict[str, Event]:
    return assert_records_agree(run)


@pytest.fixture(scope="module")
def seen(run: Running, film: Film) -> list[Seen]:
    found = []
    for manifest in assert_clips_play(run.data):
        [folder] = (run.data / "clips").glob(f"*/*/*_{manifest.event_id[:8]}")
        assert manifest.snapshot is not None, manifest.snapshot_failure
        snapshot = read_jpeg(folder / manifest.snapshot.file)
        index = film.index_of(snapshot)
        found.append(Seen(manifest, folder, snapshot, film.frames[index], index))
    return found


def test_every_event_has_its_clip_and_snapshot(events: dict[str, Event], seen: list[Seen]) -> None:
    assert {event.rule for event in events.values()} == {"crowd", "group"}
    assert {one.manifest.event_id for one in seen} == events.keys()
    for event in events.values():
        assert [(piece.kind.value, piece.state.value) for piece in event.evidence] == [
            ("clip", "ready"),
            ("snapshot", "ready"),
        ]


def test_clips_start_before_the_pre_roll_or_say_that_it_was_not_kept(seen: list[Seen]) -> None:
    whole = 0
    for one in seen:
        manifest = one.manifest
        assert manifest.delivered is not None
        assert manifest.delivered.end is not None
        wanted_ns = manifest.event.start.utc_ns - PRE_S * 10**9
        assert manifest.asked.start.utc_ns == wanted_ns
        causes = [gap.cause for gap in manifest.gaps]
        assert ("not_kept" in causes) == (manifest.delivered.start.utc_ns > wanted_ns)
        whole += not causes
        assert manifest.delivered.start.utc_ns <= manifest.event.start.utc_ns
        if manifest.event.end is not None and not manifest.truncated:
            until_ns = manifest.event.end.utc_ns + POST_S * 10**9
            assert manifest.delivered.end.utc_ns >= until_ns - FRAME_NS
    assert whole >= 1, "no clip had its whole pre-roll"


def test_the_snapshot_is_the_frame_of_the_result_and_stands_in_the_clip_at_its_time(
    seen: list[Seen], film: Film, events: dict[str, Event]
) -> None:
    for one in seen:
        result = one.manifest.result
        assert result is not None
        assert result.seq == events[one.manifest.event_id].frame_seq
        # JPEG's loss is the same for all; the frames beside it are further away.
        beside = [film.frames[i] for i in (one.number - 1, one.number + 1) if 0 <= i < len(film.frames)]
        off = difference(luma(one.frame), one.snapshot)
        assert off < 2
        assert all(difference(luma(frame), one.snapshot) > off for frame in beside)
        shown = pictures(clip_of(one))
        nearest = min(shown, key=lambda frame: difference(luma(frame), one.snapshot))
        assert nearest.pts is not None
        assert shown[0].pts is not None
        assert nearest.time_base is not None
        at_ns = round((nearest.pts - shown[0].pts) * nearest.time_base * 10**9)
        captured_ns = result.captured.utc_ns - one.manifest.parts[0].start.utc_ns
        error_ns = one.manifest.time_error.record_ns
        assert error_ns is not None
        assert abs(at_ns - captured_ns) < FRAME_NS / 2 + error_ns


def test_the_boxes_are_those_of_that_frame_and_of_no_other(seen: list[Seen], film: Film, shared_data: Path) -> None:
    model = load_model(ModelSpec("yolox", path=str(shared_data / MODEL), labels=("person",), confidence=CONFIDENCE), 1)

    def boxes(frame: av.VideoFrame) -> NDArray[np.float64]:
        spec = model.description.view
        slot = bytearray(spec.nbytes)
        _, to_source, _, _ = ViewMaker().make(frame, spec, memoryview(slot))
        pixels = np.frombuffer(slot, np.uint8).reshape(spec.height_px, spec.width_px, spec.channels)
        ref = frame_ref("film", width_px=frame.width, height_px=frame.height)
        found = model.run(0, ArrayViews().make(ref, pixels, spec, to_source), pixels).detections
        assert found is not None
        return np.array([d.xyxy for d in found.detections()], np.float64)

    for one in seen:
        assert one.manifest.result is not None
        told = np.array([box.xyxy for box in one.manifest.result.boxes])
        assert told == pytest.approx(boxes(one.frame), abs=0.05)
        other = boxes(film.frames[one.number - 1])
        assert told.shape != other.shape or np.abs(told - other).max() > 0.5
    model.close()


def test_the_boxes_lie_on_people(seen: list[Seen], shared_data: Path) -> None:
    rows = np.loadtxt(shared_data / TRUTH, delimiter=",")
    rows = rows[rows[:, 6] == 1]
    on_people = boxes = found = people = 0
    for one in seen:
        assert one.manifest.result is not None
        assert {box.class_name for box in one.manifest.result.boxes} == {"person"}
        truth = rows[rows[:, 0] == one.number + 1][:, 2:6] * TRUTH_SCALE
        overlaps = np.array([[iou(box.xyxy, person) for person in truth] for box in one.manifest.result.boxes])
        on_people += int((overlaps.max(axis=1) >= 0.5).sum())
        found += int((overlaps.max(axis=0) >= 0.5).sum())
        boxes += overlaps.shape[0]
        people += overlaps.shape[1]
    print(f"{on_people} of {boxes} boxes lie on people, {found} of {people} people have one, in {len(seen)} snapshots")
    assert boxes >= 2 * len(seen)
    # A rule on a count fires first where the network sees one too many: fewer boxes are right than on other frames.
    assert on_people > 0.5 * boxes
    assert found >= 0.8 * people


def iou(box: tuple[float, float, float, float], person: NDArray[np.float64]) -> float:
    """Of `box` (left, top, right, bottom) and a person (left, top, width, height)."""
    left, top, right, bottom = person[0], person[1], person[0] + person[2], person[1] + person[3]
    width = min(box[2], right) - max(box[0], left)
    height = min(box[3], bottom) - max(box[1], top)
    if width <= 0 or height <= 0:
        return 0.0
    inside = width * height
    return float(inside / ((box[2] - box[0]) * (box[3] - box[1]) + (right - left) * (bottom - top) - inside))


def test_books_balance_and_results_are_in_time(run: Running) -> None:
    report = run.report()
    assert_books(report)
    lane = report["lanes"]["square/yolox"]
    assert lane["late"] == 0
    assert lane["age_ms"]["max"] <= lane["budget_ms"]
    print(f"{lane['fates']['analysed']} results, age p50 {lane['age_ms']['p50']} ms, p99 {lane['age_ms']['p99']} ms")

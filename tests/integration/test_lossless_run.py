"""A file read without loss: every picture once, as fast as it goes, ended by itself, and twice the same."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import av
import pytest
from aftermath import assert_books, assert_clips_play, assert_records_agree
from running import Running
from videos import write_video

from penstock.contracts.events import Event, EventState

VIDEO = "videos/vtest_480x360_h264.mp4"
MODEL = "models/yolox_nano.onnx"
FPS = 10


class Played(NamedTuple):
    """One run over the file."""

    report: dict[str, Any]
    events: list[Event]
    first_ns: int
    """capture of the file's first picture, UTC"""
    took_s: float


@pytest.fixture(scope="module")
def video(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The first 25 s of the file, copied packet by packet, and how many pictures they are."""
    path = tmp_path_factory.mktemp("video") / "people.mp4"
    with av.open(str(shared_data / VIDEO)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.size]
        # 64 pictures from keyframe to keyframe: what is cut off is not referred to.
        for packet in packets[: 4 * 64]:
            packet.stream = copy
            target.mux(packet)
    return path, 4 * 64


def play(folder: Path, video: Path, shared_data: Path) -> Played:
    settings: dict[str, Any] = {
        "cameras": {
            "square": {
                "inputs": [{"path": str(video), "mode": "lossless"}],
                "detect": {"fps": 2 * FPS},
                "record": {"pre_capture": "1s", "post_capture": "1s"},
            }
        },
        "models": {"yolox": {"path": str(shared_data / MODEL), "labels": ["person"]}},
        "rules": {
            "crowd": {"when": "count(person) >= 6 for 300ms", "cooldown": "500ms"},
            "few": {"when": "count(person) <= 4 for 500ms", "cooldown": "1s"},
        },
    }
    began_s = time.monotonic()
    with Running(folder, settings) as run:
        run.wait_for("its processes", lambda: len(run.children()) == 5)
        run.note_resources()
        assert run.wait_ended(60) == 0
        took_s = time.monotonic() - began_s
        run.assert_nothing_left()
    events = sorted(assert_records_agree(run).values(), key=lambda event: (event.confirmed_utc_ns, event.rule))
    manifests = assert_clips_play(run.data)
    assert {manifest.event_id for manifest in manifests} == {event.event_id for event in events}
    first_ns = min(event.start_utc_ns for event in events)
    return Played(run.report(), events, first_ns, took_s)


@pytest.fixture(scope="module")
def twice(
    video: tuple[Path, int], shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Played, Played]:
    first, second = (play(tmp_path_factory.mktemp(name), video[0], shared_data) for name in ("first", "second"))
    print(
        f"{video[1] / FPS:.1f} s of video took {first.took_s:.1f} s and {second.took_s:.1f} s, start and end included"
    )
    return first, second


def test_every_picture_is_processed_exactly_once(twice: tuple[Played, Played], video: tuple[Path, int]) -> None:
    for played in twice:
        assert_books(played.report)
        [camera], [lane] = played.report["cameras"].values(), played.report["lanes"].values()
        assert camera["access_units"]["received"] == camera["access_units"]["decoded"] == video[1]
        assert (camera["state"], camera["sessions"], camera["frames"]) == ("ended", 1, video[1])
        assert lane["offered"] == lane["fates"]["analysed"] == video[1]
        assert lane["late"] == 0


def test_it_is_faster_than_the_video_lasts(twice: tuple[Played, Played], video: tuple[Path, int]) -> None:
    for played in twice:
        assert played.took_s < video[1] / FPS


def test_two_runs_have_the_same_events(twice: tuple[Played, Played]) -> None:
    def told(played: Played) -> list[object]:
        return [
            (
                event.rule,
                event.state,
                event.start_utc_ns - played.first_ns,
                event.confirmed_utc_ns - played.first_ns,
                None if event.end_utc_ns is None else event.end_utc_ns - played.first_ns,
                event.frame_seq,
                event.start_error_ns,
                [(term.text, term.value) for term in event.reason.terms],
                [(piece.kind, piece.state) for piece in event.evidence],
            )
            for event in played.events
        ]

    first, second = twice
    assert len(first.events) >= 4
    assert {event.rule for event in first.events} == {"crowd", "few"}
    assert told(first) == told(second)
    assert not {event.event_id for event in first.events} & {event.event_id for event in second.events}


def test_instants_are_those_of_pictures(twice: tuple[Played, Played]) -> None:
    """Whole tenths of a second apart, however fast the file was read."""
    for played in twice:
        for event in played.events:
            assert (event.start_utc_ns - played.first_ns) % (10**9 // FPS) == 0
            assert (event.confirmed_utc_ns - played.first_ns) % (10**9 // FPS) == 0


def test_a_live_file_that_is_not_looped_ends_once_and_the_run_with_it(tmp_path: Path) -> None:
    video = write_video(tmp_path / "bar.mp4", frames=50)
    settings = {
        "cameras": {
            "bar": {
                "inputs": [{"path": str(video), "loop": False}],
                "record": {"pre_capture": "1s", "post_capture": "1s"},
            }
        },
        "rules": {"moving": "count(motion) >= 1 for 500ms"},
    }
    with Running(tmp_path / "run", settings) as run:
        assert run.wait_ended(60) == 0
    report = run.report()
    assert_books(report)
    camera = report["cameras"]["bar"]
    assert (camera["state"], camera["sessions"], camera["frames"]) == ("ended", 1, 50)
    assert {event.state for event in assert_records_agree(run).values()} == {EventState.ENDED}

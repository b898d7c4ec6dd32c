"""Cameras that change, lie, speak nonsense or damage what they send: each is told of by name, comes back by itself, and
the camera beside them never notices."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import nonsense
import pytest
from aftermath import assert_books, assert_clips_play, assert_records_agree, pictures
from foreign_rtsp import ForeignRtspServer
from running import Ended, Running
from scripted_camera import ScriptedCamera, film
from watching import Following, Watch

from penstock.evidence.manifest import Manifest

FPS = 5
PASSWORD = "Tr0ub4dor"
TWIST = (("h264", 320, 192), ("h264", 480, 272), ("h264", 640, 360), ("hevc", 640, 360))
"""what the camera `twist` sends in turn: the second on the connection of the first, the others on new ones"""


def camera(url: str, fps: float = FPS) -> dict[str, Any]:
    return {
        "inputs": [{"path": url, "open_timeout": "2s", "stall_timeout": "2s"}],
        "detect": {"fps": fps, "budget": "800ms"},
        "record": {"pre_capture": "2s", "post_capture": "2s"},
        "buffer": {"size": "4MiB"},
    }


class Story(NamedTuple):
    following: Following
    watch: Watch
    ended: Ended
    run: Running
    report: dict[str, Any]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    footage = film(fps=FPS, gop=5)
    with ExitStack() as stack:
        yard = stack.enter_context(ForeignRtspServer(tmp_path_factory.mktemp("yard")))
        yard.add_timecode("yard", fps=10, gop_frames=10)
        liars = {case.name: stack.enter_context(ScriptedCamera(footage, case.behave)) for case in nonsense.CASES}
        twist = stack.enter_context(ScriptedCamera(film(*TWIST[0])))
        noisy = stack.enter_context(ScriptedCamera(film(gop=5)))
        noisy.spoil = nonsense.damaged
        vault = stack.enter_context(ScriptedCamera(footage, password=f"{PASSWORD}-changed"))
        settings = {
            "cameras": {
                "yard": camera(yard.url("yard")),
                "twist": camera(twist.url()),
                "noisy": camera(noisy.url()),
                "vault": camera(vault.url(credentials=f"operator:{PASSWORD}")),
                **{name: camera(liar.url(), fps=1) for name, liar in liars.items()},
            },
            "rules": {
                "moving": {"when": "count(motion) >= 1 for 500ms", "cameras": ["yard", "twist"], "cooldown": "1s"}
            },
        }
        with Running(tmp_path_factory.mktemp("bad-days") / "run", settings) as run:
            yield played(run, liars, twist, noisy, vault)


def played(
    run: Running,
    liars: dict[str, ScriptedCamera],
    twist: ScriptedCamera,
    noisy: ScriptedCamera,
    vault: ScriptedCamera,
) -> Story:
    films = [film(*what) for what in TWIST]
    run.wait_analysing("yard", "twist", "noisy")
    watch, following = Watch(run, "yard"), Following(run)
    watch.start()
    following.start()

    run.wait_event("moving", "twist")
    for place, footage in enumerate(films[1:], start=1):
        twist.footage = footage
        if place > 1:
            twist.hang_up()
        following.expect("twist")
        following.wait_back()
        print(f"twist as {TWIST[place]}: results again after {following.back_after_s['twist']:.1f} s")
        wait(run, 2)

    def all_told() -> bool:
        told = {**following.faults}
        return all(any(case.told in fault for fault in told.get(case.name, [])) for case in nonsense.CASES)

    run.wait_for("every fault to be told", all_told, 25)
    vault.password = PASSWORD
    noisy.spoil = None
    for liar in liars.values():
        liar.cure()
    following.expect("vault", "noisy", *liars)
    following.wait_back()
    watch.stop()
    following.stop()
    ended = run.stop()
    run.assert_nothing_left()
    for name, took_s in following.back_after_s.items():
        print(f"{name}: {following.faults.get(name)}; results again {took_s:.1f} s after it could be seen")
    print(watch)
    return Story(following, watch, ended, run, run.report())


def wait(run: Running, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    run.wait_for("time to pass", lambda: time.monotonic() > until_s)


@pytest.mark.parametrize("case", nonsense.CASES, ids=lambda case: case.name)
def test_nonsense_is_told_of_and_the_camera_used_once_it_makes_sense(story: Story, case: nonsense.Nonsense) -> None:
    assert any(case.told in fault for fault in story.following.faults[case.name])
    assert f"{case.name}: " in story.run.log()
    assert case.told in story.run.log()
    camera = story.report["cameras"][case.name]
    assert camera["state"] == "up"
    assert story.report["lanes"][f"{case.name}/motion"]["fates"]["analysed"] >= 2
    assert story.following.back_after_s[case.name] < 12


def test_the_camera_beside_them_never_notices(story: Story) -> None:
    assert story.watch.per_s() > 0.8 * FPS
    assert story.watch.longest_gap_s() < 2.5
    yard = story.report["cameras"]["yard"]
    assert (yard["sessions"], yard["stalls"], yard["open_failures"], yard["fault"]) == (1, 0, 0, "")
    units = yard["access_units"]
    assert units["decoded"] >= units["received"] - 20


def test_no_process_died_and_the_books_balance(story: Story) -> None:
    assert story.ended.code == 0
    assert story.ended.took_s < 5
    assert {process["restarts"] for process in story.report["processes"].values()} == {0}
    assert "Traceback" not in story.run.log()
    assert_books(story.report)
    assert_records_agree(story.run)


def test_a_password_that_is_wrong_and_later_right(story: Story) -> None:
    assert any("the camera refused the user name or password" in told for told in story.following.faults["vault"])
    assert story.following.back_after_s["vault"] < 6
    assert story.report["cameras"]["vault"]["state"] == "up"
    assert PASSWORD not in story.run.log()


def test_damaged_packets_are_counted_and_results_go_on(story: Story) -> None:
    noisy = story.report["cameras"]["noisy"]
    assert noisy["sessions"] == 1
    assert noisy["access_units"]["undecodable"] >= 10
    assert noisy["access_units"]["decoded"] >= 10
    assert story.report["lanes"]["noisy/motion"]["fates"]["analysed"] >= 10


def test_a_camera_that_returns_changed_has_its_clips_in_parts_that_play(story: Story) -> None:
    manifests = [one for one in assert_clips_play(story.run.data) if one.camera == "twist"]
    assert all(manifest.parts and not manifest.failure for manifest in manifests)
    shown = {(part.codec, part.width_px, part.height_px) for manifest in manifests for part in manifest.parts}
    assert shown == set(TWIST)
    for manifest in manifests:
        for part in manifest.parts:
            sizes = {
                (picture.width, picture.height) for picture in pictures(file_of(story.run.data, manifest, part.file))
            }
            assert sizes == {(part.width_px, part.height_px)}
        # Parts of two sessions are told apart by a gap, parts of one session follow each other at once.
        sessions = {part.session for part in manifest.parts}
        assert sum(gap.cause == "reconnected" for gap in manifest.gaps) == len(sessions) - 1
    changes = {
        tuple((part.codec, part.width_px) for part in pair)
        for manifest in manifests
        for pair in zip(manifest.parts, manifest.parts[1:], strict=False)
    }
    assert changes >= {
        (("h264", 320), ("h264", 480)),
        (("h264", 480), ("h264", 640)),
        (("h264", 640), ("hevc", 640)),
    }


def file_of(data: Path, manifest: Manifest, name: str) -> Path:
    return next(path for path in (data / "clips").rglob(name) if manifest.event_id[:8] in str(path))


def test_a_camera_that_crashes_ffmpeg_is_tried_ever_more_rarely(tmp_path: Path) -> None:
    """It takes its process, and so the cameras beside it, along: but not in step with its attempts."""
    footage = film(fps=FPS, gop=5)
    with ScriptedCamera(footage) as yard, ScriptedCamera(footage, nonsense.realvideo) as cursed:
        settings = {
            "cameras": {"yard": camera(yard.url()), "cursed": camera(cursed.url())},
            "ingest": {"groups": 1},
        }
        with Running(tmp_path / "run", settings) as run:
            told = "its process ended 2 times in a row while this camera was being connected"
            run.wait_for("the second crash", lambda: told in run.log(), 20)
            cursed.cure()
            began_s = time.monotonic()
            run.wait_analysing("yard")
            watch = Watch(run, "yard")
            watch.start()
            run.wait_analysing("cursed")
            wait(run, 1)
            took_s = time.monotonic() - began_s
            watch.stop()
            ended = run.stop()
            run.assert_nothing_left()
    report = run.report()
    print(f"cursed: results {took_s:.1f} s after it could be seen; {watch}")
    assert ended.code == 0
    assert watch.longest_gap_s() < 2.5
    assert report["processes"]["ingest-0"]["restarts"] == 2
    assert report["cameras"]["cursed"]["state"] == "up"
    assert_books(report)

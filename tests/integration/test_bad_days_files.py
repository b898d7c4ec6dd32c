"""Files that are cut off or change under the reader: told of, read again once they are whole, nobody else's trouble."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import av.error
import pytest
from aftermath import assert_books, pictures
from running import Ended, Running
from scripted_camera import ScriptedCamera, film
from videos import write_video
from watching import Following, Watch

from penstock.evidence.manifest import manifests_in, read_manifest

FPS = 5


def camera(path: str) -> dict[str, Any]:
    return {
        "inputs": [{"path": path, "open_timeout": "2s", "stall_timeout": "2s"}],
        "detect": {"fps": FPS, "budget": "800ms"},
        "record": {"pre_capture": "1s", "post_capture": "1s"},
        "buffer": {"size": "4MiB"},
    }


def cut(path: Path, source: Path, part: float) -> None:
    whole = source.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])


WHOLE_LATER = ("no-index", "cut-mkv", "cut-mp4", "replaced", "overwritten", "shortened", "removed")
_REPLACED = "the file was replaced by another video (h264 320×192 before, h264 480×272 now). It is read from its start"
TOLD = (
    ("no-index", "no-index.mp4 is not a video that FFmpeg can read. Check the file"),
    ("replaced", f"replaced.mp4: {_REPLACED}"),
    ("overwritten", f"overwritten.mp4: {_REPLACED}"),
    ("removed", "removed.mp4: no such file. Check the path"),
    ("cut-mp4", "cut-mp4.mp4 ends after "),
    ("cut-mkv", "cut-mkv.mkv ends after "),
    ("shortened", "shortened.mp4 ends after "),
)


class Story(NamedTuple):
    back_after_s: dict[str, float]
    watch: Watch
    ended: Ended
    run: Running
    report: dict[str, Any]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("files")
    plain = write_video(folder / "plain.mp4", frames=40)
    indexed = write_video(folder / "indexed.mp4", index_first=True, frames=40)
    matroska = write_video(folder / "plain.mkv", frames=40)
    other = write_video(folder / "other.mp4", width_px=480, height_px=272, frames=40)
    cut(folder / "no-index.mp4", plain, 0.6)
    cut(folder / "cut-mp4.mp4", indexed, 0.6)
    cut(folder / "cut-mkv.mkv", matroska, 0.6)
    for name in ("replaced", "overwritten", "shortened", "removed"):
        shutil.copy(indexed, folder / f"{name}.mp4")
    paths = {name: folder / f"{name}.{'mkv' if name == 'cut-mkv' else 'mp4'}" for name in WHOLE_LATER}
    with ScriptedCamera(film(fps=10)) as yard:
        settings = {
            "cameras": {"yard": camera(yard.url()), **{name: camera(str(path)) for name, path in paths.items()}},
            "rules": {"moving": {"when": "count(motion) >= 1 for 500ms", "cooldown": "1s"}},
        }
        with Running(folder / "run", settings) as run:
            run.wait_analysing(*(set(WHOLE_LATER) - {"no-index"}), "yard")
            watch, following = Watch(run, "yard"), Following(run)
            watch.start()
            following.start()

            # Put in the place of the other at once, as by a rename; written into it; cut; taken away.
            staged = folder / "staged.mp4"
            shutil.copy(other, staged)
            staged.rename(paths["replaced"])
            paths["overwritten"].write_bytes(other.read_bytes())
            os.truncate(paths["shortened"], paths["shortened"].stat().st_size // 5)
            paths["removed"].unlink()
            run.wait_for("all of it to be told", lambda: all(told in run.log() for _, told in TOLD))
            shutil.copy(plain, paths["no-index"])
            shutil.copy(indexed, paths["cut-mp4"])
            shutil.copy(matroska, paths["cut-mkv"])
            shutil.copy(indexed, paths["shortened"])
            shutil.copy(indexed, paths["removed"])
            following.expect(*WHOLE_LATER)
            following.wait_back()
            until_s = time.monotonic() + 5
            run.wait_for("a round of each", lambda: time.monotonic() > until_s)
            watch.stop()
            following.stop()
            ended = run.stop()
            run.assert_nothing_left()
        for name in WHOLE_LATER:
            print(f"{name}: {following.faults.get(name)}; results again after {following.back_after_s[name]:.1f} s")
        print(watch)
        yield Story(following.back_after_s, watch, ended, run, run.report())


@pytest.mark.parametrize(("name", "told"), TOLD)
def test_it_is_told_and_read_again(story: Story, name: str, told: str) -> None:
    assert told in story.run.log()
    assert story.report["cameras"][name]["state"] == "up"
    assert story.report["lanes"][f"{name}/motion"]["fates"]["analysed"] >= 5
    assert story.back_after_s[name] < 12


def test_the_camera_beside_them_never_notices(story: Story) -> None:
    assert story.watch.per_s() > 0.8 * FPS
    assert story.watch.longest_gap_s() < 2.5
    yard = story.report["cameras"]["yard"]
    assert (yard["sessions"], yard["stalls"], yard["open_failures"], yard["fault"]) == (1, 0, 0, "")
    assert story.report["processes"]["ingest-0"]["restarts"] == 0


def test_books_balance_and_clips_keep_what_was_there(story: Story) -> None:
    assert story.ended.code == 0
    assert_books(story.report)
    data = story.run.data
    found = [read_manifest(path) for folder in (data / "clips").iterdir() for path in manifests_in(folder)]
    assert {manifest.camera for manifest in found} >= {"yard", "replaced", "overwritten"}
    assert all(manifest.parts and not manifest.failure for manifest in found)
    # What was damaged when it came is damaged in the clip; all else of it can be seen.
    for path in (data / "clips").rglob("*.mp4"):
        assert pictures(path) if "yard" in path.parts else shown(path), path
    sizes = {(part.width_px, part.height_px) for one in found for part in one.parts if one.camera == "replaced"}
    assert (480, 272) in sizes


def shown(path: Path) -> int:
    """How many pictures of a clip decode."""
    count = 0
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            with contextlib.suppress(av.error.InvalidDataError):
                count += len(packet.decode())
    return count


@pytest.mark.parametrize(("name", "part"), [("cut.mp4", 0.6), ("cut.mkv", 0.6)])
def test_a_file_without_loss_that_is_cut_is_read_to_the_cut_and_said_to_be(
    tmp_path: Path, name: str, part: float
) -> None:
    whole = write_video(tmp_path / f"whole{Path(name).suffix}", index_first=name.endswith("mp4"))
    cut(tmp_path / name, whole, part)
    settings = {"cameras": {"front": {"inputs": [{"path": str(tmp_path / name), "mode": "lossless"}]}}}
    with Running(tmp_path / "run", settings) as run:
        code = run.wait_ended(60)
    assert code == 0
    report = run.report()
    assert_books(report)
    assert 20 <= report["cameras"]["front"]["frames"] <= 40
    assert f"{name} ends after " in run.log()
    assert "of the 6 s it declares: it is cut off, or still being written" in run.log()

"""A disk that is full, while clips are cut and events journalled: said so, no event lost, no half file, and all goes on
once there is room."""

import contextlib
import os
import re
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aftermath import assert_books, assert_clips_play, assert_records_agree
from running import Running
from scripted_camera import ScriptedCamera, film
from watching import Watch

from penstock.contracts.events import Event

FPS = 5
ROOM = 3 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


LIGHT = """
class Light:
    view = {"width": 32, "height": 32, "format": "gray8"}
    signals = ("light",)

    def predict(self, picture, context):
        return {"scalars": {"light": float(picture.mean()) / 255}}
"""


def settings_for(folder: Path, yard: ScriptedCamera, lamp: ScriptedCamera, data: Path) -> dict[str, Any]:
    record = {"pre_capture": "1s", "post_capture": "1s", "max_clip": "4s"}
    (folder / "light.py").write_text(LIGHT, encoding="utf-8")
    one = {"detect": {"fps": FPS}, "record": record, "buffer": {"size": "4MiB"}}
    return {
        "data_dir": str(data),
        "cameras": {"yard": {"url": yard.url(), **one}, "lamp": {"url": lamp.url(), **one}},
        "models": {"light": {"kind": "python", "plugin": str(folder / "light.py") + ":Light"}},
        "rules": {"lit": {"when": "light > 0.6 for 300ms", "cooldown": "500ms", "cameras": ["lamp"]}},
    }


class Lamp:
    """A camera that sees light when told to: an event each time."""

    def __init__(self) -> None:
        self.light = film(fps=10, frames=20, bright=True)
        self.dark = film(fps=10, frames=20)
        self.camera = ScriptedCamera(self.dark)

    def shine(self, run: Running, seconds: float) -> None:
        self.camera.footage = self.light
        wait(run, seconds)
        self.camera.footage = self.dark


def wait(run: Running, seconds: float) -> None:
    until_s = time.monotonic() + seconds
    run.wait_for("time to pass", lambda: time.monotonic() > until_s)


def fill(folder: Path) -> Path:
    """Takes all room there is, to the last byte."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    return ballast


def settled(run: Running, count: int) -> bool:
    """So many events have ended, and are told of with their evidence."""
    newest = {event["event_id"]: event for event in run.events()}
    done = [
        event
        for event in newest.values()
        if event["state"] != "open" and all(piece["state"] != "pending" for piece in event["evidence"])
    ]
    return len(done) == count


def evidence(events: dict[str, Event]) -> list[list[tuple[str, str, str]]]:
    """Kind, state and reason of each event's evidence, by the events' beginning."""
    ordered = sorted(events.values(), key=lambda event: event.start_utc_ns)
    return [[(piece.kind.value, piece.state.value, piece.reason) for piece in event.evidence] for event in ordered]


def assert_no_half_file(run: Running, ready: int) -> None:
    """Every clip that is there plays and is in its manifest; nothing else is left of the others."""
    assert not run.temporaries()
    manifests = assert_clips_play(run.data)
    assert sum(bool(manifest.parts) for manifest in manifests) == ready
    named = {part.file for manifest in manifests for part in manifest.parts} | {"manifest.json", "snapshot.jpg"}
    assert {path.name for path in (run.data / "clips").rglob("*") if path.is_file()} <= named


READY = [("clip", "ready", ""), ("snapshot", "ready", "")]


def test_a_full_disk_costs_a_clip_but_no_event(small_disk: Path, tmp_path: Path) -> None:
    lamp = Lamp()
    with (
        ScriptedCamera(film(fps=10)) as yard,
        lamp.camera,
        Running(tmp_path / "run", settings_for(tmp_path, yard, lamp.camera, small_disk / "data")) as run,
    ):
        run.data = small_disk / "data"
        run.wait_analysing("yard", "lamp")
        watch = Watch(run, "yard")
        watch.start()
        lamp.shine(run, 1)
        run.wait_for("the first event and its clip", lambda: settled(run, 1))

        # The second event's clip is being cut when the disk fills up; the third and fourth event come later.
        lamp.camera.footage = lamp.light
        run.wait_for("a clip that grows", run.temporaries)
        ballast = fill(small_disk)
        lamp.camera.footage = lamp.dark
        run.wait_for("the lost clip to be told", lambda: "has no clip: " in run.log())
        for _ in range(2):
            lamp.shine(run, 1)
            wait(run, 2)
        run.wait_for("the full journal to be told", lambda: "the journal in" in run.log())
        told = {event["event_id"] for event in run.events()}
        ballast.unlink()
        freed_s = time.monotonic()
        run.wait_for("the events that were held up", lambda: settled(run, 4))
        took_s = time.monotonic() - freed_s
        lamp.shine(run, 1)
        run.wait_for("an event as before", lambda: settled(run, 5))
        watch.stop()
        ended = run.stop()
        run.assert_nothing_left()
        print(f"events and clips again {took_s:.1f} s after there was room; {watch}")
        assert ended.code == 0
        assert len(told) == 2
        assert_books(run.report())
        first, second, *others = evidence(assert_records_agree(run))
        assert first == READY
        assert second[0][:2] == ("clip", "failed")
        assert "No space left on device; free space or make the data folder writable" in second[0][2]
        # The picture of their time was still in the packet ring: nothing of them is lost.
        assert others == [READY] * 3
        assert_no_half_file(run, ready=4)
    assert re.search(r"lamp lit: event \w{8} has no clip: No space left on device", run.log())
    for what in ("the journal in .* cannot be written", "database .* disk is full", "jsonl does not take events"):
        assert re.search(what, run.log()), what
    assert "Traceback" not in run.log()
    assert watch.per_s() > 0.8 * FPS
    assert watch.longest_gap_s() < 2.5


def test_a_clip_that_may_not_be_written_is_told_of_and_the_next_one_is_made(tmp_path: Path) -> None:
    """The same for a user who is not root: a limit on the size of files, as of a quota."""
    lamp = Lamp()
    with (
        ScriptedCamera(film(fps=10)) as yard,
        lamp.camera,
        Running(tmp_path / "run", settings_for(tmp_path, yard, lamp.camera, tmp_path / "data")) as run,
    ):
        run.data = tmp_path / "data"
        run.wait_analysing("yard", "lamp")
        recorder = run.children()["recorder"]
        unlimited = resource.prlimit(recorder, resource.RLIMIT_FSIZE)
        resource.prlimit(recorder, resource.RLIMIT_FSIZE, (512, unlimited[1]))
        lamp.shine(run, 1)
        run.wait_for("the first event", lambda: settled(run, 1))
        resource.prlimit(recorder, resource.RLIMIT_FSIZE, unlimited)
        lamp.shine(run, 1)
        run.wait_for("the second event and its clip", lambda: settled(run, 2))
        ended = run.stop()
        run.assert_nothing_left()
    assert ended.code == 0
    assert_books(run.report())
    first, second = evidence(assert_records_agree(run))
    assert [(kind, state) for kind, state, _ in first] == [("clip", "failed"), ("snapshot", "failed")]
    assert all("File too large" in reason for _, _, reason in first)
    assert second == READY
    assert_no_half_file(run, ready=1)

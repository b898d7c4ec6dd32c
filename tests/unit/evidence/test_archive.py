"""A whole archive checked: what is wrong in it, and where, whichever of its folders is named."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.evidence.archive import verify_archive
from penstock.evidence.manifest import (
    ClipChain,
    Manifest,
    SnapshotEntry,
    Span,
    TimeError,
    encode_manifest,
    instant,
    verify_chain,
)

DAY = Path("2023-11-14")


def add_event(camera: Path, name: str) -> None:
    """An event with a snapshot, as the next of its camera."""
    chain = ClipChain(camera)
    chain.load()
    folder = camera / DAY / name
    folder.mkdir(parents=True)
    picture = name.encode()
    (folder / "snapshot.jpg").write_bytes(picture)
    manifest = Manifest(
        version=1,
        software="penstock 0",
        event_id=name,
        rule="rule",
        camera=camera.name,
        run_id="run",
        host_id="",
        boot_id="",
        made=instant(0),
        confirmed=instant(0),
        event=Span(instant(0), None),
        asked=Span(instant(0), None),
        delivered=None,
        parts=(),
        gaps=(),
        truncated="",
        failure="no clip",
        time_error=TimeError(None, None, None),
        result=None,
        snapshot=SnapshotEntry("snapshot.jpg", hashlib.sha256(picture).hexdigest(), 90),
        snapshot_failure="",
        sequence=chain.sequence + 1,
        previous=chain.previous,
        previous_sha256=chain.previous_sha256,
    )
    (folder / "manifest.json").write_bytes(encode_manifest(manifest))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("1-one", "2-two", "3-three"):
        add_event(tmp_path / "clips" / "gate", name)
    add_event(tmp_path / "clips" / "yard", "4-four")
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "cameras", "manifests"),
    [(".", 2, 4), ("clips", 2, 4), ("clips/gate", 1, 3), (f"clips/gate/{DAY}/2-two", 1, 1)],
    ids=["data", "clips", "camera", "event"],
)
def test_an_archive_as_it_was_written(data: Path, folder: str, cameras: int, manifests: int) -> None:
    assert verify_archive(data / folder) == (cameras, manifests, ())


def change(path: Path) -> None:
    path.write_bytes(b"something else")


def leave_a_clip(folder: Path) -> None:
    (folder / "clip.mp4").write_bytes(b"clip")
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (lambda event: change(event / "snapshot.jpg"), "{event}/snapshot.jpg was changed: its SHA-256 is not the one"),
        (lambda event: (event / "snapshot.jpg").unlink(), "{event}/snapshot.jpg is missing"),
        (lambda event: change(event / "manifest.json"), "{event}/manifest.json is not a manifest"),
        (shutil.rmtree, "is number 3 of its camera, but number 2 is missing"),
        (leave_a_clip, "{event}/clip.mp4 has no manifest: it was removed, or never written"),
    ],
    ids=["changed", "missing", "no manifest", "removed", "manifest removed"],
)
def test_what_is_wrong_is_named_with_its_place(data: Path, harm: Callable[[Path], None], what: str) -> None:
    event = data / "clips" / "gate" / DAY / "2-two"
    harm(event)
    problems = verify_archive(data).problems
    assert any(what.format(event=event) in problem for problem in problems), problems
    result = CliRunner().invoke(app, ["verify", str(data)])
    assert result.exit_code == 1
    assert all(problem in result.stderr for problem in problems)


def test_nothing_to_check_is_a_problem(tmp_path: Path) -> None:
    nowhere = tmp_path / "nix"
    assert verify_archive(nowhere).problems == (f"{nowhere} does not exist",)
    assert verify_chain(nowhere) == [f"{nowhere} is not a folder of clips: there is none of this name"]
    (found,) = verify_archive(tmp_path).problems
    assert found.startswith(f"there is no manifest in {tmp_path}")


def test_the_command_says_how_much_it_looked_at(data: Path) -> None:
    result = CliRunner().invoke(app, ["verify", str(data)])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("4 manifests of 2 cameras checked")

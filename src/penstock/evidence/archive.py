"""Checks all the evidence under a folder: every manifest, every file that one names, and each camera's chain."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from penstock.evidence.manifest import manifests_in, verify_chain, verify_manifest
from penstock.evidence.naming import CLIPS, MANIFEST


class Verification(NamedTuple):
    """What was looked at, and what is wrong with it: one sentence each, with the path."""

    cameras: int
    manifests: int
    problems: tuple[str, ...]


def verify_archive(folder: Path) -> Verification:
    """Of a data folder, its `clips`, one camera's folder in it, or one event's, which has no chain to check.

    Where there is no manifest at all, that is the problem: nothing was checked. Folders that cannot be read raise
    OSError; files that cannot be are named.
    """
    if not folder.exists():
        return Verification(0, 0, (f"{folder} does not exist",))
    if (folder / MANIFEST).is_file():
        return Verification(1, 1, tuple(verify_manifest(folder / MANIFEST)))
    clips = folder / CLIPS if (folder / CLIPS).is_dir() else folder
    cameras = [clips] if _is_camera(clips) else sorted(path for path in clips.glob("*/") if _is_camera(path))
    manifests, problems = 0, []
    for camera in cameras:
        manifests += sum(1 for _ in manifests_in(camera))
        problems += verify_chain(camera)
        problems += [f"{path} has no manifest: it was removed, or never written" for path in _orphans(camera)]
    if not manifests and not problems:
        problems.append(f"there is no manifest in {folder}: name a data folder, its {CLIPS}, or one camera's in it")
    return Verification(len(cameras), manifests, tuple(problems))


def _is_camera(folder: Path) -> bool:
    """Whether it holds days with events; a day's folder has no other name than a date."""
    return any(folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]/"))


def _orphans(camera: Path) -> Iterator[Path]:
    """Clips without a manifest. A snapshot alone is no sign of harm: it is there while its event lasts."""
    yield from (path for path in sorted(camera.glob("*/*/*.mp4")) if not (path.parent / MANIFEST).is_file())

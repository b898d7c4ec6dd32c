"""`python -m penstock.simulator.draw`: draws one scene's films, told on standard input, in a process of its own.

Apart from its caller, whose memory would otherwise hold FFmpeg and NumPy for as long as it runs; several scenes are
drawn side by side, as many at a time as there are processors.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from penstock.simulator.scene_spec import SceneSpec
from penstock.simulator.video_file import EncodingSpec, is_drawn, unfinished_path, write_films

Films = Mapping[Path, EncodingSpec]


class DrawingFailed(OSError):
    """Films could not be drawn: which, and why."""

    def __str__(self) -> str:
        return str(self.strerror)


def wait_drawn(scenes: Sequence[tuple[SceneSpec, Films]]) -> int:
    """Draws the films that are not there yet and returns how many those were. Raises DrawingFailed.

    Each pair is a scene and its films, drawn together.
    """
    waiting = []
    for scene, films in scenes:
        missing = {path: spec for path, spec in films.items() if not is_drawn(path, scene, spec)}
        if missing:
            waiting.append((scene, missing))
    count = sum(len(films) for _, films in waiting)
    running: list[tuple[Films, subprocess.Popen[bytes]]] = []
    failures = []
    try:
        for scene, films in waiting:
            if len(running) >= (os.cpu_count() or 1):
                failures += _wait_for(*running.pop(0))
            running.append((films, _start(scene, films)))
        while running:
            failures += _wait_for(*running.pop(0))
    finally:
        for films, child in running:
            _give_up(films, child)
    if failures:
        raise DrawingFailed(0, "; ".join(failures))
    return count


def _start(scene: SceneSpec, films: Films) -> subprocess.Popen[bytes]:
    order = {"scene": asdict(scene), "films": {str(path): asdict(spec) for path, spec in films.items()}}
    child = subprocess.Popen(
        [sys.executable, "-m", "penstock.simulator.draw"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdin is not None
    try:
        child.stdin.write(json.dumps(order).encode())
        child.stdin.close()
    except BrokenPipeError:
        # It ended at once; what it said tells why.
        pass
    child.stdin = None
    return child


def _wait_for(films: Films, child: subprocess.Popen[bytes]) -> list[str]:
    try:
        _, told = child.communicate()
    except BaseException:
        _give_up(films, child)
        raise
    if child.returncode == 0:
        return []
    reason = told.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
    return [f"{', '.join(str(path) for path in films)} cannot be drawn: {reason[0]}"]


def _give_up(films: Films, child: subprocess.Popen[bytes]) -> None:
    """Ends the child at once, and removes what it leaves."""
    child.terminate()
    child.communicate()
    for path in films:
        unfinished_path(path, child.pid).unlink(missing_ok=True)


def main() -> None:
    order = json.loads(sys.stdin.buffer.read())
    films = {Path(path): EncodingSpec(**spec) for path, spec in order["films"].items()}
    try:
        write_films(SceneSpec(**order["scene"]), films)
    except OSError as error:
        sys.exit(f"{error.filename or 'the disk'}: {error.strerror}")
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

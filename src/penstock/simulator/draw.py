"""`python -m penstock.simulator.draw FILE SEED FIGURES`: draws a demonstration video in a process of its own.

Apart from its caller, whose memory would otherwise hold FFmpeg and NumPy for as long as it runs.
"""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from penstock.simulator.video_file import VideoSpec, is_drawn, write_demo_video


class DrawingFailed(OSError):
    """A video could not be drawn: which, and why."""

    def __str__(self) -> str:
        return str(self.strerror)


def wait_drawn(videos: Mapping[Path, VideoSpec]) -> int:
    """Draws those that are not there yet, side by side; returns how many. Raises DrawingFailed.

    Only seed and number of figures may differ from `VideoSpec`'s defaults.
    """
    missing = {path: spec for path, spec in videos.items() if not is_drawn(path, spec)}
    children = {
        path: subprocess.Popen(  # noqa: S603 - this very program, with numbers and a path of its own
            [sys.executable, "-m", "penstock.simulator.draw", str(path), str(spec.seed), str(spec.figures)],
            stderr=subprocess.PIPE,
        )
        for path, spec in missing.items()
    }
    failures = []
    try:
        for path, child in children.items():
            _, told = child.communicate()
            if child.returncode != 0:
                reason = told.decode(errors="replace").strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
                failures.append(f"{path} cannot be drawn: {reason[0]}")
    finally:
        for child in children.values():
            if child.poll() is None:
                child.terminate()
                child.communicate()
    if failures:
        raise DrawingFailed(0, "; ".join(failures))
    return len(missing)


def main(path: str, seed: str, figures: str) -> None:
    try:
        write_demo_video(Path(path), VideoSpec(int(seed), int(figures)))
    except OSError as error:
        sys.exit(f"{error.filename or path}: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])

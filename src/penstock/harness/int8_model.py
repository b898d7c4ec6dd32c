"""An 8-bit model to compare with: the one that was given, or one that `penstock quantize` makes of the float model."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from penstock.base.clock import Clock
from penstock.harness.rtsp_cameras import drawn_films

QUANTISED_WITHIN_S = 900.0
_FRAMES, _HELD_OUT, _AGREEMENT = 100, 50, 0.5


def int8_model(given: Path | None, model: Path, films: Path, clock: Clock, log_file: Path) -> tuple[Path | None, str]:
    """The file, or None and why there is none. What was made is kept in `films` for the next time."""
    if given is not None:
        return given, ""
    made = films / f"{model.stem}_int8.onnx"
    if made.is_file():
        return made, ""
    if find_spec("nncf") is None:
        return None, "name one with --int8, or `pip install penstock[quantize]` to have one made"
    command = [sys.executable, "-m", "penstock", "quantize", str(model), "--output", str(made)]
    command += ["--frames", str(_FRAMES), "--held-out", str(_HELD_OUT), "--min-agreement", str(_AGREEMENT)]
    for film in drawn_films(films, clock, log_file):
        command += ["--calibrate", str(film)]
    with log_file.open("ab") as log:
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=QUANTISED_WITHIN_S, check=False
            )
        except subprocess.TimeoutExpired:
            return None, f"`penstock quantize` took more than {QUANTISED_WITHIN_S:g} s. Name a file with --int8"
    if done.returncode or not made.is_file():
        return None, f"`penstock quantize` ended with {done.returncode}. What it said is in {log_file}"
    return made, ""

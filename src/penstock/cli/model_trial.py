"""`penstock models try`: a model on a few pictures, with what it found in words and drawn."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from penstock.base.clock import NS_PER_MS, SystemClock
from penstock.base.redaction import redact
from penstock.cli.main import UsageProblem
from penstock.cli.sampled_frames import SampledFrame, ViewOf, wait_sampled
from penstock.contracts.results import Result
from penstock.contracts.specs import ModelSpec
from penstock.evidence.jpeg import encode_jpeg
from penstock.models.drawing import draw_boxes, draw_text
from penstock.models.loading import load_model

JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class Trial:
    """The command's arguments as they were typed."""

    model: Path
    pictures: tuple[str, ...]
    output: Path | None = None
    backend: str = "auto"
    head: str = "auto"
    confidence: float = 0.25
    frames: int = 1


def wait_try(trial: Trial, tell: Callable[[str], None] | None) -> list[dict[str, Any]]:
    """Runs the model; one record for each frame. Raises ModelError, SourceError, UsageProblem and OSError."""
    several = len(trial.pictures) > 1 or trial.frames > 1
    is_folder = trial.output is not None and (several or trial.output.is_dir() or not trial.output.suffix)
    folder = trial.output if is_folder else None
    if trial.output is not None and folder is None and trial.output.suffix.lower() not in (".jpg", ".jpeg"):
        raise UsageProblem(f"--output {trial.output}: pictures are written as JPEG; name a .jpg, or a folder")
    if folder is not None and folder.is_file():
        raise UsageProblem(f"--output {folder}: is a file, and there are several pictures; name a folder")
    clock = SystemClock()
    spec = ModelSpec(
        name=trial.model.stem,
        path=str(trial.model),
        backend=trial.backend,
        head=trial.head,
        confidence=trial.confidence,
    )
    model = load_model(spec, 1)
    rows: list[dict[str, Any]] = []
    try:
        make_view = ViewOf(model.description.view)
        for picture in trial.pictures:
            for frame in wait_sampled(picture, trial.frames, clock):
                view, pixels = make_view(frame)
                if not rows:
                    # The first call prepares buffers; its time says nothing.
                    model.run(0, view, pixels)
                began_ns = clock.now_ns()
                result = model.run(0, view, pixels)
                took_ns = clock.now_ns() - began_ns
                row = _row(picture, frame, result, took_ns)
                if trial.output is not None:
                    target = _target(folder, trial.output, picture, frame, len(rows))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(annotated(frame, result))
                    row["output"] = str(target)
                rows.append(row)
                if tell is not None:
                    for line in _lines(row):
                        tell(line)
    finally:
        model.close()
    return rows


def annotated(frame: SampledFrame, result: Result) -> bytes:
    """The frame as a JPEG with boxes and labels, or the classes and numbers in its corner."""
    picture = np.array(frame.picture.to_ndarray(format="rgb24"), np.uint8)
    found = list(result.detections.detections()) if result.detections is not None else []
    # The most confident last: its label lies on top.
    draw_boxes(picture, [(d.xyxy, d.class_id, f"{d.class_name} {d.confidence:.2f}") for d in reversed(found)])
    scale = max(2, picture.shape[0] // 200)
    texts = [f"{c.class_name} {c.confidence:.2f}" for c in result.classifications]
    texts += [f"{name} {value:.3g}" for name, value in result.scalars.items()]
    for number, text in enumerate(texts):
        draw_text(picture, text, 0, number * 7 * scale, scale, np.zeros(3, np.uint8))
    return encode_jpeg(av.VideoFrame.from_ndarray(picture, format="rgb24"), JPEG_QUALITY)


def _row(picture: str, frame: SampledFrame, result: Result, took_ns: int) -> dict[str, Any]:
    found = result.detections.detections() if result.detections is not None else ()
    return {
        "picture": redact(picture),
        "frame": frame.ref.index,
        "size": [frame.ref.width_px, frame.ref.height_px],
        "ms": round(took_ns / NS_PER_MS, 3),
        "detections": [
            {
                "class": d.class_name,
                "confidence": round(d.confidence, 4),
                "xyxy": [round(value, 2) for value in d.xyxy],
            }
            for d in found
        ],
        "classes": [{"class": c.class_name, "confidence": round(c.confidence, 4)} for c in result.classifications],
        "scalars": dict(result.scalars),
    }


def _lines(row: dict[str, Any]) -> list[str]:
    counts = {"detections": ("box", "boxes"), "classes": ("class", "classes"), "scalars": ("number", "numbers")}
    found = [f"{len(row[key])} {name[len(row[key]) > 1]}" for key, name in counts.items() if row[key]]
    what = ", ".join(found) or "nothing found"
    lines = [f"{row['picture']} frame {row['frame']} ({row['size'][0]}×{row['size'][1]}): {what}, {row['ms']:.1f} ms"]
    for d in row["detections"]:
        left, top, right, bottom = d["xyxy"]
        lines.append(f"  {d['class']} {d['confidence']:.2f} at {left:.0f},{top:.0f} to {right:.0f},{bottom:.0f}")
    lines += [f"  {c['class']} {c['confidence']:.3f}" for c in row["classes"]]
    lines += [f"  {name} = {value:.4g}" for name, value in row["scalars"].items()]
    if "output" in row:
        lines.append(f"  drawn: {row['output']}")
    return lines


def _target(folder: Path | None, output: Path, picture: str, frame: SampledFrame, number: int) -> Path:
    if folder is None:
        return output
    stem = Path(picture).stem if "://" not in picture else "camera"
    return folder / f"{stem}_{number:04d}_{frame.ref.index}.jpg"

"""The model card: what the file is for, how it was made, and what was measured, in numbers that can be made again."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from demo_detector.evaluation import RULE_CONFIDENCE, Verdict
from penstock.models.backends.onnxruntime import OnnxRuntimeBackend

TEXT = """# Model card: demo_detector

Finds **people and vehicles in Penstock's own drawn scenes** (`penstock simulate`, `penstock demo`), so that the
demonstration does real work with no camera and no download. It has never seen a photograph and finds nothing of use
in one: for real cameras take a model trained on real pictures.

| | |
| --- | --- |
| file | `demo_detector.onnx`, {size_bytes:,} bytes |
| sha256 | `{sha256}` |
| licence | Apache-2.0 |
| network | ReLU convolutions, one stage, no anchors, strides 8, 16 and 32; {parameters:,} parameters in float32 |
| input | `images` 1×3×{height_px}×{width_px}, RGB / 255, letterboxed to the centre with 114 |
| output | `output0` 1×6×{places}: centre x, y, width, height in input pixels, then a probability for each class |
| classes | `{classes}` |
| cost | {cost_ms:.1f} ms per picture, network and head in ONNX Runtime on one core ({cpu}) |

## How it was made

    {command}

Script version {script}, on scenes drawn by the simulator's recipe {scenes}, sent through H.264 at many bit rates,
decoded, and shown mirrored, scaled, brightened, softened and with noise.

| | |
| --- | --- |
| seeds of the scenes | {seeds}, each in all settings: {takes} takes, {pictures:,} pictures |
| steps × batch | {steps:,} × {batch} |
| time to draw | {drawing_s:.0f} s |
| time to train | {training_s:.0f} s, PyTorch {torch} on a CPU |

## What was measured

On seeds {unseen_seeds} in all settings, which training never saw; drawn at 640×360, sent as H.264 at 25 fps in the
sizes below, decoded, scaled by the engine's view maker, run by `load_model` with `backend: auto`. A figure counts where
at least {least_visible:.0%} of it is seen; a detection that lies mostly on a hidden figure counts on neither side.
AP@0.5 is the area under the precision-recall curve at all points. Precision and recall are those at confidence
{confidence}.

The simulator's truth compares boxes: a parked car whose box lies behind a nearer one's is called wholly hidden though
a corner of it shows. Found, it counts as false here.

{tables}
## What it does not do

Figures that are hidden for the most part, or of which a border cuts off more than that, may be found or not. Other
cameras, other styles of drawing, other classes: not at all.
"""


def write_card(path: Path, measured: Mapping[str, object], verdicts: Mapping[str, Verdict]) -> None:
    """Beside the file at `path`: what its metadata say of its making, and `verdicts` by the size of their stream."""
    model = OnnxRuntimeBackend().read(path)
    first = next(iter(verdicts.values()))
    text = TEXT.format(
        **json.loads(model.metadata["made"]),
        **measured,
        size_bytes=path.stat().st_size,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        width_px=model.picture.width_px,
        height_px=model.picture.height_px,
        places=model.outputs[0].shape[2],
        classes=model.metadata["names"],
        cost_ms=first.cost_ms,
        confidence=RULE_CONFIDENCE,
        tables="\n".join(_table(size, verdict) for size, verdict in verdicts.items()),
    )
    path.with_suffix(".md").write_text(text, encoding="utf-8")


def table_of(verdict: Verdict) -> list[tuple[str, str, int, float, float, float]]:
    """Rows of class, setting (empty for all), true boxes, AP, precision and recall."""
    labels = list(dict.fromkeys(label for label, _ in verdict.tallies))
    settings = list(dict.fromkeys(setting for _, setting in verdict.tallies))
    rows = []
    for label in labels:
        for setting in ["", *settings]:
            tally = verdict.over(label, setting)
            if tally.wanted:
                rows.append(
                    (label, setting, tally.wanted, tally.average_precision(), *tally.at(RULE_CONFIDENCE)),
                )
    return rows


def _table(size: str, verdict: Verdict) -> str:
    lines = [
        f"### {size}, {verdict.pictures} pictures",
        "",
        "| class | setting | figures | AP@0.5 | precision | recall |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for label, setting, wanted, ap, precision, recall in table_of(verdict):
        name, where = (f"**{label}**", "**all**") if not setting else (label, setting.replace("_", " "))
        lines.append(f"| {name} | {where} | {wanted} | {ap:.3f} | {precision:.3f} | {recall:.3f} |")
    return "\n".join([*lines, ""])

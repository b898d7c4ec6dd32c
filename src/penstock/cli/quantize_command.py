"""`penstock quantize`: an 8-bit model from the user's own cameras, measured against the float one before it is kept."""

import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from penstock.base.clock import Clock, SystemClock
from penstock.base.redaction import redact
from penstock.base.units import format_size, parse_duration_ns
from penstock.cli.main import UsageProblem
from penstock.cli.sampled_frames import ViewOf, wait_sampled
from penstock.contracts.frames import View, ViewSpec
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import FailureCause
from penstock.models.errors import ModelError, load_error
from penstock.models.loading import choose_backend, load_model
from penstock.models.onnx_summary import read_summary
from penstock.models.quantisation.comparing import Compared, compare
from penstock.models.quantisation.static import check_installed, quantise

METADATA_KEY = "penstock.quantisation"
FEWEST_FRAMES = 10
FEW_BOXES = 50


@dataclass(frozen=True, slots=True)
class QuantizeOptions:
    """The command's arguments as they were typed."""

    model: Path
    calibrate: tuple[str, ...]
    output: Path
    frames: int = 300
    held_out: int = 100
    min_agreement: float = 0.9
    every: str = "1s"
    head: str = "auto"
    confidence: float = 0.25
    as_json: bool = False


class Refused(ModelError):
    """The 8-bit model does not agree well enough with the float one."""


class _Samples(NamedTuple):
    """Views in order of time within each source."""

    calibration: Sequence[NDArray[np.uint8]]
    held_out: list[tuple[View, NDArray[np.uint8]]]


def quantize_command(options: QuantizeOptions, clock: Clock | None = None) -> int:
    """Writes the model and its report, or raises: UsageProblem, ModelError, SourceError, OSError."""
    clock = clock or SystemClock()
    _check(options)
    check_installed()
    spec = ModelSpec(
        name=options.model.stem, path=str(options.model), head=options.head, confidence=options.confidence, top_k=1
    )
    summary = read_summary(options.model)
    if summary.quantisation != "none":
        raise load_error(f"{options.model}: is quantised already ({summary.quantisation})", "Give the float model")
    reference = load_model(spec, 1)
    part = options.output.with_name(f".{options.output.stem}.part.onnx")
    try:
        if reference.description.signals:
            raise load_error(
                f"{options.model}: agreement is measured for boxes and classes, and this network states "
                f"{', '.join(reference.description.signals)}",
                "Keep the float model",
            )
        with tempfile.TemporaryDirectory(prefix="penstock-quantize-") as scratch:
            samples = _wait_samples(options, reference.description.view, clock, Path(scratch))
            _say(f"quantising on {len(samples.calibration)} frames; this takes a minute or so")
            options.output.parent.mkdir(parents=True, exist_ok=True)
            quantise(spec, samples.calibration, part)
        int8_spec = msgspec.structs.replace(spec, path=str(part), head=reference.description.head)
        quantised = load_model(int8_spec, 1)
        try:
            compared = compare(reference, quantised, samples.held_out, clock)
        finally:
            quantised.close()
        report = _report(options, spec, int8_spec, len(samples.calibration), compared, part)
        _print(report, compared, options.as_json)
        _judge(options, compared)
        _keep(options, part, report)
    finally:
        reference.close()
        part.unlink(missing_ok=True)
    _say(f"written: {options.output} and {_report_path(options.output)}")
    return 0


def _check(options: QuantizeOptions) -> None:
    if options.output.suffix != ".onnx":
        raise UsageProblem(f"--output {options.output}: the name must end in .onnx")
    if options.output.exists() and options.model.exists() and options.output.samefile(options.model):
        raise UsageProblem("--output is the float model itself; name another file")
    if options.frames < FEWEST_FRAMES or options.held_out < FEWEST_FRAMES:
        raise UsageProblem(f"--frames and --held-out must be {FEWEST_FRAMES} at least")


def _wait_samples(options: QuantizeOptions, view: ViewSpec, clock: Clock, scratch: Path) -> _Samples:
    """Frames of every source, evenly over its time: the last ones are held out, and quantising never sees them."""
    try:
        every_ns = parse_duration_ns(options.every)
    except ValueError as error:
        raise UsageProblem(f"--every: {error}") from None
    sources = len(options.calibrate)
    share = -(-options.frames // sources), -(-options.held_out // sources)
    # Pixels of the calibration lie in a file: hundreds of large views are more than a small host has to spare.
    shape = (view.height_px, view.width_px, view.channels)
    held: list[tuple[View, NDArray[np.uint8]]] = []
    make_view = ViewOf(view)
    count = 0
    with (scratch / "calibration").open("w+b") as file:
        for url in options.calibrate:
            taken = []
            for frame in wait_sampled(url, sum(share), clock, every_ns):
                taken.append(make_view(frame))
            if len(taken) < 2:
                raise load_error(f"{redact(url)}: gave {len(taken)} frames", "Give a video, or a camera that is up")
            split = max(1, round(len(taken) * share[0] / sum(share)))
            split = min(split, len(taken) - 1)
            for _, pixels in taken[:split]:
                file.write(pixels.tobytes())
            count += split
            held += taken[split:]
            _say(f"{redact(url)}: {split} frames to quantise on, the {len(taken) - split} after them to measure on")
        file.flush()
        pixels_of_all: NDArray[np.uint8] = np.memmap(file, np.uint8, "r", shape=(count, *shape))
    return _Samples(list(pixels_of_all), held)


def _report(
    options: QuantizeOptions, spec: ModelSpec, int8_spec: ModelSpec, frames: int, compared: Compared, part: Path
) -> dict[str, Any]:
    value = compared.agreement.value
    return {
        "model": options.model.name,
        "float_sha256": _sha256_of(options.model),
        "calibration": [redact(url) for url in options.calibrate],
        "calibration_frames": frames,
        "held_out_frames": compared.agreement.frames,
        "confidence": options.confidence,
        "agreement": {
            key: round(number, 4) if isinstance(number, float) else number
            for key, number in msgspec.to_builtins(compared.agreement).items()
        },
        "agreement_value": None if value is None else round(value, 4),
        "min_agreement": options.min_agreement,
        "speed": {
            "float": {"backend": choose_backend(spec).name, **msgspec.to_builtins(compared.float_speed)},
            "int8": {"backend": choose_backend(int8_spec).name, **msgspec.to_builtins(compared.int8_speed)},
            "ratio": round(compared.speed_ratio, 3),
        },
        "size_bytes": {"float": options.model.stat().st_size, "int8": part.stat().st_size},
    }


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _print(report: dict[str, Any], compared: Compared, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report, indent=2))
        return
    speed, size = report["speed"], report["size_bytes"]
    table = Table("", "float", "8-bit", "", box=None, pad_edge=False)
    table.add_row("runs on", speed["float"]["backend"], speed["int8"]["backend"], "")
    table.add_row(
        "ms per call",
        _span(speed["float"]),
        _span(speed["int8"]),
        f"{compared.speed_ratio:.2f} times as fast",
    )
    table.add_row("file", format_size(size["float"]), format_size(size["int8"]), "")
    found = compared.agreement
    if found.kind == "classes":
        table.add_row("same first class", "", f"{found.top1:.3f}", f"of {found.frames} frames")
    else:
        table.add_row("boxes", str(found.float_boxes), str(found.int8_boxes), f"on {found.frames} frames")
        for name, value in (
            ("recall", found.recall),
            ("precision", found.precision),
            ("mean IoU of pairs", found.mean_iou),
            ("mean score difference", found.mean_score_difference),
        ):
            table.add_row(name, "", "-" if value is None else f"{value:.3f}", "")
    Console(highlight=False).print(table)
    if found.kind == "detections" and 0 < found.float_boxes < FEW_BOXES:
        _say(f"only {found.float_boxes} boxes to compare: one more or less changes much; give busier scenes")
    if compared.speed_ratio < 1.05:
        _say("it is no faster than the float model on this processor: there is little reason to use it here")


def _span(speed: dict[str, Any]) -> str:
    """The median, and the quartiles around it."""
    return f"{speed['median_ms']:.2f} ({speed['quarter_ms']:.2f}-{speed['three_quarters_ms']:.2f})"


def _judge(options: QuantizeOptions, compared: Compared) -> None:
    found = compared.agreement
    value = found.value
    if value is None:
        raise Refused(
            FailureCause.REFUSED,
            f"the float model finds nothing on the {found.frames} frames held out, so there is nothing to compare",
            "Give scenes with what the model is to find, or lower --confidence",
        )
    if value < options.min_agreement:
        raise Refused(
            FailureCause.REFUSED,
            f"the 8-bit model agrees with the float one by {value:.3f}, and {options.min_agreement:g} is asked for; "
            "nothing was written",
            "Try more --frames, scenes with more variety (day and night, empty and busy), a higher --confidence if "
            "weak boxes are of no use to you, or keep the float model",
        )


def _keep(options: QuantizeOptions, part: Path, report: dict[str, Any]) -> None:
    import onnx  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415

    from penstock.models.quantisation.graph import set_metadata  # noqa: PLC0415

    model = onnx.load(str(part))
    set_metadata(model, [(METADATA_KEY, json.dumps(report, separators=(",", ":")))])
    onnx.save(model, str(part))
    _report_path(options.output).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    part.replace(options.output)


def _report_path(output: Path) -> Path:
    return output.with_suffix(".json")


def _say(text: str) -> None:
    print(text, file=sys.stderr)

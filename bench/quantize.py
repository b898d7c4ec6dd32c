"""What 8 bits bring and cost: YOLOX-nano and FastestDet as they are and quantised from the video that they then watch.

Needs the test material beside the checkout and NNCF; the quantised files are made once, before the first round. `call`
is the processor time of one view through network and head, which both runtimes spend on the calling thread. The facts
tell the recall of PETS people at IoU 0.5 and the agreement with the float model, all on frames of the video's last
quarter, which the scales were not chosen by.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.records import Benchmark, Comparison, Context, Effort, Series, Skipped, Taken
from penstock.base.clock import SystemClock
from penstock.cli.quantize_command import QuantizeOptions, quantize_command
from penstock.cli.sampled_frames import ViewOf, wait_sampled
from penstock.contracts.specs import ModelSpec
from penstock.models.loading import load_model
from penstock.models.quantisation.agreement import match_boxes

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
VIDEO = SHARED / "videos" / "vtest_480x360_h264.mp4"
TRUTH = SHARED / "mot" / "PETS09-S2L1" / "gt" / "gt.txt"
TRUTH_SCALE = 0.625
MODELS = ("yolox_nano", "FastestDet")


def measure(variant: str, effort: Effort, context: Context) -> Taken:
    name, _, kind = variant.partition(" ")
    path = context[f"{name} int8"] if kind == "int8" else str(SHARED / "models" / f"{name}.onnx")
    backend = {"float": "auto", "float on OpenVINO": "openvino"}.get(kind, "auto")
    model = load_model(ModelSpec(name, path=path, backend=backend, labels=("person",)), 1)
    make_view = ViewOf(model.description.view)
    rows = np.loadtxt(TRUTH, delimiter=",")
    rows = rows[rows[:, 6] == 1]
    took_ms: list[float] = []
    people = found = 0
    frames = [f for f in wait_sampled(str(VIDEO), effort.pick(200, 40), SystemClock()) if f.ref.index > 600]
    model.run(0, *make_view(frames[0]))
    for frame in frames:
        view, pixels = make_view(frame)
        began_ns = time.thread_time_ns()
        detections = model.run(0, view, pixels).detections
        took_ms.append((time.thread_time_ns() - began_ns) / 1e6)
        assert detections is not None
        truth = rows[rows[:, 0] == frame.ref.index][:, 2:6] * TRUTH_SCALE
        boxes = np.concatenate([truth[:, :2], truth[:, :2] + truth[:, 2:]], axis=1).astype(np.float32)
        xyxy: NDArray[np.float32] = np.frombuffer(detections.xyxy, "<f4").reshape(-1, 4)
        people += len(boxes)
        found += len(match_boxes(boxes, np.zeros(len(boxes), np.int32), xyxy, np.zeros(len(xyxy), np.int32)).first)
    model.close()
    facts = {"people": people, "recall": round(found / people, 3), "file_bytes": Path(path).stat().st_size}
    if kind == "int8":
        facts["agreement"] = json.loads(Path(path).with_suffix(".json").read_text())["agreement"]
    return Taken({"call": Series("ms", took_ms)}, facts)


@contextmanager
def surroundings(folder: Path, effort: Effort) -> Iterator[Context]:
    if not SHARED.is_dir():
        raise Skipped("test material is absent: ../shared/data does not exist beside this checkout")
    if find_spec("nncf") is None:
        raise Skipped("NNCF is not installed: pip install penstock[quantize]")
    context: Context = {}
    for name in MODELS:
        output = folder / f"{name}_int8.onnx"
        quantize_command(
            QuantizeOptions(
                SHARED / "models" / f"{name}.onnx",
                (str(VIDEO),),
                output,
                frames=effort.pick(300, 30),
                held_out=effort.pick(100, 10),
                # The question is what it is, not whether it is good enough.
                min_agreement=0.0,
            )
        )
        context[f"{name} int8"] = str(output)
    yield context


BENCHMARK = Benchmark(
    name="quantize",
    title="a call of float and 8-bit models, and the people that they find",
    variants=tuple(f"{name} {kind}" for name in MODELS for kind in ("float", "float on OpenVINO", "int8")),
    measure=measure,
    rounds=5,
    surroundings=surroundings,
    comparisons=tuple(Comparison("call", f"{name} int8", f"{name} float") for name in MODELS),
)

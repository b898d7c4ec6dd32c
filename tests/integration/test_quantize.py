"""An 8-bit YOLOX-nano made from the PETS video finds the people that the float one finds, and bad ones are refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from penstock.base.clock import SystemClock
from penstock.cli.quantize_command import METADATA_KEY, QuantizeOptions, Refused, quantize_command
from penstock.cli.sampled_frames import ViewOf, wait_sampled
from penstock.contracts.specs import ModelSpec
from penstock.models.errors import ModelError
from penstock.models.loading import load_model
from penstock.models.onnx_summary import read_summary
from penstock.models.quantisation.agreement import match_boxes

pytest.importorskip("nncf", reason="NNCF is not installed: pip install penstock[quantize]")

PETS = "videos/vtest_480x360_h264.mp4"
PETS_TRUTH = "mot/PETS09-S2L1/gt/gt.txt"
PETS_SCALE = 0.625


@pytest.fixture(scope="module")
def quantised(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("quantize") / "yolox_nano_int8.onnx"
    options = QuantizeOptions(
        shared_data / "models" / "yolox_nano.onnx", (str(shared_data / PETS),), output, frames=60, held_out=20
    )
    assert quantize_command(options) == 0
    return output


def test_the_report_says_what_was_measured(quantised: Path) -> None:
    report: dict[str, Any] = json.loads(quantised.with_suffix(".json").read_text())
    assert report["calibration_frames"] == 60
    assert report["held_out_frames"] == 20
    assert report["agreement"]["float_boxes"] > 100
    assert report["agreement_value"] >= 0.9
    assert report["speed"]["int8"]["calls"] == 20
    assert report["size_bytes"]["int8"] < report["size_bytes"]["float"] / 2
    summary = read_summary(quantised)
    assert summary.quantisation == "static"
    assert json.loads(summary.metadata[METADATA_KEY]) == report
    assert {path.name for path in quantised.parent.iterdir()} == {"yolox_nano_int8.onnx", "yolox_nano_int8.json"}


def test_people_are_found_as_before(quantised: Path, shared_data: Path) -> None:
    """On the video's last fifth, which the scales were not chosen by."""
    before = recall(shared_data / "models" / "yolox_nano.onnx", shared_data)
    after = recall(quantised, shared_data)
    print(f"recall of PETS people: float {before:.3f}, 8-bit {after:.3f}")
    assert before >= 0.9
    assert after >= before - 0.03


def recall(path: Path, shared_data: Path) -> float:
    """Share of the true people with a box of their own at IoU 0.5, on frames spread over the last fifth."""
    rows = np.loadtxt(shared_data / PETS_TRUTH, delimiter=",")
    rows = rows[rows[:, 6] == 1]
    model = load_model(ModelSpec("m", path=str(path), labels=("person",)), 1)
    make_view = ViewOf(model.description.view)
    people = found = 0
    for frame in wait_sampled(str(shared_data / PETS), 100, SystemClock()):
        if frame.ref.index <= 795 * 4 // 5:
            continue
        truth = rows[rows[:, 0] == frame.ref.index][:, 2:6] * PETS_SCALE
        boxes = np.concatenate([truth[:, :2], truth[:, :2] + truth[:, 2:]], axis=1).astype(np.float32)
        detections = model.run(0, *make_view(frame)).detections
        assert detections is not None
        xyxy: NDArray[np.float32] = np.frombuffer(detections.xyxy, "<f4").reshape(-1, 4)
        same = np.zeros(len(boxes), np.int32), np.zeros(len(xyxy), np.int32)
        people += len(boxes)
        found += len(match_boxes(boxes, same[0], xyxy, same[1]).first)
    model.close()
    assert people > 50
    return found / people


def test_disagreement_is_refused_and_leaves_nothing(shared_data: Path, tmp_path: Path) -> None:
    options = QuantizeOptions(
        shared_data / "models" / "yolox_nano.onnx",
        (str(shared_data / PETS),),
        tmp_path / "out" / "a.onnx",
        frames=10,
        held_out=10,
        min_agreement=1.0,
    )
    with pytest.raises(Refused, match="and 1 is asked for; nothing was written"):
        quantize_command(options)
    assert list((tmp_path / "out").iterdir()) == []


def test_classifiers_are_compared_by_their_first_class(shared_data: Path, tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    chance = np.random.default_rng(5)
    weights = {
        "w1": chance.normal(0, 0.02, (16, 3, 3, 3)),
        "w2": chance.normal(0, 0.1, (32, 16, 3, 3)),
        "w3": chance.normal(0, 0.3, (32, 1000)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w2"], ["c"], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("GlobalAveragePool", ["d"], ["e"]),
        helper.make_node("Flatten", ["e"], ["f"]),
        helper.make_node("MatMul", ["f", "w3"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 224, 224])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1000])],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()],
    )
    path, output = tmp_path / "classes.onnx", tmp_path / "classes_int8.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    options = QuantizeOptions(path, (str(shared_data / PETS),), output, frames=20, held_out=10, min_agreement=0.8)
    assert quantize_command(options) == 0
    report = json.loads(output.with_suffix(".json").read_text())
    assert report["agreement"]["kind"] == "classes"
    assert report["agreement_value"] == report["agreement"]["top1"] >= 0.8


def test_what_is_quantised_already_is_refused(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "models" / "mobilenetv2_int8.onnx"
    with pytest.raises(ModelError, match="is quantised already"):
        quantize_command(QuantizeOptions(path, (str(shared_data / PETS),), tmp_path / "a.onnx"))


def test_scenes_without_anything_are_refused(shared_data: Path, tmp_path: Path) -> None:
    options = QuantizeOptions(
        shared_data / "models" / "yolox_nano.onnx",
        (str(shared_data / PETS),),
        tmp_path / "a.onnx",
        frames=10,
        held_out=10,
        confidence=0.999,
    )
    with pytest.raises(Refused, match="nothing to compare"):
        quantize_command(options)
    assert list(tmp_path.iterdir()) == []

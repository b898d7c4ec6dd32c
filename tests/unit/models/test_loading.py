"""From a specification to a model: every way in which it can be wrong says what, where and what to do."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from penstock.contracts.frames import Affine, Fit, PixelFormat, ViewSpec
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import FailureCause, ModelDescription
from penstock.models.errors import ModelError
from penstock.models.loading import load_model
from penstock.models.motion import MotionModel
from penstock.testkit.views import ArrayViews, frame_ref

SIDE_PX = 32
PLACES = 4 * 4 + 2 * 2 + 1


def yolox_output(*rows: tuple[int, list[float]], classes: int = 2) -> Any:
    values = np.zeros((1, PLACES, 5 + classes), np.float32)
    for place, row in rows:
        values[0, place] = row
    return values


def run(spec: ModelSpec) -> Any:
    model = load_model(spec, 1)
    frame = frame_ref(width_px=320, height_px=320)
    pixels = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    view = ArrayViews().make(frame, pixels, model.description.view, Affine(10.0, 10.0, 0.0, 0.0))
    return model.run(0, view, pixels)


def test_a_detector_from_file_to_detections(write_network: Any) -> None:
    # Place 5 is column 1, row 1 of the grid with stride 8: centre (12, 12), 8 wide and e·8 high in the view.
    path = write_network({"boxes": yolox_output((5, [0.5, 0.5, 0.0, 1.0, 0.9, 0.1, 0.8]))})
    spec = ModelSpec("finder", path=str(path), class_names=("ant", "bee"))
    assert load_model(spec, 1).description == ModelDescription(
        model="finder",
        view=ViewSpec(SIDE_PX, SIDE_PX, PixelFormat.BGR24, Fit.LETTERBOX_TOP_LEFT, 114),
        weight_hash=hashlib.sha256(path.read_bytes()).hexdigest(),
        head="yolox",
        class_names=("ant", "bee"),
        device="cpu",
    )
    result = run(spec)
    assert (result.model, result.weight_hash) == ("finder", hashlib.sha256(path.read_bytes()).hexdigest())
    [detection] = result.detections.detections()
    assert (detection.class_id, detection.class_name) == (1, "bee")
    assert detection.confidence == pytest.approx(0.72)
    half = 40 * np.e
    assert detection.xyxy == pytest.approx((80, 120 - half, 160, 120 + half), abs=1e-3)


def test_confidence_and_labels_choose(write_network: Any) -> None:
    rows = [(0, [0.5, 0.5, 0, 0, 0.9, 0.5, 0]), (3, [0.5, 0.5, 0, 0, 0.9, 0, 0.9])]
    spec = ModelSpec("finder", path=str(write_network({"boxes": yolox_output(*rows)})), class_names=("ant", "bee"))

    def names(**changes: object) -> list[str]:
        found = run(msgspec.structs.replace(spec, **changes))
        return [d.class_name for d in found.detections.detections()]

    assert names() == ["bee", "ant"]
    assert names(confidence=0.5) == ["bee"]
    assert names(labels=("ant",)) == ["ant"]
    assert names(max_detections=1) == ["bee"]


def test_a_network_that_gives_no_numbers_is_a_bad_output(write_network: Any) -> None:
    path = write_network({"boxes": yolox_output((5, [np.nan] * 7))})
    with pytest.raises(ModelError, match="output boxes holds values that are not finite") as caught:
        run(ModelSpec("finder", path=str(path)))
    assert caught.value.cause is FailureCause.BAD_OUTPUT


def test_motion_needs_no_file() -> None:
    assert isinstance(load_model(ModelSpec("motion", kind="motion"), 2), MotionModel)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"kind": "tflite"}, ["no kind of model 'tflite'", "Known kinds: onnx, motion"]),
        ({"device": "tpu"}, ["device 'tpu' is not available", "Known devices: cpu"]),
        ({"path": ""}, ["no path is given", "Set `path`"]),
        ({"path": "absent.onnx"}, ["absent.onnx: no such file"]),
        ({"options": {"logit": 1.0}}, ["no option 'logit'", "Known options: logits"]),
        ({"head": "yolov8"}, ["network.onnx: YOLOv8 for 32×32 gives 1×(4+classes)×21, not boxes 1×21×7"]),
        ({"head": "ssd"}, ["network.onnx: there is no head 'ssd'", "Known heads: auto, yolox, yolov8"]),
        ({"class_names": ("ant",)}, ["class_names lists 1 names, and the network has 2 classes"]),
        ({"labels": ("be",), "class_names": ("ant", "bee")}, ["labels names 'be'", "Did you mean 'bee'?"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_named(write_network: Any, changes: dict[str, object], parts: list[str]) -> None:
    spec = ModelSpec("finder", path=str(write_network({"boxes": yolox_output()})))
    with pytest.raises(ModelError) as caught:
        load_model(msgspec.structs.replace(spec, **changes), 1)
    assert caught.value.cause is FailureCause.LOAD_FAILED
    for part in ["model finder: ", *parts]:
        assert part in str(caught.value)


def test_outputs_that_no_head_knows_are_listed(write_network: Any) -> None:
    path: Path = write_network({"scores": np.zeros((1, 1000)), "boxes": np.zeros((1, 9, 4))})
    with pytest.raises(ModelError) as caught:
        load_model(ModelSpec("finder", path=str(path)), 1)
    for part in [
        f"model finder: {path}: no head knows this network: input 32×32×3, outputs scores 1×1000, boxes 1×9×4",
        "yolox (one output 1×N×(5+classes)",
        "yolov8 (one output 1×(4+classes)×N",
        "Export it as one of these",
    ]:
        assert part in str(caught.value)

"""Every kind of network from its file to a result, on both runtimes."""

from pathlib import Path
from typing import Any

import numpy as np
import openvino  # type: ignore[import-untyped]
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, save_model
from openvino.frontend import FrontEndManager  # type: ignore[import-untyped]

from penstock.contracts.frames import Affine
from penstock.contracts.results import Result
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import FailureCause
from penstock.models.anomaly_detector import coarse
from penstock.models.errors import ModelError
from penstock.models.heads.classification import IMAGENET_MEAN, IMAGENET_STD
from penstock.models.loading import load_model
from penstock.models.model import Model
from penstock.testkit.views import ArrayViews, frame_ref

SIDE_PX = 32
NAMES = {"names": "{0: 'ant', 1: 'bee'}"}


@pytest.fixture(params=["openvino", "onnxruntime"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(model: Model, pixels: NDArray[np.uint8] | None = None) -> Result:
    """On a frame ten times the view's size, shifted by (5, 7)."""
    if pixels is None:
        pixels = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    view = ArrayViews().make(
        frame_ref(width_px=320, height_px=300), pixels, model.description.view, Affine(10.0, 10.0, 5.0, 7.0)
    )
    return model.run(0, view, pixels)


def test_an_end_to_end_detector_suppresses_nothing(write_network: Any, backend: str) -> None:
    rows = np.zeros((1, 8, 6), np.float32)
    rows[0, :4] = [[1, 2, 9, 9, 0.5, 0], [1, 2, 9, 9, 0.75, 1], [1, 2, 9, 9, 0.625, 1], [1, 2, 9, 9, 0.875, 7]]
    path = write_network({"output0": rows}, metadata=NAMES)
    model = load_model(ModelSpec("finder", path=str(path), backend=backend), 1)
    assert model.description.class_names == ("ant", "bee")
    found = run(model).detections
    assert found is not None
    # An id beyond the last name is called by its number.
    assert [(d.class_name, d.confidence) for d in found.detections()] == [
        ("7", 0.875),
        ("bee", 0.75),
        ("bee", 0.625),
        ("ant", 0.5),
    ]
    assert next(iter(found.detections())).xyxy == (15, 27, 95, 97)
    only = load_model(ModelSpec("finder", path=str(path), backend=backend, labels=("bee",), max_detections=1), 1)
    assert only.description.class_names == ("bee",)
    kept = run(only).detections
    assert kept is not None
    assert [d.class_name for d in kept.detections()] == ["bee"]
    assert kept.class_names == ("", "bee")


def test_classes_that_nobody_names_are_asked_for(write_network: Any, backend: str) -> None:
    spec = ModelSpec("finder", path=str(write_network({"out": np.zeros((1, 8, 6))})), backend=backend)
    with pytest.raises(ModelError, match=r"model finder: .*names no classes.*Give the model's class_names"):
        load_model(spec, 1)


def test_faces_with_their_landmarks_in_the_frame(write_network: Any, backend: str) -> None:
    outputs = {}
    for stride in (8, 16, 32):
        count = (SIDE_PX // stride) ** 2
        for part, columns in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{part}_{stride}"] = np.zeros((1, count, columns), np.float32)
    # Place (1, 1) of the grid with stride 16: centre (24, 20), 16 px wide and high.
    outputs["cls_16"][0, 3] = outputs["obj_16"][0, 3] = 0.75
    outputs["bbox_16"][0, 3, :2] = [0.5, 0.25]
    outputs["kps_16"][0, 3] = np.arange(10) / 10
    model = load_model(ModelSpec("faces", path=str(write_network(outputs)), backend=backend), 1)
    assert model.description.class_names == ("face",)
    found = run(model).detections
    assert found is not None
    [face] = found.detections()
    assert (face.class_name, face.confidence) == ("face", 0.75)
    assert list(face.xyxy) == [165, 127, 320, 287]
    assert found.keypoints is not None
    assert found.keypoint_count == 5
    points = np.frombuffer(found.keypoints, np.float32).reshape(1, 5, 3)
    first = [(1.0 * 16) * 10 + 5, (1.1 * 16) * 10 + 7, 0.75]
    assert points[0, 0].tolist() == pytest.approx(first)
    assert points[0, 4].tolist() == pytest.approx([1.8 * 160 + 5, 1.9 * 160 + 7, 0.75])


def test_a_classifier_states_its_best_classes(write_network: Any, backend: str) -> None:
    path = write_network({"logits": np.log(np.array([[0.125, 0.5, 0.0625, 0.3125]]))})
    spec = ModelSpec("shop", path=str(path), backend=backend, class_names=("a", "b", "c", "d"), top_k=2)
    model = load_model(spec, 1)
    assert (model.description.class_names, model.description.picture_classes) == ((), ("a", "b", "c", "d"))
    result = run(model)
    assert result.detections is None
    assert [(c.class_id, c.class_name) for c in result.classifications] == [(1, "b"), (3, "d")]
    assert [c.confidence for c in result.classifications] == pytest.approx([0.5, 0.3125], abs=1e-6)
    some = load_model(ModelSpec("shop", path=str(path), class_names=spec.class_names, labels=("d", "a")), 1)
    assert some.description.picture_classes == ("d", "a")
    assert [c.class_name for c in run(some).classifications] == ["d", "a"]


def means_of_channels(tmp_path: Path, outputs: dict[str, str]) -> Path:
    """An anomaly network that can be computed by hand: the map is the mean of the channels of each pixel.

    `outputs` are names, each with what it is: the map, its highest value, or whether that exceeds 0.5.
    """
    nodes = [helper.make_node("ReduceMean", ["input"], ["map"], axes=[1], keepdims=1)]
    nodes.append(helper.make_node("ReduceMax", ["map"], ["peak"], axes=[1, 2, 3], keepdims=0))
    nodes.append(helper.make_node("Greater", ["peak", "half"], ["exceeds"]))
    types = {"map": TensorProto.FLOAT, "peak": TensorProto.FLOAT, "exceeds": TensorProto.BOOL}
    nodes += [helper.make_node("Identity", [what], [name]) for name, what in outputs.items()]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 96, 128])],
        [helper.make_tensor_value_info(name, types[what], None) for name, what in outputs.items()],
        [numpy_helper.from_array(np.array(0.5, np.float32), "half")],
    )
    path = tmp_path / "anomaly.onnx"
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def spotted() -> NDArray[np.uint8]:
    """A dark picture with one bright pixel."""
    pixels = np.full((96, 128, 3), 51, np.uint8)
    pixels[40, 90] = [255, 204, 153]
    return pixels


def test_an_anomaly_is_scored_and_placed(tmp_path: Path, backend: str) -> None:
    names = {"pred_score": "peak", "pred_label": "exceeds", "anomaly_map": "map", "pred_mask": "exceeds"}
    model = load_model(ModelSpec("parts", path=str(means_of_channels(tmp_path, names)), backend=backend), 1)
    assert (model.description.head, model.description.signals) == ("anomaly", ("anomaly_score", "Anomalous"))
    result = run(model, spotted())
    assert result.scalars == pytest.approx({"anomaly_score": 0.8, "Anomalous": 1.0}, abs=1e-5)
    assert result.score_map is not None
    assert (result.score_map.width, result.score_map.height) == (64, 48)
    values = np.frombuffer(result.score_map.values, np.float32).reshape(48, 64)
    expected = np.full((48, 64), 0.2, np.float32)
    expected[20, 45] = 0.8
    np.testing.assert_allclose(values, expected, atol=1e-5)
    calm = run(model, np.full((96, 128, 3), 51, np.uint8))
    assert calm.scalars == pytest.approx({"anomaly_score": 0.2, "Anomalous": 0.0}, abs=1e-5)


def test_a_file_of_openvino_is_run_as_its_onnx_is(tmp_path: Path) -> None:
    names = {"pred_score": "peak", "pred_label": "exceeds", "anomaly_map": "map"}
    onnx = means_of_channels(tmp_path, names)
    frontend = FrontEndManager().load_by_framework("onnx")
    openvino.save_model(frontend.convert(frontend.load(str(onnx))), tmp_path / "parts.xml", compress_to_fp16=False)
    spec = ModelSpec("parts", path=str(tmp_path / "parts.xml"))
    model = load_model(spec, 1)
    assert run(model, spotted()).scalars == pytest.approx({"anomaly_score": 0.8, "Anomalous": 1.0}, abs=1e-5)
    (tmp_path / "parts.bin").write_bytes((tmp_path / "parts.bin").read_bytes() + b"\0")
    assert load_model(spec, 1).description.weight_hash != model.description.weight_hash
    (tmp_path / "parts.bin").unlink()
    with pytest.raises(ModelError, match=r"parts\.bin: no such file"):
        load_model(spec, 1)


def test_a_map_alone_is_of_a_picture_normalised_per_channel(tmp_path: Path, backend: str) -> None:
    path = means_of_channels(tmp_path, {"output": "map"})
    model = load_model(ModelSpec("parts", path=str(path), backend=backend), 1)
    assert model.description.signals == ("anomaly_score",)
    result = run(model, spotted())
    expected = np.mean((np.array([255, 204, 153]) - IMAGENET_MEAN) / IMAGENET_STD)
    assert result.scalars == pytest.approx({"anomaly_score": expected}, abs=1e-4)
    decided = load_model(ModelSpec("parts", path=str(path), backend=backend, options={"threshold": 1.5}), 1)
    assert run(decided, spotted()).scalars["Anomalous"] == float(expected >= 1.5)


@pytest.mark.parametrize(
    ("shape", "coarser"), [((1, 1), (1, 1)), ((64, 64), (64, 64)), ((65, 10), (33, 5)), ((256, 200), (64, 50))]
)
def test_a_coarser_map_keeps_every_peak(shape: tuple[int, int], coarser: tuple[int, int]) -> None:
    scores = np.zeros(shape, np.float32)
    scores[-1, -1] = 5
    scores[0, 0] = 7
    found = coarse(scores)
    assert found.shape == coarser
    assert (found[0, 0], found[-1, -1]) == (7, 7 if shape == (1, 1) else 5)
    assert np.count_nonzero(found) == (1 if shape == (1, 1) else 2)


@pytest.mark.parametrize(
    ("outputs", "part"),
    [
        pytest.param({"out": np.full((1, 8, 6), np.nan)}, "output out holds values that are not finite", id="boxes"),
        pytest.param({"out": np.full((1, 9), np.inf)}, "output out holds values that are not finite", id="classes"),
        pytest.param({"out": np.full((1, 1, 9, 9), np.nan)}, "output out holds values that are not finite", id="map"),
    ],
)
def test_a_network_that_gives_no_numbers(
    write_network: Any, backend: str, outputs: dict[str, NDArray[np.float32]], part: str
) -> None:
    path = write_network(outputs, metadata=NAMES if outputs["out"].ndim == 3 else {})
    model = load_model(ModelSpec("broken", path=str(path), backend=backend), 1)
    with pytest.raises(ModelError, match=part) as caught:
        run(model)
    assert caught.value.cause is FailureCause.BAD_OUTPUT

"""Every backend reads what it can, names what it cannot, and computes what the file says."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from penstock.contracts.work import FailureCause
from penstock.models.backends.backend import Backend, Layout, Normalisation, PictureInput, TensorInfo, settle_picture
from penstock.models.backends.model_file import is_statically_quantised
from penstock.models.backends.onnxruntime import OnnxRuntimeBackend
from penstock.models.backends.openvino import OpenVinoBackend
from penstock.models.errors import ModelError

PATH = Path("models/some.onnx")
RELU = [helper.make_node("Relu", ["picture"], ["output"])]


@pytest.fixture(params=[OpenVinoBackend, OnnxRuntimeBackend], ids=lambda kind: kind.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    made: Backend = request.param()
    return made


def picture(height_px: int, width_px: int, channels: int = 3, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (height_px, width_px, channels), np.uint8)


@pytest.mark.parametrize(
    ("shape", "metadata", "expected"),
    [
        pytest.param((1, 3, 416, 320), {}, (320, 416, 3, Layout.NCHW), id="fixed"),
        pytest.param((None, 3, 416, 416), {}, (416, 416, 3, Layout.NCHW), id="any batch"),
        pytest.param((1, 3, None, None), {}, (640, 640, 3, Layout.NCHW), id="any size"),
        pytest.param((1, 3, None, None), {"imgsz": "[352, 608]"}, (608, 352, 3, Layout.NCHW), id="stated sides"),
        pytest.param((1, 3, None, None), {"imgsz": "320"}, (320, 320, 3, Layout.NCHW), id="one stated side"),
        pytest.param((1, 3, None, None), {"imgsz": "?"}, (640, 640, 3, Layout.NCHW), id="nonsense stated"),
        pytest.param((1, 3, 416, None), {"imgsz": "[352, 608]"}, (608, 416, 3, Layout.NCHW), id="one open"),
        pytest.param((1, 224, 320, 3), {}, (320, 224, 3, Layout.NHWC), id="channels last"),
        pytest.param((1, 1, 90, 160), {}, (160, 90, 1, Layout.NCHW), id="grey"),
    ],
)
def test_the_picture_is_settled(
    shape: tuple[int | None, ...], metadata: dict[str, str], expected: tuple[int, int, int, Layout]
) -> None:
    settled = settle_picture(PATH, [TensorInfo("images", shape, "f32")], metadata)
    assert settled == PictureInput("images", *expected)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([], "takes 0 inputs (none)"),
        ([(1, 3, 8, 8), (1, 2)], "takes 2 inputs (in0 1×3×8×8, in1 1×2)"),
        ([(1, 3, 8)], "input in0 1×3×8 is not one picture"),
        ([(4, 3, 8, 8)], "input in0 4×3×8×8 is not one picture"),
        ([(1, 5, 8, 8)], "input in0 1×5×8×8 is not one picture"),
        ([(1, None, 8, 8)], "input in0 1×?×8×8 is not one picture"),
    ],
)
def test_what_is_no_single_picture_is_refused(shapes: list[tuple[int | None, ...]], message: str) -> None:
    inputs = [TensorInfo(f"in{i}", shape, "f32") for i, shape in enumerate(shapes)]
    with pytest.raises(ModelError, match=re.escape(f"{PATH}: ") + ".*" + re.escape(message)) as caught:
        settle_picture(PATH, inputs, {})
    assert caught.value.cause is FailureCause.LOAD_FAILED


def test_pixels_reach_the_network_normalised_and_in_its_layout(backend: Backend, write_graph: Any) -> None:
    pixels = picture(24, 40)
    file = backend.read(write_graph(RELU, (1, 3, 24, 40)))
    network = file.compile(Normalisation(mean=100.0, divisor=50.0), streams=1)
    expected = np.maximum((pixels.astype(np.float64) - 100) / 50, 0).transpose(2, 0, 1)[None]
    np.testing.assert_allclose(network.infer(0, pixels)["output"], expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 24, 40), (1, 24, 40, 3)], ids=["channels first", "channels last"])
def test_channels_are_normalised_each_by_its_own_numbers(backend: Backend, write_graph: Any, shape: Any) -> None:
    pixels = picture(24, 40)
    mean, divisor = (123.0, 50.0, 7.0), (58.0, 2.0, 255.0)
    network = backend.read(write_graph(RELU, shape)).compile(Normalisation(mean, divisor), streams=1)
    expected = np.maximum((pixels.astype(np.float64) - mean) / divisor, 0)[None]
    if shape[1] == 3:
        expected = expected.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(network.infer(0, pixels)["output"], expected, rtol=1e-5, atol=1e-5)


def test_channels_last_and_grey(backend: Backend, write_graph: Any) -> None:
    last = backend.read(write_graph(RELU, (1, 24, 40, 3))).compile(Normalisation(), 1)
    np.testing.assert_array_equal(last.infer(0, picture(24, 40))["output"][0], picture(24, 40))
    grey = backend.read(write_graph(RELU, (1, 1, 24, 40))).compile(Normalisation(), 1)
    pixels = picture(24, 40, channels=1)[..., 0]
    np.testing.assert_array_equal(grey.infer(0, pixels)["output"][0, 0], pixels)


def test_read_only_pixels_with_padded_rows_are_read_right(backend: Backend, write_graph: Any) -> None:
    network = backend.read(write_graph(RELU, (1, 3, 24, 40))).compile(Normalisation(), 1)
    pixels = picture(24, 64)[:, :40]
    pixels.flags.writeable = False
    np.testing.assert_array_equal(network.infer(0, pixels)["output"][0], pixels.transpose(2, 0, 1))


def test_streams_have_their_own_buffers(backend: Backend, write_graph: Any) -> None:
    network = backend.read(write_graph(RELU, (1, 3, 24, 40))).compile(Normalisation(), streams=2)
    first = network.infer(0, picture(24, 40, seed=1))["output"]
    second = network.infer(1, picture(24, 40, seed=2))["output"]
    np.testing.assert_array_equal(first[0], picture(24, 40, seed=1).transpose(2, 0, 1))
    np.testing.assert_array_equal(second[0], picture(24, 40, seed=2).transpose(2, 0, 1))


def test_computation_is_in_full_precision(backend: Backend, write_graph: Any) -> None:
    # 1/3 of 257 needs more than the 8 bits of mantissa that bf16 has.
    nodes = [
        helper.make_node("Constant", [], ["factor"], value_floats=[1 / 3]),
        helper.make_node("Mul", ["picture", "factor"], ["scaled"]),
        helper.make_node("Constant", [], ["offset"], value_floats=[1000.0]),
        helper.make_node("Add", ["scaled", "offset"], ["output"]),
    ]
    network = backend.read(write_graph(nodes, (1, 3, 8, 8))).compile(Normalisation(), 1)
    assert network.infer(0, np.full((8, 8, 3), 1, np.uint8))["output"].max() == pytest.approx(1000 + 1 / 3, abs=1e-3)


def test_metadata_and_outputs_are_told(backend: Backend, write_network: Any) -> None:
    path = write_network(
        {"boxes": np.zeros((1, 7, 42)), "rest": np.zeros((1, 3))},
        metadata={"task": "detect", "imgsz": "[32, 64]"},
        input_shape=("batch", 3, "height", "width"),
    )
    file = backend.read(path)
    assert file.metadata["task"] == "detect"
    assert (file.picture.width_px, file.picture.height_px) == (64, 32)
    assert [(info.name, info.shape) for info in file.outputs] == [("boxes", (1, 7, 42)), ("rest", (1, 3))]


def test_open_sizes_are_carried_through_to_the_outputs(backend: Backend, write_graph: Any) -> None:
    file = backend.read(write_graph(RELU, ("batch", 3, "height", "width")))
    assert [info.shape for info in file.outputs] == [(1, 3, 640, 640)]


def test_a_network_that_cannot_take_the_settled_size_is_refused(backend: Backend, write_graph: Any) -> None:
    nodes = [
        helper.make_node("Constant", [], ["fixed"], value_floats=[0.0] * 7),
        helper.make_node("Add", ["picture", "fixed"], ["output"]),
    ]
    with pytest.raises(ModelError, match=r"does not accept a picture of 640×640 .*fixed input size") as caught:
        backend.read(write_graph(nodes, (1, 3, "height", "width")))
    assert caught.value.cause is FailureCause.LOAD_FAILED


def unreadable(path: Path, write_graph: Any) -> str:
    what = path.name
    match what:
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "text":
            path.write_text("not a network\n" * 50)
        case "cut short":
            whole = write_graph(RELU, (1, 3, 24, 40)).read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
        case "operator":
            write_graph([helper.make_node("Frobnicate", ["picture"], ["output"], domain="example.ops")], name=what)
    return what


@pytest.mark.parametrize(
    ("what", "parts"),
    [
        ("absent", ["no such file", "Check the model's path"]),
        ("folder", ["is a folder", "Give an .onnx file"]),
        ("empty", ["the file is empty", "Give an .onnx file"]),
        ("text", ["is no ONNX file", "Give an .onnx file"]),
        ("cut short", ["is no ONNX file, or a damaged one", "downloaded or exported again"]),
        ("operator", ["cannot run it", "Frobnicate", "standard ONNX operators"]),
    ],
)
def test_what_is_no_network_is_named(
    backend: Backend,
    what: str,
    parts: list[str],
    tmp_path: Path,
    write_graph: Any,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / what
    unreadable(path, write_graph)
    with pytest.raises(ModelError) as caught:
        backend.read(path)
    assert caught.value.cause is FailureCause.LOAD_FAILED
    for part in [str(path), *parts]:
        assert part in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_file_that_may_not_be_read_is_named(
    backend: Backend, tmp_path: Path, write_graph: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    path = write_graph(RELU)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelError, match=r"cannot be read \(Permission denied\)\. Check the file's permissions"):
        backend.read(path)


@pytest.mark.parametrize(
    ("operators", "expected"),
    [
        (("Conv", "Relu"), False),
        (("QuantizeLinear", "DequantizeLinear", "Conv"), True),
        (("QLinearConv",), True),
        (("DynamicQuantizeLinear", "ConvInteger", "DequantizeLinear"), False),
    ],
)
def test_fixed_quantisation_shows_in_the_file(operators: tuple[str, ...], expected: bool, tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    graph = helper.make_graph([helper.make_node(name, ["a"], ["b"]) for name in operators], "graph", [], [])
    path.write_bytes(helper.make_model(graph).SerializeToString())
    assert is_statically_quantised(path) is expected

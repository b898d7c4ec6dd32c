"""What a file says, against the ONNX library's own reading of it; damage never crashes the reader."""

import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from penstock.models.backends.backend import TensorInfo
from penstock.models.errors import ModelError
from penstock.models.inspection import inspect_model
from penstock.models.onnx_summary import read_summary

WriteNetwork = Any


def test_a_network_is_read_as_the_library_does(write_network: WriteNetwork) -> None:
    path = write_network({"out": np.zeros((1, 21, 6))}, metadata={"names": "{0: 'ä'}"})
    model = onnx.load(str(path))
    summary = read_summary(path)
    assert summary.ir_version == model.ir_version
    assert summary.opsets == {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    assert summary.inputs == (TensorInfo("picture", (1, 3, 32, 32), "float32"),)
    assert [info.name for info in summary.outputs] == ["out"]
    assert summary.operators == {"ReduceMean": 1, "Mul": 1, "Add": 1}
    assert summary.parameters == sum(math.prod(weight.dims) for weight in model.graph.initializer) == 1 + 126
    assert summary.weight_types == {"float32": 127}
    assert summary.metadata == {"names": "{0: 'ä'}"}
    assert summary.quantisation == "none"


def test_open_dimensions_and_weights_among_the_inputs(tmp_path: Path) -> None:
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT16, ["batch", 3, None, 8])
    weight = helper.make_tensor_value_info("w", TensorProto.FLOAT16, [3])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT16, None)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["picture"], ["output"])], "g", [picture, weight], [output],
        [numpy_helper.from_array(np.zeros(3, np.float16), "w")],
    )  # fmt: skip
    path = tmp_path / "a.onnx"
    onnx.save(helper.make_model(graph), str(path))
    summary = read_summary(path)
    assert summary.inputs == (TensorInfo("picture", (None, 3, None, 8), "float16"),)
    assert summary.outputs == (TensorInfo("output", (), "float16"),)


@pytest.mark.parametrize(
    ("operators", "kind"),
    [
        (["Conv"], "none"),
        (["QuantizeLinear", "DequantizeLinear"], "static"),
        (["QLinearConv"], "static"),
        (["DynamicQuantizeLinear", "DequantizeLinear"], "dynamic"),
    ],
)
def test_quantisation_is_told_by_operators(operators: list[str], kind: str, tmp_path: Path) -> None:
    nodes = [helper.make_node(name, ["x"], [f"y{i}"]) for i, name in enumerate(operators)]
    path = tmp_path / "a.onnx"
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [])), str(path))
    assert read_summary(path).quantisation == kind


@pytest.mark.parametrize("content", [b"", b"not a model", b"<html></html>", b"\x08\x07", b"\x3a\xff\xff\xff\xff\x0f"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"a\.onnx: (the file is empty|is no ONNX file)"):
        read_summary(path)


_GOOD = helper.make_model(
    helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(np.zeros((2, 2), np.float32), "w")],
    )
).SerializeToString()  # fmt: skip


@given(st.integers(0, len(_GOOD) - 1), st.integers(0, 255), st.integers(0, len(_GOOD)))
def test_damage_is_an_error_or_another_reading(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, length: int
) -> None:
    damaged = bytearray(_GOOD)
    damaged[place] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(damaged[:length] or b"\0")
    # Anything but a reading or ModelError (a crash of the reader, an endless loop) fails the test.
    with contextlib.suppress(ModelError):
        assert read_summary(path).opsets


def test_inspection_says_what_would_be_done(write_network: WriteNetwork) -> None:
    known = inspect_model(write_network({"out": np.zeros((1, 21, 6))}, name="known.onnx"))
    assert known.recognised is not None
    assert known.recognised.head == "yolox"
    assert known.why_not == ""
    assert known.snippet == f"models:\n  known:\n    path: {known.path}\n"
    unknown = inspect_model(write_network({"out": np.zeros((7, 7))}, name="unknown.onnx"))
    assert unknown.recognised is None
    assert "no head knows this network" in unknown.why_not
    assert unknown.snippet == ""
    assert {"yolox", "yolov8"} <= {head.name for head in unknown.heads}

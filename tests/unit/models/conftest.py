"""Tiny ONNX files, made on the spot."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]
WriteNetwork = Callable[..., Path]


@pytest.fixture
def write_network(tmp_path: Path) -> WriteNetwork:
    """Writes a network whose outputs are constants (plus 0 × the mean of its input, so that it has to run)."""

    def write(
        outputs: dict[str, NDArray[np.float32]],
        input_shape: Shape = (1, 3, 32, 32),
        metadata: dict[str, str] | None = None,
        name: str = "network.onnx",
    ) -> Path:
        nodes = [
            helper.make_node("ReduceMean", ["picture"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        ]
        initializers = [numpy_helper.from_array(np.zeros((), np.float32), "zero")]
        for output, values in outputs.items():
            initializers.append(numpy_helper.from_array(values.astype(np.float32), f"{output}_values"))
            nodes.append(helper.make_node("Add", [f"{output}_values", "nothing"], [output]))
        return save(nodes, initializers, input_shape, list(outputs), tmp_path / name, metadata)

    return write


@pytest.fixture
def write_graph(tmp_path: Path) -> WriteNetwork:
    """Writes a network of the given nodes, from `picture` to `output`."""

    def write(nodes: list[onnx.NodeProto], input_shape: Shape = (1, 3, 32, 32), name: str = "graph.onnx") -> Path:
        return save(nodes, [], input_shape, ["output"], tmp_path / name, None)

    return write


def save(
    nodes: list[onnx.NodeProto],
    initializers: list[onnx.TensorProto],
    input_shape: Shape,
    outputs: list[str],
    path: Path,
    metadata: dict[str, str] | None,
) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, list(input_shape))],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in outputs],
        initializers,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("example.ops", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, str(path))
    return path

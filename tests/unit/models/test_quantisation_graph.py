"""What is done to graphs before and after quantising keeps their values."""

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from penstock.models.quantisation.graph import (
    concatenations,
    last_layers,
    opset_of,
    prepared,
    set_metadata,
    with_unsigned_activations,
)


def detector(opset: int = 11) -> ModelProto:
    """conv → two heads → sigmoid on one → concat."""
    weights = [numpy_helper.from_array(np.ones((2, 2, 1, 1), np.float32), name) for name in ("w0", "w1", "w2")]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], name="backbone"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "w1"], ["box"], name="boxes"),
        helper.make_node("Conv", ["b", "w2"], ["logit"], name="logits"),
        helper.make_node("Sigmoid", ["logit"], ["score"], name="scores"),
        helper.make_node("Concat", ["box", "score"], ["y"], axis=1, name="joined"),
    ]
    shape = [1, 2, 4, 4]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 4, 4])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def test_preparing_names_everything_and_lifts_the_opset() -> None:
    model = detector()
    set_metadata(model, [("names", "a"), ("names", "b"), ("task", "detect")])
    ready = prepared(model)
    assert opset_of(ready) == 13
    assert len({node.name for node in ready.graph.node}) == len(ready.graph.node)
    assert all(node.name for node in ready.graph.node)
    assert {entry.key: entry.value for entry in ready.metadata_props} == {"names": "b", "task": "detect"}
    assert opset_of(prepared(detector(17))) == 17


def test_last_layers_end_at_weights() -> None:
    model = detector()
    assert set(last_layers(model)) == {"joined", "boxes", "scores", "logits"}
    assert concatenations(model) == ["joined"]


def test_unsigned_activations_state_the_same_values() -> None:
    def scalar(value: float, dtype: type, name: str) -> TensorProto:
        return numpy_helper.from_array(np.array(value, dtype), name)

    weights = np.arange(-8, 8, dtype=np.int8).reshape(4, 4, 1, 1)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["dw"]),
        helper.make_node("Conv", ["d", "dw"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 3, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 3, 3])],
        [
            scalar(0.03, np.float32, "s"),
            scalar(-100, np.int8, "z"),
            numpy_helper.from_array(weights, "w"),
            scalar(0.1, np.float32, "ws"),
            scalar(0, np.int8, "wz"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    x = np.random.default_rng(1).normal(2, 2, (1, 4, 3, 3)).astype(np.float32)
    before = run(model, x)
    changed = with_unsigned_activations(model)
    types = {entry.name: entry.data_type for entry in changed.graph.initializer}
    assert types["z"] == TensorProto.UINT8
    assert types["wz"] == types["w"] == TensorProto.INT8
    onnx.checker.check_model(changed)
    np.testing.assert_array_equal(run(changed, x), before)


def run(model: ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])

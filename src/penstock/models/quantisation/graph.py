"""What must be done to an ONNX graph before and after NNCF for its result to be right, and fast, in OpenVINO.

Before: opset 13, so that weights get one scale per channel; names for all operators; the last layers left in float, for
their outputs are coordinates and scores in one tensor (measured with YOLOX-nano: mean IoU with float boxes 0.97
instead of 0.95, at no cost in time); concatenations left out too, for converting their parts to one scale takes longer
than it saves (a tenth of a call).

After: activations as unsigned numbers. NNCF writes signed ones with a zero point, which ONNX Runtime computes
correctly, while OpenVINO's low-precision passes (2026.4) give wrong results for some convolutions behind them (measured
with YOLOX-nano: recall 0.01 instead of 0.99). Both zero point and numbers shifted by 128 state the same values.
"""

from collections.abc import Iterable

import numpy as np
import onnx
import onnx.version_converter
from onnx import ModelProto, NodeProto, numpy_helper

PER_CHANNEL_OPSET = 13
_WEIGHTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def opset_of(model: ModelProto) -> int:
    """Version of the standard operators."""
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)


def prepared(model: ModelProto) -> ModelProto:
    """`model` with named operators and opset 13 or newer; older where the converter does not know an operator."""
    if opset_of(model) < PER_CHANNEL_OPSET:
        try:
            metadata = list(model.metadata_props)
            model = onnx.version_converter.convert_version(model, PER_CHANNEL_OPSET)
            del model.metadata_props[:]
            model.metadata_props.extend(metadata)
        except RuntimeError:
            # Then weights get one scale per tensor; whether that is good enough is measured.
            pass
    taken: set[str] = set()
    for number, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_penstock_{number}"
        taken.add(node.name)
    return model


def last_layers(model: ModelProto) -> list[str]:
    """Names of the operators from the last layers with weights to the outputs, those layers included."""
    made_by = {output: node for node in model.graph.node for output in node.output}
    found: dict[str, NodeProto] = {}
    waiting = [output.name for output in model.graph.output]
    while waiting:
        node = made_by.get(waiting.pop())
        if node is None or node.name in found:
            continue
        found[node.name] = node
        if node.op_type not in _WEIGHTED:
            waiting.extend(node.input)
    return list(found)


def concatenations(model: ModelProto) -> list[str]:
    """Names of the operators that join tensors."""
    return [node.name for node in model.graph.node if node.op_type == "Concat"]


def with_unsigned_activations(model: ModelProto) -> ModelProto:
    """`model` with every int8 activation as uint8, shifted by 128: the same values."""
    quantised = {node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    of_activations = {
        node.input[2]
        for node in model.graph.node
        if len(node.input) > 2
        and (node.op_type == "QuantizeLinear" or (node.op_type == "DequantizeLinear" and node.input[0] in quantised))
    }
    for initializer in model.graph.initializer:
        if initializer.name in of_activations and initializer.data_type == onnx.TensorProto.INT8:
            signed = numpy_helper.to_array(initializer).astype(np.int16)
            initializer.CopyFrom(numpy_helper.from_array((signed + 128).astype(np.uint8), initializer.name))
    # Types that were inferred before are wrong now, and nobody needs them.
    del model.graph.value_info[:]
    return model


def set_metadata(model: ModelProto, entries: Iterable[tuple[str, str]]) -> None:
    """Writes metadata beside the weights, over what stood there under the same keys."""
    new = dict(entries)
    kept = [(entry.key, entry.value) for entry in model.metadata_props if entry.key not in new]
    del model.metadata_props[:]
    for key, value in [*kept, *new.items()]:
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value

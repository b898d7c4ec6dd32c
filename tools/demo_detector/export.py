"""Writes the network as ONNX in the form that exporters of YOLO networks use, names of classes beside the weights."""

import copy
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
from onnx import helper
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from demo_detector.network import STRIDES_PX, Exported, Network

OPSET = 17


def write_onnx(network: Network, path: Path, width_px: int, height_px: int, metadata: Mapping[str, str]) -> None:
    """Batch normalisation is folded into the convolutions; input `images` 1×3×H×W RGB in 0–1, output `output0`."""
    exported = Exported(_folded(copy.deepcopy(network).eval()), width_px, height_px).eval()
    exported = exported.to(memory_format=torch.contiguous_format)
    with torch.no_grad():
        torch.onnx.export(
            exported,
            (torch.zeros(1, 3, height_px, width_px),),
            str(path),
            input_names=["images"],
            output_names=["output0"],
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    model.doc_string = metadata.get("description", "")
    _shorten_names(model)
    helper.set_model_props(
        model, {"stride": str(max(STRIDES_PX)), "imgsz": str([height_px, width_px]), "task": "detect", **metadata}
    )
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _folded(module: nn.Module) -> nn.Module:
    for name, child in module.named_children():
        if isinstance(child, nn.Sequential) and len(child) == 3 and isinstance(child[1], nn.BatchNorm2d):
            setattr(module, name, nn.Sequential(fuse_conv_bn_eval(child[0], child[1]), child[2]))
        else:
            _folded(child)
    return module


def _shorten_names(model: onnx.ModelProto) -> None:
    """The exporter writes a path of modules into every node: a few kilobytes that nobody reads."""
    renamed: dict[str, str] = {}
    kept = {value.name for value in [*model.graph.input, *model.graph.output]}
    for number, node in enumerate(model.graph.node):
        node.name, node.doc_string = f"{node.op_type.lower()}{number}", ""
        del node.metadata_props[:]
        for i, output in enumerate(node.output):
            if output not in kept:
                renamed[output] = f"t{number}" if i == 0 else f"t{number}.{i}"
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    del model.graph.value_info[:]

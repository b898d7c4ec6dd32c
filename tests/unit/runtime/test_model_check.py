"""A model that cannot work is told of by its configuration, without loading it."""

import json
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from penstock.config.loader import load_config
from penstock.config.problems import ConfigError
from penstock.runtime.model_check import check_model
from penstock.runtime.rule_check import check_rule

PLUGIN = """
from somewhere_else import Borrowed

class Lamp:
    def predict(self, picture):
        return ()

Shade = Borrowed
"""
BAD = {
    "a device": (
        {"path": "cups.onnx", "device": "cuda"},
        "models.m.device",
        "device 'cuda' is not available; known devices: cpu",
    ),
    "a head": (
        {"path": "cups.onnx", "head": "yunett"},
        "models.m.head",
        "there is no head 'yunett'; did you mean yunet?",
    ),
    "a label": (
        {"path": "cups.onnx", "labels": ["cup", "mugg"]},
        "models.m.labels[1]",
        "labels names 'mugg', which is no class of this model; did you mean 'mug'?",
    ),
    "too few names": (
        {"path": "cups.onnx", "class_names": ["cup"]},
        "models.m.class_names",
        "class_names lists 1 names, and the network has 2 classes; list one name per class",
    ),
    "a class": ({"kind": "python", "plugin": "lamp.py:Lampp"}, "models.m.plugin", "there is no class 'Lampp' in"),
    "not Python": ({"kind": "python", "plugin": "torn.py:Lamp"}, "models.m.plugin", "torn.py, line 1: "),
}
GOOD = {
    "a network": {"path": "cups.onnx", "device": "CPU", "labels": ["mug"]},
    "a network with an open batch": {"path": "open.onnx", "labels": ["mug"]},
    "a network with open outputs": {"path": "unknown.onnx", "labels": ["anything"]},
    "a class": {"kind": "python", "plugin": "lamp.py:Lamp"},
    "a class of another file": {"kind": "python", "plugin": "lamp.py:Borrowed"},
    "a class by another name": {"kind": "python", "plugin": "lamp.py:Shade"},
}


def write_network(path: Path, batch: int | str, rows: int | str = 84) -> None:
    """Outputs as those of a YOLOv8 of two classes, in shape alone."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["images"], ["output0"])],
        "cups",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [batch, 3, 64, 64])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [batch, 6, rows])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"names": "{0: 'cup', 1: 'mug'}", "task": "detect"})
    onnx.save(model, path)


def write_classifier(path: Path) -> None:
    """A probability for each of two classes, and no boxes."""
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("Softmax", ["flat"], ["output0"]),
        ],
        "kinds",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"names": "{0: 'cup', 1: 'mug', 2: 'none'}", "task": "classify"})
    onnx.save(model, path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_network(tmp_path / "cups.onnx", 1)
    write_network(tmp_path / "open.onnx", "batch")
    write_network(tmp_path / "unknown.onnx", 1, "rows")
    (tmp_path / "lamp.py").write_text(PLUGIN)
    (tmp_path / "torn.py").write_text("class Lamp(\n")
    return tmp_path


def told(folder: Path, model: dict[str, object], rule: str = "", *, files: bool = True) -> str:
    data = {
        "cameras": {"front": {"url": "rtsp://10.0.0.5/x"}},
        "models": {"m": model},
        "rules": {"r": rule} if rule else {},
    }
    file = folder / "penstock.yaml"
    file.write_text(json.dumps(data))
    try:
        load_config(file, {}, rule_check=check_rule, model_check=check_model, files=files)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("model", "path", "words"), BAD.values(), ids=BAD)
def test_a_model_that_cannot_work(folder: Path, model: dict[str, object], path: str, words: str) -> None:
    found = told(folder, model)
    assert f": {path}: " in found
    assert words in found


@pytest.mark.parametrize("model", GOOD.values(), ids=GOOD)
def test_a_model_that_may_work(folder: Path, model: dict[str, object]) -> None:
    assert told(folder, model) == ""


def test_files_are_let_be_where_they_are_not_to_be_looked_at(folder: Path) -> None:
    assert told(folder, {"path": "cups.onnx", "labels": ["mugg"]}, files=False) == ""
    assert "no head 'yunett'" in told(folder, {"path": "cups.onnx", "head": "yunett"}, files=False)


def test_rules_are_asked_with_the_classes_of_the_file(folder: Path) -> None:
    assert told(folder, {"path": "cups.onnx"}, "count(mug) >= 1") == ""
    assert "knows a class 'mugg'; did you mean 'mug'?" in told(folder, {"path": "cups.onnx"}, "count(mugg) >= 1")
    assert "knows a class 'cup'" in told(folder, {"path": "cups.onnx", "labels": ["mug"]}, "count(cup) >= 1")


def test_a_misspelt_label_is_no_class_to_be_meant(folder: Path) -> None:
    found = told(folder, {"path": "cups.onnx", "labels": ["mugg"]}, "count(mug) >= 1")
    assert "did you mean 'mugg'" not in found
    assert "labels names 'mugg'" in found


def test_crops_of_a_network_that_finds_no_boxes_are_refused_with_their_line(folder: Path) -> None:
    write_classifier(folder / "kinds.onnx")
    file = folder / "penstock.yaml"
    text = """cameras: {front: {url: rtsp://10.0.0.5/x}}
models:
  finder: {path: kinds.onnx}
  cups:
    path: cups.onnx
    crops: {of: finder}
"""
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"penstock\.yaml:6:\d+: models\.cups\.crops\.of: 'finder' judges whole"):
        load_config(file, {}, rule_check=check_rule, model_check=check_model)
    file.write_text(text.replace("kinds.onnx", "open.onnx"))
    assert load_config(file, {}, rule_check=check_rule, model_check=check_model).config.models["cups"].crops

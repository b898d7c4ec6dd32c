"""The Python class of the documentation does its work in `penstock run`, beside others that do everything wrong.

One camera is looked at by all of them: a lamp that goes on and off, drawn and encoded here, played over and over.
"""

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from aftermath import assert_books
from lamp_film import write_lamp_film
from onnx import TensorProto, helper, numpy_helper, save_model
from running import Running

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
CAMERA = "yard"
FPS, SECONDS, LIT_S = 10, 6, (1.0, 4.0)
HANG_TIMEOUT = "1500ms"

BAD = {
    "raises": """
class Raises:
    class_names = ("ghost",)
    def predict(self, picture, context):
        raise ValueError("the lamp is broken")
""",
    "nan": """
class Nan:
    class_names = ("ghost",)
    def predict(self, picture, context):
        return [((0, 0, 10, float("nan")), 0.9, "ghost")]
""",
    "hangs": """
import time
class Hangs:
    signals = ("waited",)
    def predict(self, picture, context):
        if context.seq > 20:
            time.sleep(3600)
        return {"scalars": {"waited": 0}}
""",
    "crashes": """
import os
class Crashes:
    signals = ("alive",)
    def predict(self, picture, context):
        os._exit(7)
""",
    "unmade": """
class Unmade:
    class_names = ("ghost",)
    def __init__(self):
        raise OSError("no weights")
    def predict(self, picture, context):
        return []
""",
}
SAID = [
    r"model failed \(raised\): plugin \S+raises\.py:Raises: predict raised ValueError: the lamp is broken",
    r"the lamp is broken \(raises\.py, line 5\)",
    r"model failed \(bad_output\): plugin \S+nan\.py:Nan: predict gave xyxy that are not finite numbers",
    r"not finite numbers\. Return no NaN and no infinity",
    r"model failed \(bad_output\): output out holds values that are not finite numbers",
    r"not loaded: model unmade: plugin \S+unmade\.py:Unmade: its constructor raised OSError: no weights",
]


def example() -> str:
    """The class that the documentation shows."""
    code = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert code is not None
    return code[1]


def write_nan_network(path: Path) -> None:
    """An end-to-end detector whose every number is NaN."""
    nodes = [
        helper.make_node("ReduceMean", ["picture"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "nothing"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "nan",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 5, 6])],
        [numpy_helper.from_array(np.full((1, 5, 6), np.nan, np.float32), "nothing")],
    )
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


class Story(NamedTuple):
    before: dict[str, int]
    after: dict[str, int]
    fates: dict[str, dict[str, float]]
    """of each model, by fate"""
    log: str
    events: list[dict[str, Any]]
    report: dict[str, Any]
    run: Running


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("plugins")
    write_lamp_film(folder / "lamp.mp4", fps=FPS, seconds=SECONDS, lit_s=LIT_S)
    write_nan_network(folder / "nan.onnx")
    (folder / "lamp.py").write_text(example(), encoding="utf-8")
    for name, code in BAD.items():
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    config: dict[str, Any] = {
        "cameras": {CAMERA: {"url": "lamp.mp4", "record": {"enabled": False}, "motion": {"enabled": False}}},
        "models": {
            "lamp": {"kind": "python", "plugin": "lamp.py:Lamp", "parameters": {"level": 180}},
            "motion": {"kind": "motion"},
            "numbers": {"path": "nan.onnx", "class_names": ["ghost"]},
            **{name: {"kind": "python", "plugin": f"{name}.py:{name.capitalize()}"} for name in BAD},
        },
        "executors": {"cpu": {"hang_timeout": HANG_TIMEOUT}},
        "rules": {
            "lamp-on": "count(lamp) >= 1 for 1s",
            "bright": "brightness > 0.1 for 500ms",
            "level": "MotionLevel > 0 for 200ms",
            "ghosts": "count(ghost) >= 1",
        },
    }
    with Running(folder, config) as run:
        run.wait_event("lamp-on")
        run.wait_event("bright")
        run.wait_event("level")
        before = run.children()
        run.wait_for("another executor for the class that hangs", lambda: replaced(run, before, "hangs"), 60)
        run.wait_for("every message", lambda: all(re.search(said, run.log()) for said in SAID), 30)
        lit = sum(event["rule"] == "lamp-on" and event["revision"] == 1 for event in run.events())
        run.wait_for(
            "the lamp, another time",
            lambda: sum(e["rule"] == "lamp-on" and e["revision"] == 1 for e in run.events()) > lit,
            30,
        )
        metrics = run.metrics()
        fates = {
            model: {
                fate: metrics.total("lane_frames_total", camera=CAMERA, model=model, fate=fate)
                for fate in ("analysed", "model_failed")
            }
            for model in config["models"]
        }
        after = run.children()
        assert run.stop(signal.SIGTERM).code == 0
        run.assert_nothing_left()
        for model, counts in fates.items():
            print(f"{model}: {counts}")
        yield Story(before, after, fates, run.log(), run.events(), run.report(), run)


def replaced(run: Running, before: dict[str, int], model: str) -> bool:
    name = f"executor-python-{model}"
    return run.children().get(name) not in (None, before.get(name))


def test_the_class_of_the_documentation_opens_events(story: Story) -> None:
    first = next(event for event in story.events if event["rule"] == "lamp-on")
    [term] = first["reason"]["terms"]
    assert (term["text"], term["value"]) == ("count(lamp) >= 1", "1")
    assert story.fates["lamp"]["analysed"] > 20
    assert story.fates["lamp"]["model_failed"] == 0


def test_what_is_wrong_with_each_is_said(story: Story) -> None:
    for said in SAID:
        assert re.search(said, story.log), said


@pytest.mark.parametrize("model", ["raises", "nan", "numbers", "hangs", "crashes"])
def test_its_frames_end_as_failed(story: Story, model: str) -> None:
    assert story.fates[model]["model_failed"] >= 1
    if model not in ("hangs",):
        assert story.fates[model]["analysed"] == 0


def test_nothing_of_it_reaches_a_rule(story: Story) -> None:
    assert not [event for event in story.events if event["rule"] == "ghosts"]


def test_the_others_never_notice(story: Story) -> None:
    for name in ("executor-python-lamp", "executor-cpu", "executor-python-raises", "ingest-0", "engine"):
        assert story.after[name] == story.before[name], name
    assert story.after["executor-python-hangs"] != story.before["executor-python-hangs"]
    assert story.fates["motion"]["model_failed"] == story.fates["lamp"]["model_failed"] == 0


def test_the_books_balance(story: Story) -> None:
    assert_books(story.report)

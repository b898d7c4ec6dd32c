"""Several views in one call: the same answers as one by one, as many at a time as the model takes."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from penstock.base.clock import SimulatedClock
from penstock.contracts.frames import PixelFormat, View, ViewSpec
from penstock.contracts.results import Result
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import ModelDescription, OutcomeStatus, Work
from penstock.models.backends.backend import MAX_BATCH, Normalisation
from penstock.models.backends.onnxruntime import OnnxRuntimeBackend
from penstock.models.backends.openvino import OpenVinoBackend
from penstock.models.errors import ModelError
from penstock.models.executor import ModelExecutor
from penstock.models.model import BatchModel, Pixels
from penstock.models.plugin import load_plugin
from penstock.testkit.models import loader
from penstock.testkit.views import ArrayViews, frame_ref

PATIENCE_S = 20.0


def network(path: Path, batch: int | str) -> Path:
    """The mean of each picture's channels, times a weight: 3 numbers per picture."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["picture"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Mul", ["flat", "weight"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [batch, 3, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, 3])],
        [numpy_helper.from_array(np.array([1, 2, 3], np.float32), "weight")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def pictures(count: int) -> list[Any]:
    chance = np.random.default_rng(7)
    return [chance.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(count)]


def test_an_open_batch_dimension_takes_several_pictures_and_gives_each_its_own_outputs(tmp_path: Path) -> None:
    file = OnnxRuntimeBackend().read(network(tmp_path / "open.onnx", "batch"))
    compiled = file.compile(Normalisation(mean=10.0, divisor=2.0), 1)
    assert compiled.max_batch == MAX_BATCH
    shown = pictures(5)
    together = compiled.infer_batch(0, shown)
    for picture, outputs in zip(shown, together, strict=True):
        assert outputs["scores"].shape == (1, 3)
        expected = (picture.reshape(-1, 3).astype(np.float64).mean(axis=0) - 10) / 2 * [1, 2, 3]
        np.testing.assert_allclose(outputs["scores"][0], expected, rtol=1e-5)
    # Fewer after more: what an earlier call left in the buffer is not looked at.
    np.testing.assert_array_equal(compiled.infer(0, shown[1])["scores"], together[1]["scores"])
    with pytest.raises(ValueError, match="takes 8 pictures a call, not 9"):
        compiled.infer_batch(0, pictures(9))


@pytest.mark.parametrize("backend", [OnnxRuntimeBackend(), OpenVinoBackend()], ids=["onnxruntime", "openvino"])
def test_a_settled_batch_dimension_takes_one(tmp_path: Path, backend: Any) -> None:
    compiled = backend.read(network(tmp_path / "one.onnx", 1)).compile(Normalisation(), 1)
    assert compiled.max_batch == 1
    (alone,) = compiled.infer_batch(0, pictures(1))
    assert alone["scores"].shape == (1, 3)
    with pytest.raises(ValueError, match="not 2"):
        compiled.infer_batch(0, pictures(2))


PLUGIN = """
class Model:
    view = {"width": 4, "height": 4, "format": "gray8"}
    signals = ("level",)
    max_batch = 3

    def predict(self, picture, context):
        return {"scalars": {"level": float(picture.mean())}}

    def predict_batch(self, pictures, contexts):
        assert [context.seq for context in contexts] == sorted(context.seq for context in contexts)
        return ANSWERS
"""


def plugin(tmp_path: Path, answers: str, text: str = PLUGIN) -> Any:
    path = tmp_path / "batched.py"
    path.write_text(text.replace("ANSWERS", answers), encoding="utf-8")
    return load_plugin(ModelSpec("batched", kind="python", plugin=f"{path}:Model"), 1)


def test_a_class_may_take_several_pictures(tmp_path: Path) -> None:
    model = plugin(tmp_path, "[self.predict(p, c) for p, c in zip(pictures, contexts)]")
    assert model.description.max_batch == 3
    views = ArrayViews()
    shown = [views.blank(frame_ref("door", seq=seq), 4, 4) for seq in (1, 2)]
    results = model.run_batch(0, shown, [np.full((4, 4), 10, np.uint8), np.full((4, 4), 30, np.uint8)])
    assert [result.scalars["level"] for result in results] == [10.0, 30.0]
    assert [result.frame.id.seq for result in results] == [1, 2]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ("[{}]", "gave 1 answers for 2 pictures. Give back a list with one answer per picture"),
        ("3", "gave int for 2 pictures"),
        ("[{}, {'scalars': 4}]", "scalars"),
        ("[1 / 0]", "ZeroDivisionError"),
    ],
)
def test_what_a_batch_gives_back_wrongly_is_named(tmp_path: Path, answers: str, message: str) -> None:
    model = plugin(tmp_path, answers)
    views = ArrayViews()
    shown = [views.blank(frame_ref("door", seq=seq), 4, 4) for seq in (1, 2)]
    with pytest.raises(ModelError, match=message):
        model.run_batch(0, shown, [np.zeros((4, 4), np.uint8)] * 2)


@pytest.mark.parametrize(
    ("said", "message"),
    [("0", "max_batch is 0. Give a whole number"), ("True", "max_batch is True"), ("65", "from 1 to 64")],
)
def test_a_class_that_says_nonsense_of_its_batches_is_refused(tmp_path: Path, said: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        plugin(tmp_path, "[]", PLUGIN.replace("max_batch = 3", f"max_batch = {said}"))


def test_a_class_that_takes_batches_needs_the_method(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no method predict_batch"):
        plugin(tmp_path, "[]", PLUGIN.replace("def predict_batch", "def predict_many"))


class Counting:
    """Keeps how many views came with each call."""

    def __init__(self, max_batch: int) -> None:
        view = ViewSpec(2, 2, PixelFormat.GRAY8)
        self.description = ModelDescription("counting", view, "0", "none", (), "cpu", max_batch=max_batch)
        self.calls: list[int] = []

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:
        self.calls.append(1)
        return Result("counting", "0", view.frame)

    def run_batch(self, stream: int, views: Any, pixels: Any) -> list[Result]:
        self.calls.append(len(views))
        return [Result("counting", "0", view.frame) for view in views]

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("max_batch", "frames", "calls"), [(4, 4, [4]), (4, 6, [4, 2]), (4, 5, [4, 1]), (1, 3, [1, 1, 1]), (8, 1, [1])]
)
def test_the_executor_gives_a_model_as_many_views_as_it_takes(max_batch: int, frames: int, calls: list[int]) -> None:
    clock, views, model = SimulatedClock(10**12), ArrayViews(), Counting(max_batch)
    assert isinstance(model, BatchModel)
    done = threading.Semaphore(0)
    executor = ModelExecutor(
        "cpu", "cpu", (ModelSpec("counting"),), 1, views, clock, done.release, lambda *_: None, loader(model)
    )
    executor.start()
    assert executor.wait_loaded(PATIENCE_S)
    shown = tuple(views.blank(frame_ref("door", seq=seq)) for seq in range(1, frames + 1))
    assert executor.submit_nowait(Work(1, 1, "counting", "door/counting", shown, 2 * 10**12, clock.now_ns()))
    assert done.acquire(timeout=PATIENCE_S)
    outcomes = executor.completed_nowait()
    executor.stop()
    assert outcomes[0].status is OutcomeStatus.DONE
    assert [result.frame.id.seq for result in outcomes[0].results] == list(range(1, frames + 1))
    assert model.calls == calls

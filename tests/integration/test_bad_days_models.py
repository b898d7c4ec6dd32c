"""Models that fail on what one camera shows: its frames say so, all other results go on, and its own come back."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from aftermath import assert_books, assert_records_agree
from onnx import TensorProto, helper, numpy_helper
from running import Running
from scripted_camera import ScriptedCamera, film
from watching import Following, Watch

FPS = 5
SIDE_PX = 64
PLACES = 8 * 8 + 4 * 4 + 2 * 2

MOODY = """
class Moody:
    view = {"width": 32, "height": 32, "format": "gray8"}
    signals = ("light",)

    def predict(self, picture, context):
        light = float(picture.mean()) / 255
        if light > 0.6:
            raise RuntimeError("too bright")
        return {"scalars": {"light": light}}
"""


def write_network(path: Path) -> None:
    """YOLOv8's form: one box with 0.9; of a bright picture every number is NaN, the root of less than nothing."""
    values = np.zeros((1, 5, PLACES), np.float32)
    values[0, :, 10] = (32, 32, 20, 20, 0.9)
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["limit", "mean"], ["margin"]),
        helper.make_node("Sqrt", ["margin"], ["root"]),
        helper.make_node("Mul", ["root", "zero"], ["nothing"]),
        helper.make_node("Add", ["values", "nothing"], ["output0"]),
    ]
    constants = {"limit": np.float32(0.6), "zero": np.float32(0), "values": values}
    graph = helper.make_graph(
        nodes,
        "sometimes",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE_PX, SIDE_PX])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 5, PLACES])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"names": "{0: 'person'}", "task": "detect"})
    onnx.save(model, str(path))


def camera(url: str) -> dict[str, Any]:
    return {"url": url, "detect": {"fps": FPS}, "record": {"enabled": False}, "buffer": {"size": "4MiB"}}


def test_a_network_that_gives_nan_and_a_class_that_raises_fail_frame_by_frame(tmp_path: Path) -> None:
    write_network(tmp_path / "eye.onnx")
    (tmp_path / "moody.py").write_text(MOODY, encoding="utf-8")
    dark, bright = film(fps=10), film(fps=10, bright=True)
    lanes = ("lamp/eye", "lamp/moody")
    with ScriptedCamera(dark) as yard, ScriptedCamera(dark) as lamp:
        settings = {
            "cameras": {"yard": camera(yard.url()), "lamp": camera(lamp.url())},
            "models": {
                "eye": {"path": str(tmp_path / "eye.onnx")},
                "moody": {"kind": "python", "plugin": f"{tmp_path}/moody.py:Moody"},
            },
            "rules": {"seen": "count(person) >= 1 for 500ms"},
        }
        with Running(tmp_path / "run", settings) as run:

            def fate(lane: str, name: str) -> float:
                camera_name, model = lane.split("/")
                return run.metrics().total("lane_frames_total", camera=camera_name, model=model, fate=name)

            for name in ("yard", "lamp"):
                run.wait_event("seen", name)
            watch, following = Watch(run, "yard"), Following(run)
            watch.start()
            following.start()
            lamp.footage = bright
            run.wait_for("failures of both", lambda: all(fate(lane, "model_failed") >= 3 for lane in lanes))
            lamp.footage = dark
            following.expect("lamp")
            known = {lane: fate(lane, "analysed") for lane in lanes}
            run.wait_for("both again", lambda: all(fate(lane, "analysed") > known[lane] + 2 for lane in lanes))
            following.wait_back()
            watch.stop()
            following.stop()
            ended = run.stop()
            run.assert_nothing_left()
        report = run.report()
        print(f"lamp: results again {following.back_after_s['lamp']:.1f} s after it was dark; {watch}")
    assert ended.code == 0
    assert "lamp eye: model failed (bad_output): output output0 holds values that are not finite numbers" in run.log()
    assert "lamp moody: model failed (raised): plugin " in run.log()
    assert "predict raised RuntimeError: too bright (moody.py, line 9)" in run.log()
    # Two models look at it, each as often as it may.
    assert watch.per_s() > 0.8 * 2 * FPS
    assert watch.longest_gap_s() < 2.5
    for lane in report["lanes"].values():
        assert (lane["fates"]["model_failed"] > 0) == (lane["camera"] == "lamp")
    assert {process["restarts"] for process in report["processes"].values()} == {0}
    assert_books(report)
    assert {event.camera for event in assert_records_agree(run).values()} == {"yard", "lamp"}

"""What docs/troubleshooting.md quotes of the log and of `/health`, said by one run on a very bad day."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import nonsense
import onnx
import pytest
from onnx import TensorProto, helper
from quoted_page import PAGE, Said, assert_said, names_of
from running import Running
from scripted_camera import ScriptedCamera, film

FPS = 10
MISBEHAVIOURS = {case.name: case.behave for case in nonsense.CASES}

PLUGINS = """
import time


class Broken:
    def __init__(self):
        with open("weights.bin"):
            raise AssertionError


class Moody:
    view = {"width": 32, "height": 32, "format": "gray8"}

    def predict(self, picture, context):
        raise RuntimeError("too bright")


class Stuck:
    view = {"width": 32, "height": 32, "format": "gray8"}

    def predict(self, picture, context):
        time.sleep(60)
"""


class Day(NamedTuple):
    log: str
    reasons: list[str]
    urls: dict[str, str]
    metrics: set[str]
    folder: Path


LOGGED = {
    "time-out": "silent",
    "no-udp": "udp",
    "closed": "hangs-up",
    "stalled": "stalls",
    "old-frames": "late",
    "unknown-codec": "own-codec",
    "plugin-constructor": "front",
    "raised": "yard",
    "nan": "yard",
    "hang": "yard",
    "killed": "yard",
}
REPLIED = {"health": "stalls", "suspended": "yard"}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    footage = film(fps=FPS, gop=FPS)
    folder = tmp_path_factory.mktemp("day")
    (folder / "detectors.py").write_text(PLUGINS, encoding="utf-8")
    write_nan(folder / "eye.onnx")
    with ExitStack() as stack:
        behaviours: dict[str, Callable[..., None] | None] = {
            "yard": None,
            "late": None,
            "stalls": None,
            "hangs-up": None,
            "silent": nonsense.no_answer,
            "udp": MISBEHAVIOURS["no-such-transport"],
            "own-codec": MISBEHAVIOURS["sdp-of-own-codec"],
        }
        cameras = {name: stack.enter_context(ScriptedCamera(footage, one)) for name, one in behaviours.items()}
        models = {
            name: {"kind": "python", "plugin": f"{folder}/detectors.py:{name.title()}"}
            for name in ("broken", "moody", "stuck")
        }
        settings: dict[str, dict[str, Any]] = {
            name: {
                "inputs": [{"path": one.url("stream1"), "open_timeout": "2s", "stall_timeout": "1s"}],
                "models": ["motion"],
                "record": {"enabled": False},
                "buffer": {"size": "1MiB"},
            }
            for name, one in cameras.items()
        }
        settings["yard"]["models"] = ["motion", "eye", *models]
        settings["late"]["detect"] = {"budget": "10ms"}
        settings["udp"]["inputs"][0]["transport"] = "udp"
        config = {
            "cameras": settings,
            "models": {**models, "eye": {"path": str(folder / "eye.onnx")}},
            "executors": {"cpu": {"hang_timeout": "1s"}},
            "rules": {"moves": {"when": "count(motion) >= 1 for 300ms", "cameras": ["yard"]}},
        }
        with Running(folder / "run", config) as run:
            run.wait_analysing("yard", "stalls", "hangs-up")
            cameras["stalls"].stalled = True
            cameras["hangs-up"].hang_up()
            run.wait_event("moves")
            for words in ("is replaced", "is not known here", "no answer within", "nothing came for 1 s"):
                run.wait_for(words, lambda words=words: words in run.log())  # type: ignore[misc]
            reasons = run.wait_for("a bad day's health", lambda: bad_reasons(run.health()["reasons"]))
            metrics = {line.split("{")[0].split(" ")[0] for line in run.metrics().text.splitlines() if line[0] != "#"}
            run.send(signal.SIGKILL, "ingest-0")
            run.wait_for("its end", lambda: "ingest-0 ended (killed by SIGKILL)" in run.log())
            run.stop()
            yield Day(
                run.log(),
                reasons,
                {name: one.url("stream1") for name, one in cameras.items()},
                metrics,
                folder,
            )


def bad_reasons(reasons: list[str]) -> list[str] | None:
    """Those of an instant at which the stalled camera is being connected to and the model is left alone."""
    told = "\n".join(reasons)
    return reasons if "camera stalls is connecting" in told and "model moody is suspended" in told else None


def write_nan(path: Path) -> None:
    """YOLOv8's form, and never a number."""
    nan = helper.make_tensor("values", TensorProto.FLOAT, [1, 5, 84], [float("nan")] * 5 * 84)
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Add", ["values", "mean"], ["output0"]),
    ]
    taken = [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])]
    given = [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 5, 84])]
    model = helper.make_model(
        helper.make_graph(nodes, "nan", taken, given, [nan]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    helper.set_model_props(model, {"names": "{0: 'person'}", "task": "detect"})
    onnx.save(model, str(path))


def test_everything_that_a_run_says_is_compared() -> None:
    assert LOGGED.keys() == names_of("run")
    assert REPLIED.keys() == names_of("health")


@pytest.mark.parametrize("name", [*LOGGED, *REPLIED])
def test_run(name: str, day: Day) -> None:
    camera = LOGGED.get(name) or REPLIED[name]
    swaps = (
        ("camera front", f"camera {camera}"),
        ("front: ", f"{camera}: "),
        ("front moody", f"{camera} moody"),
        ("front eye", f"{camera} eye"),
        ("rtsp://192.0.2.10/stream1", day.urls.get(camera, "")),
        ("plugin detectors.py", f"plugin {day.folder}/detectors.py"),
    )
    assert_said(name, Said("\n".join(day.reasons) if name in REPLIED else day.log, swaps))


def test_the_metrics_that_are_named_are_served(day: Day) -> None:
    named = set(re.findall(r"`(penstock_\w+)`", PAGE))
    assert len(named) > 10
    assert not [name for name in named if not day.metrics & {name, f"{name}_count"}]

"""`penstock admit` on this host: models are really timed, cameras really opened, and nothing is left running."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from web_cameras import encode_segment

from penstock.config.loader import load_config
from penstock.contracts.specs import ExecutorSpec, ModelSpec
from penstock.contracts.times import ClockReading
from penstock.runtime.cost_book import CostBook, KnownCamera, KnownModel
from penstock.runtime.model_trial import TrialError, wait_model_trial
from penstock.runtime.translation import run_spec

WITHIN_S = 120.0


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.out)
        return record


def admit(*arguments: str | Path) -> Answer:
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "admit", *(str(argument) for argument in arguments)],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """4 s in which something moves."""
    path = tmp_path / "drawn.ts"
    path.write_bytes(b"".join(encode_segment(number) for number in range(4)))
    return path


def config_file(folder: Path, video: Path, **keys: Any) -> Path:
    path = folder / "house.yaml"
    path.write_text(json.dumps({"data_dir": "data", "cameras": {"front": {"url": str(video)}}, **keys}))
    return path


SLOW = """
class Slow:
    signals = ("x",)
    def predict(self, picture, context):
        import time
        time.sleep(0.05)
        return {"scalars": {"x": 1.0}}
class Broken:
    def predict(self, picture, context):
        raise RuntimeError("no")
class Silent:
    def __init__(self):
        import time
        time.sleep(60)
    def predict(self, picture, context):
        return []
class Gone:
    def predict(self, picture, context):
        import os
        os._exit(3)
class Talkative:
    def predict(self, picture, context):
        print("hello")
        return []
"""


def plugin(folder: Path, name: str) -> dict[str, Any]:
    (folder / "slow.py").write_text(SLOW)
    return {"kind": "python", "plugin": f"slow.py:{name}"}


def test_a_camera_and_a_model_are_measured(tmp_path: Path, video: Path) -> None:
    answer = admit(config_file(tmp_path, video), "--json")
    assert answer.code == 0, answer.err
    record = answer.record
    assert record["verdict"] == "accept"
    costs = {cost["what"]: cost for cost in record["costs"]}
    assert {what: cost["known_from"] for what, cost in costs.items()} == {
        "model motion": "measured now",
        "camera front": "measured now",
    }
    assert costs["camera front"]["cost"].startswith("25/s, keyframe every 1 s, "), costs
    assert "listening to front" in answer.err
    assert not (tmp_path / "data").exists(), "nothing is written"


def test_what_was_measured_is_kept_in_a_folder_that_is_there(tmp_path: Path, video: Path) -> None:
    path = config_file(tmp_path, video)
    (tmp_path / "data").mkdir()
    assert {cost["known_from"] for cost in admit(path, "--json").record["costs"]} == {"measured now"}
    again = admit(path, "--json")
    assert {cost["known_from"] for cost in again.record["costs"]} == {"an earlier run"}
    assert again.err == ""
    memory = {line["what"]: line["basis"] for line in again.record["memory"]["lines"]}
    assert memory["model motion"] == "measured"


def test_what_the_last_run_measured_is_believed(tmp_path: Path, video: Path) -> None:
    """And with it the sum: 20 a second of 50 ms each are one second of a stream."""
    models = {"slow": plugin(tmp_path, "Slow")}
    path = config_file(tmp_path, video, models=models)
    model = ModelSpec(name="slow", kind="python", plugin=f"{tmp_path / 'slow.py'}:Slow")
    executor = ExecutorSpec("python-slow", "cpu", (model,), 1)
    book = CostBook.read(tmp_path)
    book.learn_model(model, executor, KnownModel("slow", 50e6, 1e6))
    (tmp_path / "data").mkdir()
    book.write(tmp_path / "data")
    answer = admit(path, "--no-measure", "--json", "--camera", f"yard={video}", "--fps", "30")
    assert answer.code == 1, answer.err
    record = answer.record
    assert record["verdict"] == "reduce"
    costs = {cost["what"]: cost["known_from"] for cost in record["costs"]}
    assert costs == {"model slow": "an earlier run", "camera front": "assumed", "camera yard": "assumed"}
    device = next(use for use in record["after"] if use["resource"] == "device:python-slow")
    assert device["wanted"] == pytest.approx(35 * 0.05)
    assert device["used"] <= device["supply"] <= 1
    assert any(change["subject"] == "yard/slow" for change in record["shrinks"])


def test_a_floor_that_does_not_fit_is_refused_with_the_sum(tmp_path: Path, video: Path) -> None:
    models = {"slow": {**plugin(tmp_path, "Slow"), "detect": {"fps": 60, "min_fps": 60}}}
    answer = admit(config_file(tmp_path, video, models=models))
    assert answer.code == 3, answer.err
    assert answer.out.startswith("refuse: front/slow would not run")
    assert "device:python-slow: wanted" in answer.out
    assert "model slow: 5" in answer.out
    assert "(measured now)" in answer.out


def test_memory_that_does_not_fit_is_refused_before_anything_starts(tmp_path: Path, video: Path) -> None:
    path = config_file(tmp_path, video, capacity={"memory_budget": "64MiB"})
    answer = admit(path, "--no-measure")
    assert answer.code == 3, answer.err
    assert "more than capacity.memory_budget, 64 MiB" in answer.out
    run = subprocess.run(
        [sys.executable, "-m", "penstock", "run", str(path), "--for", "5s"],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert run.returncode == 2
    assert "more than capacity.memory_budget, 64 MiB" in run.stderr
    assert "To make it fit: " in run.stderr
    assert not (tmp_path / "data").exists()


def test_what_cannot_be_measured_is_assumed_and_says_why(tmp_path: Path, video: Path) -> None:
    models = {"broken": plugin(tmp_path, "Broken")}
    answer = admit(
        config_file(tmp_path, video, models=models), "--json", "--camera", "yard=rtsp://viewer:secret@127.0.0.1:1/x"
    )
    assert answer.code in (0, 1), answer.err
    costs = {cost["what"]: cost for cost in answer.record["costs"]}
    assert costs["model broken"]["known_from"] == costs["camera yard"]["known_from"] == "assumed"
    assert "predict raised RuntimeError: no" in costs["model broken"]["why"]
    assert costs["camera yard"]["why"]
    assert "secret" not in answer.out + answer.err


@pytest.mark.parametrize(
    ("name", "limit_s", "why"),
    [("Silent", 3.0, "did not answer within 3 s"), ("Gone", 60.0, "its process ended with 3 and without an answer")],
)
def test_a_model_that_hangs_or_crashes_costs_nothing_but_its_answer(
    tmp_path: Path, name: str, limit_s: float, why: str
) -> None:
    plugin(tmp_path, name)
    model = ModelSpec(name="m", kind="python", plugin=f"{tmp_path / 'slow.py'}:{name}")
    with pytest.raises(TrialError, match=why):
        wait_model_trial(model, ExecutorSpec("python-m", "cpu", (model,), 1), 0, limit_s)


def test_what_a_model_prints_is_not_taken_for_its_answer(tmp_path: Path) -> None:
    plugin(tmp_path, "Talkative")
    model = ModelSpec(name="m", kind="python", plugin=f"{tmp_path / 'slow.py'}:Talkative")
    known = wait_model_trial(model, ExecutorSpec("python-m", "cpu", (model,), 1), 7)
    assert (known.name, known.utc_ns, known.view_bytes) == ("m", 7, 640 * 360 * 3)
    assert known.stream_ns > 0


def test_a_sleeping_model_takes_its_stream_and_not_the_processor(tmp_path: Path) -> None:
    plugin(tmp_path, "Slow")
    model = ModelSpec(name="m", kind="python", plugin=f"{tmp_path / 'slow.py'}:Slow")
    known = wait_model_trial(model, ExecutorSpec("python-m", "cpu", (model,), 1), 0)
    assert known.stream_ns >= 50e6
    assert known.host_ns < known.stream_ns / 2


def test_added_models_look_at_the_added_cameras_alone(tmp_path: Path, video: Path) -> None:
    models = {"slow": plugin(tmp_path, "Slow"), "talk": plugin(tmp_path, "Talkative")}
    path = config_file(tmp_path, video, models=models)
    new = ("--camera", f"yard={video}", "--camera", f"ramp={video}")
    answer = admit(path, "--no-measure", "--json", *new, "--model", "talk", "--fps", "2")
    assert answer.code in (0, 1), answer.err
    assert {grant["lane"] for grant in answer.record["newcomers"]} == {"yard/talk", "ramp/talk"}
    everywhere = admit(path, "--no-measure", "--json", "--model", "motion")
    assert {grant["lane"] for grant in everywhere.record["newcomers"]} == {"front/motion"}


USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    "a rate without a camera": (("--fps", "5"), "--fps is for the cameras that are added"),
    "a name that is taken": (("--camera", "front=rtsp://h/1"), "the file has one of that name"),
    "a camera that is no address": (("--camera", "yard=10.0.0.5/x"), "an address begins with rtsp://"),
    "a model that is not there": (("--camera", "yard=rtsp://h/1", "--model", "none.onnx"), "none.onnx"),
}


@pytest.mark.parametrize("name", USAGE)
def test_mistakes_end_with_2(tmp_path: Path, video: Path, name: str) -> None:
    arguments, told = USAGE[name]
    answer = admit(config_file(tmp_path, video), "--no-measure", *arguments)
    assert (answer.code, told in answer.err) == (2, True), answer.err


def test_the_book_knows_a_camera_again(tmp_path: Path, video: Path) -> None:
    """By its address, with the host on which it was measured."""
    path = config_file(tmp_path, video)
    data = tmp_path / "data"
    data.mkdir()
    clock = ClockReading("monotonic", 0, 0)
    spec = run_spec(load_config(path, {}).config, host_id="h", boot_id="b", run_id="r", clock=clock, cores=2)
    book = CostBook.read(data)
    book.learn_camera(spec.cameras[0], KnownCamera("front", 12.0, 1.0, 0.0, 1e6, 640, 360, 1))
    book.write(data)
    again = admit(path, "--json", "--no-measure")
    [camera] = [cost for cost in again.record["costs"] if cost["what"] == "camera front"]
    assert camera["known_from"] == "an earlier run"
    assert camera["cost"].startswith("12/s, keyframe every 1 s, ")

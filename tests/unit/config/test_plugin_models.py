"""Python models in the configuration: checked without running them, and each in an executor of its own."""

from pathlib import Path
from typing import Any

import pytest

from penstock.config.crosscheck import KnownModel, RuleProblem, RuleQuestion, check, check_files, check_rules
from penstock.config.loader import with_absolute_paths
from penstock.config.schema import Config
from penstock.contracts.times import ClockReading
from penstock.runtime.rule_check import check_rule
from penstock.runtime.translation import run_spec

CAMERA = {"url": "rtsp://h/1"}


def config_of(models: dict[str, Any], **keys: Any) -> Config:
    return Config.model_validate({"cameras": {"front": CAMERA}, "models": models, **keys})


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"kind": "python"}, "`plugin` is missing"),
        ({"kind": "python", "plugin": "lamp.py"}, "'lamp.py' names no class"),
        ({"kind": "python", "plugin": "lamp.py:"}, "'lamp.py:' names no class"),
        ({"kind": "python", "plugin": "lamps.lamp:1st"}, "'lamps.lamp:1st' names no class"),
        ({"kind": "python", "plugin": "lamps/lamp:Lamp"}, "'lamps/lamp:Lamp' names no class"),
        ({"path": "m.onnx", "plugin": "lamp.py:Lamp"}, "only `kind: python` has a plugin"),
    ],
)
def test_a_plugin_that_names_no_class(model: dict[str, Any], said: str) -> None:
    [finding] = check(config_of({"m": model}))
    assert (finding.what, finding.path[:2]) == (said, ("models", "m"))
    assert finding.suggestion


@pytest.mark.parametrize("plugin", ["lamp.py:Lamp", "/there/lamp.py:Lamp", "lamps.lamp:Lamp", "lamp:Lamp"])
def test_a_plugin_that_names_one(plugin: str) -> None:
    assert list(check(config_of({"m": {"kind": "python", "plugin": plugin}}))) == []


def test_files_are_found_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "lamp.py").write_text("", encoding="utf-8")
    given = {"a": "lamp.py:Lamp", "b": "lmp.py:Lamp", "c": "lamps.lamp:Lamp"}
    config = config_of({name: {"kind": "python", "plugin": plugin} for name, plugin in given.items()})
    config = with_absolute_paths(config, tmp_path)
    assert [model.plugin for model in config.models.values()] == [
        f"{tmp_path}/lamp.py:Lamp",
        f"{tmp_path}/lmp.py:Lamp",
        "lamps.lamp:Lamp",
    ]
    [finding] = [finding for finding in check_files(config) if finding.path[0] == "models"]
    assert finding.path == ("models", "b", "plugin")
    assert finding.what == f"there is no file {tmp_path}/lmp.py"
    assert "lamp.py" in finding.suggestion


def test_each_has_an_executor_of_its_own_with_one_stream() -> None:
    models = {
        "people": {"path": "p.onnx"},
        "lamp": {"kind": "python", "plugin": "lamp.py:Lamp", "parameters": {"level": 3, "colour": "red"}},
        "door": {"kind": "python", "plugin": "doors:Door"},
    }
    config = config_of(models, executors={"cpu": {"streams": 3, "hang_timeout": "2s"}})
    clock = ClockReading("monotonic", 1, 2)
    spec = run_spec(config, host_id="h", boot_id="b", run_id="r", clock=clock, cores=4)
    assert [(e.name, e.device, [m.name for m in e.models], e.streams, e.hang_timeout_ns) for e in spec.executors] == [
        ("cpu", "cpu", ["people"], 3, 2 * 10**9),
        ("python-lamp", "cpu", ["lamp"], 1, 2 * 10**9),
        ("python-door", "cpu", ["door"], 1, 2 * 10**9),
    ]
    assert spec.executors[1].models[0].parameters == {"level": 3.0, "colour": "red"}


def question(when: str, *models: KnownModel) -> RuleQuestion:
    return RuleQuestion("r", when, "front", (), models)


MOTION = KnownModel("motion", ("motion",), ("motion",))


@pytest.mark.parametrize(
    ("when", "models", "what"),
    [
        ("PersonDetected for 2s", (KnownModel("people", ("person",)),), None),
        ("MotionLevel > 0.1 and not FacePresent", (MOTION, KnownModel("faces", ("face",))), None),
        ("Anything", (KnownModel("mine", None),), None),
        ("FacePresent", (MOTION,), "nothing on camera 'front' states a signal 'FacePresent'"),
        ("PersonDetcted", (KnownModel("people", ("person",)),), "states a signal 'PersonDetcted'"),
    ],
)
def test_ready_made_signals_are_known_before_a_model_is_loaded(
    when: str, models: tuple[KnownModel, ...], what: str | None
) -> None:
    problems = check_rule(question(when, *models))
    assert [what in problem.what for problem in problems if what] == ([True] if what else [])
    assert bool(problems) == bool(what)


def test_classes_of_an_unread_file_may_be_signals_or_boxes() -> None:
    asked: list[RuleQuestion] = []
    model = {"path": "m.onnx", "class_names": ["mug", "cup"]}
    config = config_of({"m": model, "boxes": {**model, "head": "yolox"}}, rules={"r": "mug > 0.5"})

    def ask(given: RuleQuestion) -> list[RuleProblem]:
        asked.append(given)
        return []

    assert list(check_rules(config, ask)) == []
    [given] = asked
    assert given.models == (
        KnownModel("m", ("mug", "cup"), ("mug", "cup", "anomaly_score", "Anomalous")),
        KnownModel("boxes", ("mug", "cup"), ()),
    )

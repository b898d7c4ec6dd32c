"""What models ask of each other and of their share, and what is wrong with it."""

from graphlib import CycleError, TopologicalSorter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config.crosscheck import check_rules
from penstock.config.lane_checks import check_lanes
from penstock.config.model_questions import ModelAnswer
from penstock.config.schema import Config
from penstock.runtime.rule_check import check_rule

CAMERA = {"url": "rtsp://h/1"}
PEOPLE = {"path": "p.onnx", "head": "yolox", "class_names": ["person", "car"]}
ANSWERS = {
    "people": ModelAnswer(classes=("person", "car")),
    "faces": ModelAnswer(classes=("face",)),
    "scene": ModelAnswer(classes=("street",), signals=("street",), boxes=False),
}


def config_of(models: dict[str, Any], cameras: dict[str, Any] | None = None, **keys: Any) -> Config:
    return Config.model_validate({"cameras": cameras or {"front": CAMERA}, "models": models, **keys})


def found(config: Config) -> list[tuple[str, str, str]]:
    return [
        (".".join(str(part) for part in finding.path), finding.what, finding.suggestion)
        for finding in check_lanes(config, ANSWERS, check_rule)
    ]


FINE: dict[str, dict[str, Any]] = {
    "motion, beside the motion model": {"people": {**PEOPLE, "requires": ["motion"]}, "motion": {"kind": "motion"}},
    "its level too": {"people": {**PEOPLE, "requires": ["MotionLevel"]}, "motion": {"kind": "motion"}},
    "a class of another model": {"people": PEOPLE, "faces": {"path": "f.onnx", "requires": {"person": "2s"}}},
    "a class of whole pictures": {"people": {**PEOPLE, "requires": ["street"]}, "scene": {"path": "s.onnx"}},
    "a signal that follows from boxes": {
        "people": {**PEOPLE, "requires": ["FacePresent"]},
        "faces": {"path": "f.onnx"},
    },
    "what only the loaded model could deny": {
        "people": {**PEOPLE, "requires": ["lamp"]},
        "own": {"kind": "python", "plugin": "o.py:O"},
    },
    "crops of another model": {
        "people": PEOPLE,
        "faces": {"path": "f.onnx", "crops": {"of": "people", "labels": ["car"]}},
    },
    "crops of what moves": {"faces": {"path": "f.onnx", "crops": {"of": "motion"}}, "motion": {"kind": "motion"}},
    "a chain of three": {
        "people": {**PEOPLE, "requires": ["motion"]},
        "faces": {"path": "f.onnx", "requires": ["person"]},
        "scene": {"path": "s.onnx", "requires": ["face"]},
        "motion": {"kind": "motion"},
    },
    "two that wait for each other, and a third that wakes one": {
        "people": {**PEOPLE, "requires": ["lamp"]},
        "faces": {"path": "f.onnx", "requires": ["person"]},
        "own": {"kind": "python", "plugin": "o.py:O"},
    },
    "rates of its own": {"people": {**PEOPLE, "detect": {"fps": 1, "min_fps": 0.5}}},
    "one executor for two classes": {
        "a": {"kind": "python", "plugin": "o.py:A", "executor": "both"},
        "b": {"kind": "python", "plugin": "o.py:B", "executor": "both"},
    },
}


@pytest.mark.parametrize("name", FINE)
def test_fine(name: str) -> None:
    assert found(config_of(FINE[name])) == []


REFUSED: dict[str, tuple[dict[str, Any], tuple[str, str, str]]] = {
    "a signal that nobody states": (
        {"people": {**PEOPLE, "requires": ["fcae"]}, "faces": {"path": "f.onnx"}},
        ("models.people.requires.0", "no other model on camera 'front' states 'fcae'", "did you mean face?"),
    ),
    "motion without the motion model": (
        {"people": {**PEOPLE, "requires": {"motion": "2s"}}, "faces": {"path": "f.onnx"}},
        (
            "models.people.requires.motion",
            "no other model on camera 'front' states 'motion'",
            "add `motion: {kind: motion}` to `models`",
        ),
    ),
    "motion misspelt, without the motion model": (
        {"people": {**PEOPLE, "requires": ["moton"]}, "faces": {"path": "f.onnx"}},
        (
            "models.people.requires.0",
            "no other model on camera 'front' states 'moton'",
            "did you mean motion? Then also add `motion: {kind: motion}` to `models`",
        ),
    ),
    "motion misspelt, with nobody else": (
        {"people": {**PEOPLE, "requires": ["Motion"]}},
        (
            "models.people.requires.0",
            "no other model on camera 'front' states 'Motion'",
            "did you mean motion? Then also add `motion: {kind: motion}` to `models`",
        ),
    ),
    "motion misspelt, beside the motion model": (
        {"people": {**PEOPLE, "requires": ["moton"]}, "motion": {"kind": "motion"}},
        ("models.people.requires.0", "no other model on camera 'front' states 'moton'", "did you mean motion?"),
    ),
    "two that wait for each other": (
        {"people": {**PEOPLE, "requires": ["face"]}, "faces": {"path": "f.onnx", "requires": {"person": "2s"}}},
        (
            "models.people.requires.0",
            (
                "on camera 'front' 'people' waits for 'faces' (face) and 'faces' waits for 'people' (person): none "
                "of them can ever run"
            ),
            "remove this requirement, or add another model that states it",
        ),
    ),
    "three in a circle, and one that waits for them": (
        {
            "late": {"kind": "python", "plugin": "o.py:L", "class_names": ["x"], "requires": ["face"]},
            "people": {**PEOPLE, "requires": {"street": "1s"}},
            "faces": {"path": "f.onnx", "requires": ["person"]},
            "scene": {"path": "s.onnx", "requires": ["face"]},
        },
        (
            "models.faces.requires.0",
            (
                "on camera 'front' 'faces' waits for 'people' (person), 'people' waits for 'scene' (street) and "
                "'scene' waits for 'faces' (face): none of them can ever run"
            ),
            "remove this requirement, or add another model that states it",
        ),
    ),
    "a finder that waits for who looks at its boxes": (
        {
            "faces": {"path": "f.onnx", "crops": {"of": "people"}},
            "people": {**PEOPLE, "requires": ["face"]},
        },
        (
            "models.people.requires.0",
            (
                "on camera 'front' 'people' waits for 'faces' (face) and 'faces' waits for 'people' (its boxes): none "
                "of them can ever run"
            ),
            "remove this requirement, or add another model that states it",
        ),
    ),
    "crops of whole pictures' classes": (
        {"scene": {"path": "s.onnx"}, "faces": {"path": "f.onnx", "crops": {"of": "scene", "labels": ["street"]}}},
        (
            "models.faces.crops.of",
            "'scene' judges whole pictures and finds no boxes, so there is nothing to look at",
            "name a model that finds boxes, or remove `crops`",
        ),
    ),
    "crops of anomalies": (
        {
            "odd": {"path": "o.onnx", "head": "anomaly"},
            "faces": {"path": "f.onnx", "crops": {"of": "odd"}},
        },
        (
            "models.faces.crops.of",
            "'odd' judges whole pictures and finds no boxes, so there is nothing to look at",
            "name a model that finds boxes, or remove `crops`",
        ),
    ),
    "a signal of its own": (
        {"people": {**PEOPLE, "requires": ["person"]}, "faces": {"path": "f.onnx"}},
        (
            "models.people.requires.0",
            "on camera 'front' only this model states 'person', and it cannot wait for itself",
            "add a model that states it to the camera's `models`",
        ),
    ),
    "alone on its camera": (
        {"people": {**PEOPLE, "requires": ["face"]}},
        (
            "models.people.requires.0",
            "no other model on camera 'front' states 'face'",
            "give the camera a model that does",
        ),
    ),
    "crops of nothing": (
        {"people": PEOPLE, "faces": {"path": "f.onnx", "crops": {"of": "peple"}}},
        ("models.faces.crops.of", "there is no model 'peple'", "did you mean people?"),
    ),
    "crops of itself": (
        {"people": {**PEOPLE, "crops": {"of": "people"}}},
        ("models.people.crops.of", "a model cannot look at its own boxes", "name the model that finds them"),
    ),
    "crops of crops": (
        {
            "people": PEOPLE,
            "faces": {"path": "f.onnx", "crops": {"of": "people"}},
            "eyes": {"path": "e.onnx", "crops": {"of": "faces"}},
        },
        (
            "models.eyes.crops.of",
            "'faces' looks at crops itself, and crops of crops are not made",
            "name the model that looks at whole pictures: people",
        ),
    ),
    "crops of a class that is none": (
        {"people": PEOPLE, "faces": {"path": "f.onnx", "crops": {"of": "people", "labels": ["car", "persn"]}}},
        ("models.faces.crops.labels.1", "'people' has no class 'persn'", "did you mean person?"),
    ),
    "crops for motion": (
        {"people": PEOPLE, "motion": {"kind": "motion", "crops": {"of": "people"}}},
        ("models.motion.crops", "motion is measured on whole pictures", "remove `crops`"),
    ),
    "crops of what runs on spare time": (
        {"people": {**PEOPLE, "shadow": True}, "faces": {"path": "f.onnx", "crops": {"of": "people"}}},
        (
            "models.faces.crops.of",
            "'people' is a shadow model, so this one runs only where something is left over",
            "mark this model `shadow: true` as well",
        ),
    ),
    "a floor above the camera's rate": (
        {"people": {**PEOPLE, "detect": {"min_fps": 6}}},
        ("models.people.detect.min_fps", "6 is more than fps, 5, on camera 'front'", "lower it, or raise fps"),
    ),
    "an executor for a network": (
        {"people": {**PEOPLE, "executor": "mine"}},
        (
            "models.people.executor",
            "only `kind: python` chooses its executor; others run in that of their device",
            "remove it, or set `device`",
        ),
    ),
    "an executor called as a device": (
        {"people": PEOPLE, "own": {"kind": "python", "plugin": "o.py:O", "executor": "CPU"}},
        ("models.own.executor", "'CPU' names the executor of a device", "choose another name"),
    ),
    "two devices in one executor": (
        {
            "a": {"kind": "python", "plugin": "o.py:A", "executor": "x"},
            "b": {"kind": "python", "plugin": "o.py:B", "executor": "x", "device": "gpu"},
        },
        (
            "models.b.executor",
            "'a' is in it and runs on cpu, and this model on gpu",
            "give each device an executor of its own",
        ),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    models, expected = REFUSED[name]
    assert found(config_of(models)) == [expected]


def test_a_floor_above_a_camera_s_own_rate_is_told_at_the_camera() -> None:
    cameras = {"front": {**CAMERA, "detect": {"fps": 2, "min_fps": 3}}}
    assert found(config_of({"people": PEOPLE}, cameras)) == [
        ("cameras.front.detect.min_fps", "3 is more than the camera's fps, 2", "lower it, or raise fps")
    ]


def test_a_model_s_rate_below_the_camera_s_floor_is_told_at_the_model() -> None:
    cameras = {"front": {**CAMERA, "detect": {"fps": 5, "min_fps": 3}}}
    [(path, what, advice)] = found(config_of({"people": {**PEOPLE, "detect": {"fps": 1}}}, cameras))
    assert (path, what) == ("models.people.detect.fps", "1 is less than min_fps, 3, on camera 'front'")
    assert "min_fps of its own" in advice


def test_a_shadow_model_has_no_floor_of_its_camera() -> None:
    cameras = {"front": {**CAMERA, "detect": {"fps": 5, "min_fps": 3}}}
    config = config_of({"people": {**PEOPLE, "detect": {"fps": 1}, "shadow": True}}, cameras)
    assert found(config) == []
    assert config.detect_of(config.cameras["front"], "people").min_fps == 0


def test_motion_joins_the_models_that_a_camera_names() -> None:
    cameras = {"front": {**CAMERA, "models": ["people", "faces"]}}
    models = {"people": {**PEOPLE, "requires": ["motion"]}, "faces": {"path": "f.onnx"}}
    [(_, _, advice)] = found(config_of(models, cameras))
    assert advice == "add motion to the camera's `models`"
    cameras["front"]["models"] = ["people", "faces", "motion"]
    assert found(config_of(models, cameras)) == []


def test_crops_need_the_finder_on_every_camera() -> None:
    cameras = {"front": CAMERA, "back": {**CAMERA, "models": ["faces"]}}
    models = {"people": PEOPLE, "faces": {"path": "f.onnx", "crops": {"of": "people"}}}
    [(path, what, advice)] = found(config_of(models, cameras))
    assert (path, advice) == ("models.faces.crops.of", "add people to that camera's `models`")
    assert what == "'people' does not look at camera 'back', and this model does"


def test_what_a_camera_that_is_off_lacks_is_not_told() -> None:
    cameras = {"front": CAMERA, "back": {**CAMERA, "models": ["faces"], "enabled": False}}
    models = {"people": PEOPLE, "faces": {"path": "f.onnx", "requires": ["person"], "crops": {"of": "people"}}}
    assert found(config_of(models, cameras)) == []


def test_a_rule_on_a_shadow_model_s_classes_is_correct() -> None:
    config = config_of({"people": {**PEOPLE, "shadow": True}}, rules={"r": "count(person) >= 1 for 1s"})
    assert list(check_rules(config, check_rule, ANSWERS)) == []


def test_a_circle_on_many_cameras_is_told_once_and_where_it_is_broken_not() -> None:
    cameras = {
        "a": {**CAMERA, "models": ["people", "faces", "own"]},
        "b": {**CAMERA, "models": ["people", "faces"]},
        "c": {**CAMERA, "models": ["faces", "people"]},
    }
    models = {
        "people": {**PEOPLE, "requires": ["face"]},
        "faces": {"path": "f.onnx", "requires": ["person"]},
        "own": {"kind": "python", "plugin": "o.py:O"},
    }
    [(path, what, _)] = found(config_of(models, cameras))
    assert (path, what.startswith("on camera 'b' ")) == ("models.people.requires.0", True)


@given(st.lists(st.sets(st.integers(0, 4)), min_size=5, max_size=5))
def test_a_circle_is_told_where_there_is_one(wanted: list[set[int]]) -> None:
    """Each of five models states one class, and requires some of the others'."""
    waits = {number: others - {number} for number, others in enumerate(wanted)}
    models = {
        f"m{number}": {**PEOPLE, "class_names": [f"c{number}"], "requires": [f"c{other}" for other in sorted(others)]}
        for number, others in waits.items()
    }
    told = [what for _, what, _ in found(config_of(models))]
    assert all(what.endswith("none of them can ever run") for what in told)
    try:
        TopologicalSorter(waits).prepare()
    except CycleError:
        assert told
    else:
        assert not told

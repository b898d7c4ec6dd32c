"""From what people write to what processes are told."""

from typing import Any

import pytest

from penstock.config.crosscheck import KnownModel, RuleQuestion
from penstock.config.schema import Config
from penstock.contracts.identity import Role
from penstock.contracts.specs import CropSpec, DecodePolicy, LaneSpec, Requirement, RunSpec, SourceMode
from penstock.contracts.times import ClockReading
from penstock.runtime.rule_check import check_rule
from penstock.runtime.translation import ingest_groups, run_spec

CAMERA = {"url": "rtsp://h/1"}


def spec_of(cores: int = 4, **keys: Any) -> RunSpec:
    config = Config.model_validate({"cameras": {"front": CAMERA}, **keys})
    return run_spec(config, host_id="h", boot_id="b", run_id="r", clock=ClockReading("monotonic", 1, 2), cores=cores)


def executors(spec: RunSpec) -> list[tuple[str, str, list[str], int]]:
    return [(e.name, e.device, [model.name for model in e.models], e.streams) for e in spec.executors]


def test_motion_alone_has_an_executor_of_its_own() -> None:
    assert executors(spec_of(cores=4)) == [("motion", "cpu", ["motion"], 4)]


def test_motion_joins_the_processors_executor() -> None:
    cameras = {"a": {**CAMERA, "models": ["motion", "people"]}, "b": {**CAMERA, "models": ["cars"]}}
    models = {"people": {"path": "p.onnx"}, "cars": {"path": "c.onnx", "device": "GPU"}, "unused": {"path": "u.onnx"}}
    assert executors(spec_of(cameras=cameras, models=models)) == [
        ("cpu", "cpu", ["people", "motion"], 4),
        ("gpu", "gpu", ["cars"], 1),
    ]


def test_executors_are_as_configured() -> None:
    spec = spec_of(models={"m": {"path": "m.onnx"}}, executors={"cpu": {"streams": 3, "hang_timeout": "2s"}})
    assert (spec.executors[0].streams, spec.executors[0].hang_timeout_ns) == (3, 2_000_000_000)


@pytest.mark.parametrize(
    ("cameras", "configured", "cores", "sizes"),
    [
        (1, None, 4, [1]),
        (8, None, 4, [8]),
        (9, None, 4, [5, 4]),
        (64, None, 2, [32, 32]),
        (3, 2, 1, [2, 1]),
        (2, 9, 4, [1, 1]),
    ],
)
def test_ingest_groups(cameras: int, configured: int | None, cores: int, sizes: list[int]) -> None:
    names = tuple(f"c{i}" for i in range(cameras))
    groups = ingest_groups(names, configured, cores)
    assert [len(group) for group in groups] == sizes
    assert sorted(name for group in groups for name in group) == sorted(names)


def test_what_is_off_is_left_out() -> None:
    cameras = {"front": CAMERA, "back": {**CAMERA, "enabled": False, "models": ["m"]}}
    rules = {
        "both": {"when": "a", "cameras": ["front", "back"]},
        "none": {"when": "a", "cameras": ["back"]},
        "all": "a",
    }
    spec = spec_of(cameras=cameras, models={"m": {"path": "m.onnx"}}, rules=rules, metrics={"enabled": False})
    assert [camera.name for camera in spec.cameras] == ["front"]
    assert [(rule.name, rule.cameras) for rule in spec.rules] == [("both", ("front",)), ("all", ())]
    assert [lane.name for lane in spec.lanes] == ["front/m"]
    assert spec.metrics_port == -1


def test_every_setting_of_a_camera_arrives() -> None:
    camera = {
        "inputs": [
            {"path": "rtsp://h/sub", "roles": ["detect"], "stall_timeout": "2s", "options": {"a": "b"}},
            {"path": "/v.mp4", "roles": ["record"], "mode": "lossless", "loop": False},
        ],
        "detect": {"fps": 2, "budget": "300ms", "priority": 7},
        "motion": {"enabled": False, "threshold": 2, "quiet_interval": "9s"},
        "zones": {"gate": {"coordinates": "0,0,1,0,1,1"}},
        "record": {"pre_capture": "3s", "post_capture": "4s", "max_clip": "1m"},
        "snapshots": {"enabled": False, "quality": 70},
        "buffer": {"duration": "20s", "size": "1MiB"},
        "models": ["motion", "m"],
    }
    spec = spec_of(
        cameras={"front": camera}, models={"m": {"path": "/m.onnx", "labels": ["person"], "confidence": 0.4}}
    )
    found = spec.cameras[0]
    sub, main = found.streams
    assert (sub.url, sub.roles, sub.stall_timeout_ns, sub.options) == (
        "rtsp://h/sub",
        (Role.DETECT,),
        2_000_000_000,
        {"a": "b"},
    )
    assert (main.roles, main.mode, main.loop, main.ring_bytes) == ((Role.RECORD,), SourceMode.LOSSLESS, False, 2**20)
    assert (sub.ring_seconds_ns, found.gate.enabled, found.gate.threshold) == (20_000_000_000, False, 2)
    assert (found.zones[0].name, found.zones[0].points) == ("gate", ((0, 0), (1, 0), (1, 1)))
    record = found.record
    assert (record.pre_capture_ns, record.post_capture_ns, record.max_clip_ns) == (
        3_000_000_000,
        4_000_000_000,
        60_000_000_000,
    )
    assert (record.snapshot, record.snapshot_quality) == (False, 70)
    motion, people = spec.lanes
    assert (motion.gated, people.gated) == (False, True)
    assert (people.max_fps, people.budget_ns, people.priority) == (2, 300_000_000, 7)
    network = next(model for model in spec.executors[0].models if model.name == "m")
    assert (network.path, network.labels, network.confidence) == ("/m.onnx", ("person",), 0.4)


def test_what_a_model_says_of_itself_wins_over_its_camera() -> None:
    camera = {**CAMERA, "detect": {"fps": 8, "min_fps": 2, "priority": 3, "weight": 2, "decode": "auto"}}
    models = {
        "people": {"path": "p.onnx"},
        "colours": {
            "path": "c.onnx",
            "detect": {"fps": 1, "min_fps": 0, "budget": "2s", "priority": -1, "weight": 0.5},
            "requires": {"person": "2s", "motion": 0},
            "crops": {"of": "people", "labels": ["car"], "limit": 2, "margin": 0.2},
            "shadow": True,
        },
    }
    spec = spec_of(cameras={"front": camera}, models=models)
    people, colours = spec.lanes
    assert (people.max_fps, people.min_fps, people.priority, people.weight, people.budget_ns) == (
        8,
        2,
        3,
        2,
        500_000_000,
    )
    assert (people.requires, people.crops, people.shadow) == ((), None, False)
    assert colours == LaneSpec(
        camera="front",
        model="colours",
        max_fps=1,
        min_fps=0,
        priority=-1,
        weight=0.5,
        budget_ns=2_000_000_000,
        requires=(Requirement("person", 2_000_000_000), Requirement("motion", 0)),
        crops=CropSpec("people", ("car",), 2, 0.2),
        shadow=True,
    )
    assert spec.cameras[0].decode is DecodePolicy.AUTO


@pytest.mark.parametrize(
    ("capacity", "cores", "memory_bytes", "streams"),
    [({}, 0, 0, 4), ({"cores": 1.5, "memory_budget": "2GiB"}, 1.5, 2 << 30, 2), ({"cores": 16}, 16, 0, 4)],
)
def test_capacity(capacity: dict[str, Any], cores: float, memory_bytes: int, streams: int) -> None:
    spec = spec_of(cores=4, models={"m": {"path": "m.onnx"}}, capacity=capacity)
    assert (spec.cores, spec.memory_budget_bytes, spec.executors[0].streams) == (cores, memory_bytes, streams)


def test_python_models_share_an_executor_that_they_name() -> None:
    models = {
        "a": {"kind": "python", "plugin": "o.py:A", "executor": "both"},
        "b": {"kind": "python", "plugin": "o.py:B", "executor": "both"},
        "c": {"kind": "python", "plugin": "o.py:C"},
    }
    spec = spec_of(models=models, executors={"both": {"streams": 3}, "cpu": {"streams": 2, "hang_timeout": "2s"}})
    assert executors(spec) == [("python-both", "cpu", ["a", "b"], 3), ("python-c", "cpu", ["c"], 1)]
    assert [e.hang_timeout_ns for e in spec.executors] == [10_000_000_000, 2_000_000_000]


@pytest.mark.parametrize(
    ("when", "what", "offset"),
    [
        ("count(person) >= 1", None, 0),
        ("motion > 0.1 for 2s", None, 0),
        ("count(persn) >= 1", "no model on camera 'front' knows a class 'persn'", 6),
        ("count(person in gat) >= 1", "camera 'front' has no zone 'gat'", 16),
        ("count(person) >= 1\nand count(cat) > 1", "no model on camera 'front' knows a class 'cat'", 29),
    ],
)
def test_rules_are_checked_against_zones_and_classes(when: str, what: str | None, offset: int) -> None:
    zones = (("gate", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))),)
    models = (KnownModel("people", ("person",)), KnownModel("motion", ("motion",), ("motion",)))
    found = check_rule(RuleQuestion("r", when, "front", zones, models))
    assert [(problem.what, problem.offset) for problem in found] == ([] if what is None else [(what, offset)])


def test_classes_of_models_not_yet_loaded_are_not_judged() -> None:
    assert check_rule(RuleQuestion("r", "count(unicorn) >= 1", "front", (), (KnownModel("m", None),))) == []

"""A demonstration's configuration is one that runs, and its events are judged by what was drawn, to the second."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.demo_config import RULES, demo_yaml, rule_for
from penstock.cli.demo_truth import events_against_truth
from penstock.config.loader import load_config
from penstock.runtime.rule_check import check_rule
from penstock.simulator.ready import Ready, ReadyCamera, decode_ready, encode_ready
from penstock.simulator.scene_spec import SETTINGS, SceneSpec
from penstock.simulator.truth import TrueBox, truth_text

S = 1_000_000_000
EPOCH_NS = 1_800_000_000 * S
LOOP_S = 40
GATE = ((0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6))
AT_THE_GATE = TrueBox(0, "person", (310.0, 100.0, 330.0, 180.0), 1.0, False)


@pytest.fixture
def yard(tmp_path: Path) -> ReadyCamera:
    """Somebody stands at the gate from second 10 to second 20 of each loop."""
    spec = SceneSpec("yard", 1, fps=5, seconds=float(LOOP_S))
    frames = [(AT_THE_GATE,) if 10 <= index / 5 < 20 else () for index in range(spec.frames)]
    path = tmp_path / "yard.truth.json"
    path.write_text(truth_text(spec, {"gate": GATE}, (), frames), encoding="utf-8")
    return ReadyCamera("yard", "rtsp://h/yard", "rtsp://h/yard/sub", str(path), 0, EPOCH_NS, LOOP_S * S)


def at(seconds: float) -> str:
    return datetime.fromtimestamp((EPOCH_NS + seconds * S) / S, UTC).isoformat()


def report(*events: tuple[float, float]) -> dict[str, Any]:
    """A run from second 0 to 102 with events of these starts and confirmations."""
    return {
        "started_utc": at(0),
        "ended_utc": at(103),
        "stop_s": 1.0,
        "events": [
            {
                "event_id": f"e{number}",
                "camera": "yard",
                "rule": "waiting_at_gate",
                "start_utc": at(start),
                "confirmed_utc": at(confirmed),
                "decision_delay_ms": 100.0,
            }
            for number, (start, confirmed) in enumerate(events)
        ],
    }


def test_all_found(yard: ReadyCamera) -> None:
    truth = events_against_truth(report((10.2, 13.4), (50.0, 53.2), (90.2, 93.4)), Ready((yard,)))
    assert (truth["expected"], truth["found"], truth["missed"], truth["false"]) == (3, 3, 0, 0)
    assert (truth["precision"], truth["recall"]) == (1.0, 1.0)
    assert truth["delay_ms"] == {"p50": 500.0, "max": 500.0}
    assert truth["rules"]["waiting_at_gate"]["found"] == 3
    assert truth["rules"]["queue"]["expected"] == 0


def test_missed_and_false_are_named(yard: ReadyCamera) -> None:
    truth = events_against_truth(report((10.2, 13.4), (70.0, 73.2), (90.2, 93.4)), Ready((yard,)))
    assert truth["missed_events"] == [
        {"camera": "yard", "rule": "waiting_at_gate", "start_utc": at(50).replace("+00:00", ".000Z")}
    ]
    assert truth["false_events"] == [{"camera": "yard", "rule": "waiting_at_gate", "event_id": "e1"}]


def test_what_was_under_way_at_the_beginning_or_due_at_the_end_is_not_counted(yard: ReadyCamera) -> None:
    made = report() | {"started_utc": at(12), "ended_utc": at(54), "stop_s": 0.5}
    truth = events_against_truth(made, Ready((yard,)))
    assert (truth["expected"], truth["missed"], truth["borderline"]) == (0, 0, 2)


def test_every_setting_is_watched_by_one_rule() -> None:
    assert sorted(setting for rule in RULES for setting in rule.zones) == sorted(SETTINGS)
    assert [rule_for(setting).name for setting in SETTINGS] == [
        "vehicle_stopped",
        "waiting_at_gate",
        "queue",
        "vehicle_stopped",
    ]


def test_the_configuration_is_one_that_can_run(yard: ReadyCamera, tmp_path: Path) -> None:
    detector = tmp_path / "detector.onnx"
    detector.touch()
    file = tmp_path / "demo.yaml"
    file.write_text(demo_yaml(Ready((yard,)), tmp_path / "data", detector), encoding="utf-8")
    loaded = load_config(file, {}, rule_check=check_rule)
    assert loaded.warnings == ()
    camera = loaded.config.cameras["yard"]
    assert [stream.path for stream in camera.streams] == ["rtsp://h/yard/sub", "rtsp://h/yard"]
    assert loaded.config.rules["waiting_at_gate"].when == "count(person in gate) >= 1 for 3s"
    assert list(loaded.config.rules) == ["waiting_at_gate"]


def test_the_ready_line_comes_back_as_it_was(yard: ReadyCamera) -> None:
    ready = Ready((yard,))
    line = encode_ready(ready)
    assert "\n" not in line
    assert decode_ready(line) == ready
    with pytest.raises(ValueError, match="JSON"):
        decode_ready("penstock: no")

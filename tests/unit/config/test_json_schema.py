"""The schema that editors use and the loader agree, as far as a JSON Schema can say."""

import copy
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from ruamel.yaml import YAML

from penstock.config.camera_schema import Section
from penstock.config.document import parse
from penstock.config.inheritance import empty_values
from penstock.config.json_schema import json_schema
from penstock.config.schema import ConfigFile
from penstock.config.section_examples import EXAMPLES
from penstock.config.validation import validate_written
from penstock.config.walk import is_section, keys_of

VALIDATOR = Draft202012Validator(json_schema())
EXAMPLE_FILES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))

FULL: dict[str, Any] = {
    "data_dir": "data",
    "isolation": "process",
    "defaults": {"detect": {"fps": 2}, "input": {"transport": "udp"}, "values": {"stream": 1}},
    "templates": {
        "hall": {"url": "rtsp://{host}/{stream}", "values": {"host": "h"}, "zones": {"z": None}, "detect": None},
        "door": {"template": ["hall"], "motion": {"threshold": "{threshold}"}, "values": {"threshold": 2}},
    },
    "cameras": {
        "front": {
            "enabled": True,
            "inputs": [
                {
                    "path": "rtsp://h/1",
                    "roles": ["detect"],
                    "mode": "live",
                    "loop": True,
                    "clock": "rtcp",
                    "open_timeout": "5s",
                    "stall_timeout": 3,
                    "transport": "tcp",
                    "tls_ca": "ca.pem",
                    "options": {"buffer_size": 1000, "user_agent": "p"},
                },
                {"path": "rtsp://h/2", "roles": ["record"]},
            ],
            "detect": {
                "fps": 5,
                "min_fps": 1,
                "budget": "500ms",
                "priority": 3,
                "weight": 0.5,
                "decode": "auto",
            },
            "motion": {"enabled": False, "threshold": 0.6, "quiet_interval": "5s"},
            "models": ["people", "motion"],
            "zones": {"gate": {"coordinates": "0,0,1,0,1,1"}, "door": {"coordinates": [[0, 0], [1, 0.5], [0, 1]]}},
            "record": {"enabled": True, "pre_capture": "5s", "post_capture": 0, "max_clip": "5m"},
            "snapshots": {"enabled": True, "quality": 90},
            "buffer": {"duration": "1m", "size": "32MiB"},
        },
        "back": {"template": "door", "url": "/dev/video0", "input": {"loop": False, "options": {}}},
    },
    "models": {
        "people": {
            "kind": "onnx",
            "path": "p.onnx",
            "device": "cpu",
            "backend": "auto",
            "head": "auto",
            "class_names": ["person"],
            "labels": ["person"],
            "confidence": 0.25,
            "iou": 0.45,
            "max_detections": 300,
            "top_k": 5,
            "options": {"x": 1.5},
            "detect": {"fps": 1, "min_fps": 0.5, "budget": "2s", "priority": -5, "weight": 2},
            "requires": ["motion"],
            "crops": {"of": "own", "labels": ["car"], "limit": 4, "margin": 0.1},
            "shadow": True,
        },
        "own": {
            "kind": "python",
            "plugin": "own.py:Own",
            "parameters": {"a": "x", "b": 1, "c": True},
            "executor": "shared",
            "requires": {"person": "2s", "traffic light": 0},
        },
    },
    "rules": {
        "short": "count(person) >= 1",
        "long": {
            "when": "count(person) >= 2",
            "cameras": ["front"],
            "cooldown": "10s",
            "unknown_limit": "10s",
            "severity": "alert",
            "shadow": False,
        },
    },
    "executors": {"cpu": {"streams": 2, "hang_timeout": "10s"}},
    "capacity": {"cores": 1.5, "memory_budget": "2GiB"},
    "ingest": {"groups": None},
    "metrics": {"enabled": True, "host": "127.0.0.1", "port": 9090},
    "logging": {"format": "human", "level": "info"},
    "database": "",
    "events_file": "",
    "x-anything": {"a": [1]},
}
PLAIN: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    5,
    70000,
    0.5,
    3.0,
    1e12,
    "",
    "words",
    "a b",
    "live",
    "rtcp",
    "alert",
    "record",
]
PLAIN += [
    "500ms",
    "1m 30s",
    "5 parsecs",
    "32MiB",
    "0s",
    "0B",
    "0,0,1,0,1,1",
    "0,0,1,0,1",
    "0,0,2,0,1,1",
    ".5,0.,1.0,+1,1,1",
]
PLAIN += [[], [1], ["a"], [None], {}, {"a": 1}, {"path": "x"}, {"a b": "x"}, {"coordinates": None}]
PLAIN += [[[0, 0], [1, 0], [1, 1]], [["0", "0"], "1,0", [1, 1]], [[0, 0], [1, 1]], [[0, 0], [1, 2], [1, 1]]]
PLAIN += [".5,0.,1.0,+1,1,1", "{value}"]
TEXTS_FOR_VALUES = [
    "5",
    " 7 ",
    "-3",
    "1e2",
    "0.5",
    "yes",
    "Off",
    "1",
    "200",
    "1_000",
    "inf",
    "nan",
    "٣",
    "0x10",
    "${X:-5}",
]


def loader_takes(data: Any) -> bool:
    """Whether the loader finds nothing wrong in the shape of `data`; names and sums are checked elsewhere."""
    document = parse(json.dumps(data, ensure_ascii=False), "c.yaml", {"CAM_PASSWORD": "x"})
    return not (document.problems or any(empty_values(document)) or validate_written(document))


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


PLACES = [path for path in places(FULL) if path and path[0] != "x-anything"]


def changed(path: tuple[Any, ...], how: str, value: Any) -> Any:
    data = copy.deepcopy(FULL)
    above: Any = data
    for part in path[:-1]:
        above = above[part]
    if how == "replace":
        above[path[-1]] = value
    elif how == "remove":
        del above[path[-1]]
    elif isinstance(above, dict):
        above["surplus"] = value
    else:
        above.append(value)
    return data


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_schema_in_docs_is_up_to_date() -> None:
    """The examples name it, so that editors complete them."""
    page = Path(__file__).parents[3] / "docs" / "penstock.schema.json"
    assert json.loads(page.read_text(encoding="utf-8")) == json_schema(), (
        "run: penstock schema --output docs/penstock.schema.json"
    )


def test_the_full_file_is_taken_by_both() -> None:
    assert [*VALIDATOR.iter_errors(FULL)] == []
    assert loader_takes(FULL)


def sections(section: Any) -> Iterator[type[Section]]:
    yield section
    for _, field in keys_of(section):
        annotation: Any = field.annotation
        for kind in (annotation, *getattr(annotation, "__args__", ())):
            if is_section(kind):
                yield from sections(kind)


def test_every_key_has_a_title_and_says_what_it_means() -> None:
    definitions = json_schema()["$defs"]
    for either in (json_schema(), *definitions.values()):
        schema = either["anyOf"][1] if "anyOf" in either else either
        assert schema["additionalProperties"] is False
        assert schema["description"]
        for key, value in schema["properties"].items():
            below = [part["$ref"] for part in (value, *value.get("anyOf", ())) if "$ref" in part]
            assert value["title"] == key
            assert value.get("description") or definitions[below[0].removeprefix("#/$defs/")]["description"], key


def test_defaults_are_as_a_file_has_them() -> None:
    for name, either in json_schema()["$defs"].items():
        schema = either["anyOf"][1] if "anyOf" in either else either
        for key, value in schema["properties"].items():
            if "default" in value:
                wrong = [error.message for error in VALIDATOR.evolve(schema=value).iter_errors(value["default"])]
                assert wrong == [], (name, key)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(["replace", "remove", "add"]), st.sampled_from(PLAIN))
@example(("cameras", "front", "zones", "gate", "coordinates"), "remove", None)
@example(("cameras", "front", "detect", "fps"), "replace", True)
@example(("cameras",), "remove", None)
def test_both_take_the_same_files(path: tuple[Any, ...], how: str, value: Any) -> None:
    # The loader judges points with a placeholder once it is filled in; the schema sees at once that they are too many.
    assume(value != "{value}" or "coordinates" not in path)
    data = changed(path, how, value)
    assert VALIDATOR.is_valid(data) == loader_takes(data), [error.message for error in VALIDATOR.iter_errors(data)]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(PLACES),
    st.sampled_from(TEXTS_FOR_VALUES) | st.text("0123456789.-+e smhkMiBµ,{}$x", max_size=8) | st.text(max_size=4),
)
def test_it_refuses_nothing_that_the_loader_takes(path: tuple[Any, ...], value: str) -> None:
    data = changed(path, "replace", value)
    assert VALIDATOR.is_valid(data) or not loader_takes(data), [error.message for error in VALIDATOR.iter_errors(data)]


WRONG: dict[str, Any] = {
    "an unknown key": {"cameras": {"a": {"urll": "x"}}},
    "an unknown key at the top": {"cameras": {}, "modells": {}},
    "no cameras": {"models": {}},
    "a word for a number": {"cameras": {"a": {"detect": {"fps": "fast"}}}},
    "a truth value for a number": {"cameras": {"a": {"detect": {"fps": True}}}},
    "a half for a whole number": {"cameras": {}, "metrics": {"port": 1.5}},
    "out of bounds": {"cameras": {}, "metrics": {"port": 70000}},
    "a choice that is none": {"cameras": {}, "isolation": "proces"},
    "a list for a section": {"cameras": {"a": {"detect": [1]}}},
    "a unit that is none": {"cameras": {"a": {"detect": {"budget": "5 parsecs"}}}},
    "no time at all": {"cameras": {"a": {"detect": {"budget": 0}}}},
    "a zone in pixels": {"cameras": {"a": {"zones": {"z": {"coordinates": [[10, 20], [30, 20], [10, 30]]}}}}},
    "a zone in pixels as text": {"cameras": {"a": {"zones": {"z": {"coordinates": "10,20,30,20,10,30"}}}}},
    "a zone of two points": {"cameras": {"a": {"zones": {"z": {"coordinates": "0,0,1,1"}}}}},
    "a zone of nothing": {"cameras": {"a": {"zones": {"z": {}}}}},
    "a rule without a condition": {"cameras": {}, "rules": {"r": {"cooldown": "1s"}}},
    "a name with a space": {"cameras": {"back door": {"url": "x"}}},
    "a role that is none": {"cameras": {"a": {"inputs": [{"path": "x", "roles": ["detct"]}]}}},
    "an input without a path": {"cameras": {"a": {"inputs": [{"roles": ["detect"]}]}}},
    "null outside cameras": {"cameras": {}, "metrics": {"port": None}},
    "a wrong template": {"cameras": {}, "templates": {"t": {"detect": {"fsp": 1}}}},
    "a list of values": {"cameras": {"a": {"values": {"x": [1]}}}},
    "a template without a name": {"cameras": {"a": {"template": []}}},
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_are_refused_by_both(name: str) -> None:
    assert not VALIDATOR.is_valid(WRONG[name])
    assert not loader_takes(WRONG[name])


def plain_yaml(text: str) -> Any:
    """As an editor reads it: another reader than the loader's own."""
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


@pytest.mark.parametrize("path", EXAMPLE_FILES, ids=lambda path: path.stem)
def test_the_example_files_are_taken(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(plain_yaml(path.read_text(encoding="utf-8")))] == []


@pytest.mark.parametrize("section", EXAMPLES, ids=lambda section: section.__name__)
def test_the_examples_of_the_reference_are_taken(section: type[Section]) -> None:
    data = {"cameras": {"a": {"url": "rtsp://h/1"}}, **plain_yaml(EXAMPLES[section])}
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []
    assert loader_takes(data)


def test_every_section_has_an_example() -> None:
    assert set(sections(ConfigFile)) == set(EXAMPLES)

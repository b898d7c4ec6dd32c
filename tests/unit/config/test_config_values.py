"""What a file means: values, defaults, variables, paths, merges, and the configuration without a file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config.crosscheck import RuleProblem, RuleQuestion
from penstock.config.fields import crosses_itself, duration_ns, size_bytes, written_duration, written_size
from penstock.config.json_schema import json_schema
from penstock.config.loader import LoadedConfig, load_config
from penstock.config.problems import ConfigError, closest, dotted
from penstock.config.quick import quick_config
from penstock.config.reference import reference_markdown
from penstock.config.schema import Config
from penstock.contracts.identity import Role

FULL = """\
data_dir: data
isolation: thread
cameras:
  front:
    inputs:
      - path: rtsp://user:${CAM_PASSWORD}@10.0.0.5/stream1
        roles: [detect]
      - {path: clip.mp4, roles: [record], mode: lossless}
    detect: {fps: 2.5, budget: 250ms, priority: 3}
    motion: {threshold: 1, quiet_interval: 2}
    models: [people, motion]
    zones:
      gate: {coordinates: "0.1,0.2,0.5,0.2,0.5,0.9"}
      door: {coordinates: [[0, 0], [1, 0], [1, 1]]}
    buffer: {duration: 1m30s, size: 1MiB}
  back: {url: /videos/back.mp4}
models:
  people: {path: models/people.onnx, labels: [person]}
rules:
  short: count(person) >= 1
  long: {when: "count(person) >= 2 for 1s", cameras: [front], cooldown: 1m, severity: alert}
database: sqlite:///events.db
"""


def load(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> LoadedConfig:
    file = tmp_path / "c.yaml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, environ or {}, files=False)


def test_a_full_file(tmp_path: Path) -> None:
    config = load(tmp_path, FULL, {"CAM_PASSWORD": "pw"}).config
    front, back = config.cameras["front"], config.cameras["back"]
    assert config.data_dir == str(tmp_path / "data")
    assert config.database == f"sqlite:///{tmp_path}/events.db"
    assert [stream.path for stream in front.streams] == ["rtsp://user:pw@10.0.0.5/stream1", str(tmp_path / "clip.mp4")]
    assert front.detect.budget_ns == 250_000_000
    assert front.motion.quiet_interval_ns == 2_000_000_000
    assert front.buffer.size_bytes == 1024 * 1024
    assert front.buffer.duration_ns == 90_000_000_000
    assert front.zones["gate"].coordinates == ((0.1, 0.2), (0.5, 0.2), (0.5, 0.9))
    assert front.zones["door"].coordinates == ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    assert [stream.path for stream in back.streams] == ["/videos/back.mp4"]
    assert back.streams[0].roles == (Role.DETECT, Role.RECORD)
    assert config.models_of(back) == ("people",)
    assert config.models["people"].path == str(tmp_path / "models/people.onnx")
    assert config.rules["short"].when == "count(person) >= 1"
    assert config.rules["short"].cooldown_ns == 10_000_000_000
    assert config.rules["long"].severity.value == "alert"


def test_motion_looks_where_no_model_is_named(tmp_path: Path) -> None:
    config = load(tmp_path, "cameras: {a: {url: rtsp://h/1}}").config
    assert config.models_of(config.cameras["a"]) == ("motion",)
    motion = config.model("motion")
    assert motion is not None
    assert motion.kind == "motion"


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("a${A}b${B}c", {"A": "1", "B": "2"}, "a1b2c"),
        ("${A:-none}", {}, "none"),
        ("${A:-none}", {"A": ""}, "none"),
        ("${A:-none}", {"A": "some"}, "some"),
        ("${A:-}", {}, ""),
        ("$${A}", {"A": "x"}, "${A}"),
        ("$A and $5", {}, "$A and $5"),
        ("${A}", {"A": "${B}"}, "${B}"),
    ],
)
def test_variables(text: str, environ: dict[str, str], expected: str, tmp_path: Path) -> None:
    config = load(
        tmp_path, f"cameras: {{a: {{url: rtsp://h/1}}}}\nlogging: {{}}\nevents_file: '/{text}'\n", environ
    ).config
    assert config.events_file == f"/{expected}"


def test_variables_become_numbers_where_numbers_belong(tmp_path: Path) -> None:
    text = "cameras: {a: {url: rtsp://h/1}}\nmetrics: {port: '${PORT}', enabled: '${ON}'}\n"
    config = load(tmp_path, text, {"PORT": "9191", "ON": "false"}).config
    assert (config.metrics.port, config.metrics.enabled) == (9191, False)


def test_keys_are_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be a name"):
        load(tmp_path, "cameras: {'${A}': {url: rtsp://h/1}}\n", {"A": "x"})


def test_merges_say_a_thing_once(tmp_path: Path) -> None:
    text = (
        "cameras:\n  a: &a {url: rtsp://h/1, detect: {fps: 2}}\n"
        "  b:\n    <<: *a\n    url: rtsp://h/2\n  c: {<<: *a, detect: {fps: 3}}\n"
    )
    cameras = load(tmp_path, text).config.cameras
    assert [(c.url, c.detect.fps) for c in cameras.values()] == [
        ("rtsp://h/1", 2),
        ("rtsp://h/2", 2),
        ("rtsp://h/1", 3),
    ]


def test_yaml_is_read_as_version_1_2(tmp_path: Path) -> None:
    text = "cameras: {no: {url: rtsp://h/1, detect: {priority: 0o10}}, 1: {url: rtsp://h/2}}\n"
    cameras = load(tmp_path, text).config.cameras
    assert list(cameras) == ["no", "1"]
    assert cameras["no"].detect.priority == 8


def test_an_outline_that_crosses_itself_is_a_warning(tmp_path: Path) -> None:
    loaded = load(tmp_path, 'cameras: {a: {url: rtsp://h/1, zones: {z: {coordinates: "0,0,1,1,1,0,0,1"}}}}\n')
    assert [warning.what for warning in loaded.warnings] == ["the outline crosses itself"]


def test_rule_checks_point_into_the_text(tmp_path: Path) -> None:
    asked: list[RuleQuestion] = []

    def check(question: RuleQuestion) -> list[RuleProblem]:
        asked.append(question)
        return [RuleProblem("no zone 'gat'", "did you mean gate?", question.when.index("gat)"), 3)]

    file = tmp_path / "c.yaml"
    file.write_text(
        "cameras:\n  a: {url: rtsp://h/1, zones: {gate: {coordinates: '0,0,1,0,1,1'}}}\n  b: {url: rtsp://h/2}\n"
        '  off: {url: rtsp://h/3, enabled: false}\nrules:\n  r: {when: "count(person in gat) >= 1"}\n'
    )
    with pytest.raises(ConfigError) as caught:
        load_config(file, {}, rule_check=check, files=False)
    assert [(question.camera, [zone for zone, _ in question.zones]) for question in asked] == [
        ("a", ["gate"]),
        ("b", []),
    ]
    told = str(caught.value).splitlines()
    assert told[0].endswith("c.yaml:6:30: rules.r.when: no zone 'gat'; did you mean gate?")
    assert told[1][told[2].index("^") : told[2].rindex("^") + 1] == "gat"
    assert len(told) == 3


def test_quick_names() -> None:
    config = quick_config(
        ["rtsp://h/1", "video/a b.mp4", "video2/a b.mp4", "gate=rtsp://h/2"],
        ["yolo.onnx"],
        ["count(person) >= 1", "still=not motion"],
        base=Path("/base"),
        files=False,
    ).config
    assert {name: camera.url for name, camera in config.cameras.items()} == {
        "camera1": "rtsp://h/1",
        "a_b": "/base/video/a b.mp4",
        "a_b_2": "/base/video2/a b.mp4",
        "gate": "rtsp://h/2",
    }
    assert list(config.models) == ["yolo", "motion"]
    assert {name: rule.when for name, rule in config.rules.items()} == {
        "rule1": "count(person) >= 1",
        "still": "not motion",
    }


@pytest.mark.parametrize("rule", ["count(motion) >= 1 for 1s", "motion > 0.1"])
def test_quick_rules_on_motion_need_no_model(rule: str) -> None:
    config = quick_config(["rtsp://h/1"], [], [rule], base=Path("/"), files=False).config
    assert config.models_of(config.cameras["camera1"]) == ("motion",)


def test_quick_rules_on_things_need_a_model() -> None:
    with pytest.raises(ConfigError) as caught:
        quick_config(["rtsp://h/1"], [], ["count(person) >= 2"], base=Path("/"), files=False)
    assert str(caught.value) == (
        "command line: --rule rule1: 'count(person) >= 2' speaks of 'person', and no model is given that could "
        "see one; add --model FILE.onnx"
    )


def test_quick_rule_errors_have_a_caret() -> None:
    with pytest.raises(ConfigError) as caught:
        quick_config(
            ["rtsp://h/1"],
            rules=["motion >"],
            base=Path("/"),
            rule_check=lambda _: [RuleProblem("the rule ends here", "", 8)],
            files=False,
        )
    assert str(caught.value).splitlines()[1:] == ["       | motion >", "       |         ^"]


def test_the_reference_page_is_up_to_date() -> None:
    page = Path(__file__).parents[3] / "docs" / "configuration.md"
    assert page.read_text(encoding="utf-8") == reference_markdown(), (
        "run: penstock schema --markdown > docs/configuration.md"
    )


def test_the_example_of_the_reference_page_is_correct(tmp_path: Path) -> None:
    example = reference_markdown().split("```yaml\n")[1].split("```")[0]
    assert list(load(tmp_path, example, {"CAM_PASSWORD": "x"}).config.cameras) == ["front"]


def test_the_json_schema_has_every_key_under_the_name_of_the_file() -> None:
    properties = json_schema()["$defs"]["Detect"]["properties"]
    assert set(properties) == {"fps", "min_fps", "budget", "priority", "weight", "decode"}
    assert properties["budget"]["description"]


def test_the_examples_of_the_guide_are_correct(tmp_path: Path) -> None:
    guide = Path(__file__).parents[3] / "docs" / "guide" / "configuration.md"
    examples = [part.split("```")[0] for part in guide.read_text(encoding="utf-8").split("```yaml\n")[1:]]
    assert len(examples) >= 3
    for example in examples:
        assert load(tmp_path, example, {"CAM_PASSWORD": "x"}).warnings == ()


@given(st.integers(0, 10**14))
def test_written_durations_are_read_back(ns: int) -> None:
    assert duration_ns(written_duration(ns)) == ns


@given(st.integers(1, 2**40))
def test_written_sizes_are_read_back(size: int) -> None:
    assert size_bytes(written_size(size)) == size


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=3, max_size=3))
def test_no_triangle_crosses_itself(points: list[tuple[int, int]]) -> None:
    assert not crosses_itself(tuple((x / 20, y / 20) for x, y in points))


@given(st.text(max_size=12), st.lists(st.text(min_size=1, max_size=12), max_size=20))
def test_suggestions_are_known_names_or_nothing(word: str, known: list[str]) -> None:
    found = closest(word, known)
    assert not found.startswith("did you mean") or found[len("did you mean ") : -1] in known


def test_key_paths_read_as_people_write_them() -> None:
    assert dotted(("cameras", "front", "inputs", 0, "path")) == "cameras.front.inputs[0].path"


def test_defaults_are_a_complete_configuration() -> None:
    config = Config.model_validate({"cameras": {"a": {"url": "rtsp://h/1"}}})
    assert (config.isolation, config.metrics.port, config.logging.format) == ("process", 9090, "human")

"""Every mistake is told with its line, its place in that line, and what to do."""

from pathlib import Path

import pytest

from penstock.config.loader import load_config
from penstock.config.problems import ConfigError

HEAD = """\
cameras:
  front:
    url: rtsp://10.0.0.5/stream1
"""

CASES = {
    "unknown key, close to a known one": (
        HEAD + "    detect: {fsp: 5}\n",
        """\
c.yaml:4:14: cameras.front.detect.fsp: unknown key; did you mean fps?
     4 |     detect: {fsp: 5}
       |              ^^^""",
    ),
    "unknown key at the top": (
        HEAD + "modells: {}\n",
        """\
c.yaml:4:1: modells: unknown key; did you mean models?
     4 | modells: {}
       | ^^^^^^^""",
    ),
    "a key from elsewhere": (
        HEAD + "    ffmpeg: {inputs: []}\n",
        """\
c.yaml:4:5: cameras.front.ffmpeg: unknown key; write `inputs:` directly under the camera
     4 |     ffmpeg: {inputs: []}
       |     ^^^^^^""",
    ),
    "wrong type": (
        HEAD + "    detect: {fps: fast}\n",
        """\
c.yaml:4:19: cameras.front.detect.fps: expected a number, not 'fast'
     4 |     detect: {fps: fast}
       |                   ^^^^""",
    ),
    "a list where a section belongs": (
        HEAD + "    detect: [1]\n",
        """\
c.yaml:4:13: cameras.front.detect: expected keys and values, not a list
     4 |     detect: [1]
       |             ^^^""",
    ),
    "out of bounds": (
        HEAD + "metrics: {port: 70000}\n",
        """\
c.yaml:4:17: metrics.port: must be at most 65535, not 70000
     4 | metrics: {port: 70000}
       |                 ^^^^^""",
    ),
    "not one of the choices": (
        HEAD + "isolation: proces\n",
        """\
c.yaml:4:12: isolation: 'proces' is not one of process, thread; did you mean process?
     4 | isolation: proces
       |            ^^^^^^""",
    ),
    "no unit of time": (
        HEAD + "    detect: {budget: 500mss}\n",
        """\
c.yaml:4:22: cameras.front.detect.budget: '500mss' is not a duration such as 250ms, 30s, 1m30s or 2h
     4 |     detect: {budget: 500mss}
       |                      ^^^^^^""",
    ),
    "no value": (
        HEAD + "    snapshots:\n",
        """\
c.yaml:4:5: cameras.front.snapshots: has no value; give it one, or remove the line
     4 |     snapshots:
       |     ^^^^^^^^^""",
    ),
    "missing key": (
        HEAD + "rules:\n  two: {cooldown: 10s}\n",
        """\
c.yaml:5:3: rules.two: `when` is missing; write the condition: `when: count(person) >= 1 for 1s`
     5 |   two: {cooldown: 10s}
       |   ^^^""",
    ),
    "zone with two points": (
        HEAD + '    zones:\n      gate: {coordinates: "0.1,0.2,0.5,0.2"}\n',
        """\
c.yaml:5:27: cameras.front.zones.gate.coordinates: a zone needs at least 3 points, and this one has 2
     5 |       gate: {coordinates: "0.1,0.2,0.5,0.2"}
       |                           ^^^^^^^^^^^^^^^^^""",
    ),
    "zone in pixels": (
        HEAD + "    zones: {gate: {coordinates: [[10, 20], [300, 20], [10, 300]]}}\n",
        """\
c.yaml:4:33: cameras.front.zones.gate.coordinates: coordinates are fractions of the picture between 0 and 1, \
not 10; divide pixels by the width and height of the picture
     4 |     zones: {gate: {coordinates: [[10, 20], [300, 20], [10, 300]]}}
       |                                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^""",
    ),
    "half a point": (
        HEAD + '    zones: {gate: {coordinates: "0,0,1,0,1"}}\n',
        """\
c.yaml:4:33: cameras.front.zones.gate.coordinates: has 5 numbers, but every point needs an x and a y
     4 |     zones: {gate: {coordinates: "0,0,1,0,1"}}
       |                                 ^^^^^^^^^^^""",
    ),
    "duplicate key": (
        HEAD + "    record:\n      pre_capture: 5s\n      pre_capture: 6s\n",
        """\
c.yaml:6:7: cameras.front.record.pre_capture: duplicate key; it is already in line 5
     6 |       pre_capture: 6s
       |       ^^^^^^^^^^^""",
    ),
    "a name that is none": (
        "cameras:\n  back door: {url: rtsp://10.0.0.5/x}\n",
        """\
c.yaml:2:3: cameras.back door: 'back door' cannot be a name; use at most 64 letters, digits, _ and -
     2 |   back door: {url: rtsp://10.0.0.5/x}
       |   ^^^^^^^^^""",
    ),
    "unknown model": (
        HEAD + "    models: [peple]\nmodels:\n  people: {path: m.onnx}\n",
        """\
c.yaml:4:14: cameras.front.models[0]: there is no model 'peple'; did you mean people?
     4 |     models: [peple]
       |              ^^^^^""",
    ),
    "unknown camera in a rule": (
        HEAD + 'rules:\n  r: {when: "count(motion) >= 1", cameras: [fornt]}\n',
        """\
c.yaml:5:45: rules.r.cameras[0]: there is no camera 'fornt'; did you mean front?
     5 |   r: {when: "count(motion) >= 1", cameras: [fornt]}
       |                                             ^^^^^""",
    ),
    "unknown class among the labels": (
        HEAD + "models:\n  m: {path: m.onnx, class_names: [person, car], labels: [persn]}\n",
        """\
c.yaml:5:58: models.m.labels[0]: the model has no class 'persn'; did you mean person?
     5 |   m: {path: m.onnx, class_names: [person, car], labels: [persn]}
       |                                                          ^^^^^""",
    ),
    "unknown kind of address": (
        "cameras: {a: {url: rtps://10.0.0.5/x}}\n",
        """\
c.yaml:1:20: cameras.a.url: addresses with rtps:// are not known; did you mean rtsps?
     1 | cameras: {a: {url: rtps://10.0.0.5/x}}
       |                    ^^^^^^^^^^^^^^^^^""",
    ),
    "a role given twice": (
        "cameras:\n  a:\n    inputs:\n      - path: rtsp://h/1\n      - {path: rtsp://h/2, roles: [record]}\n",
        """\
c.yaml:5:36: cameras.a.inputs[1].roles[0]: another input of this camera has the role record already; \
give each role once
     5 |       - {path: rtsp://h/2, roles: [record]}
       |                                    ^^^^^^""",
    ),
    "short and long form together": (
        HEAD + "    inputs: [{path: rtsp://h/1}]\n",
        """\
c.yaml:3:5: cameras.front.url: `url` is the short form of `inputs`, and both are given; keep one
     3 |     url: rtsp://10.0.0.5/stream1
       |     ^^^""",
    ),
    "nothing to detect on": (
        "cameras:\n  a:\n    inputs: [{path: rtsp://h/1, roles: [record]}]\n",
        """\
c.yaml:3:5: cameras.a.inputs: no input has the role detect; add `detect` to the roles of one
     3 |     inputs: [{path: rtsp://h/1, roles: [record]}]
       |     ^^^^^^""",
    ),
    "no camera is on": (
        HEAD + "    enabled: false\n",
        """\
c.yaml:1:1: cameras: no camera is enabled; set `enabled: true` for at least one
     1 | cameras:
       | ^^^^^^^""",
    ),
    "longer before the event than is kept": (
        HEAD + "    record: {pre_capture: 90s}\n",
        """\
c.yaml:4:27: cameras.front.record.pre_capture: longer than the 1 m that are kept in memory; \
shorten it, or raise buffer.duration
     4 |     record: {pre_capture: 90s}
       |                           ^^^""",
    ),
    "a variable that is not set": (
        "cameras: {a: {url: 'rtsp://10.0.0.5/${CHANNEL}'}}\n",
        """\
c.yaml:1:37: cameras.a.url: the environment variable CHANNEL is not set; set it, or write ${CHANNEL:-default}
     1 | cameras: {a: {url: 'rtsp://10.0.0.5/${CHANNEL}'}}
       |                                     ^^^^^^^^^^""",
    ),
    "an unfinished variable": (
        HEAD + "data_dir: /data/${NAME\n",
        """\
c.yaml:4:17: data_dir: unfinished ${…}; write ${NAME} or ${NAME:-default}, and $${ for the signs themselves
     4 | data_dir: /data/${NAME
       |                 ^^""",
    ),
    "a variable in braces without quotes": (
        "cameras: {a: {url: ${URL}}}\n",
        """\
c.yaml:1:21: while parsing a flow mapping expected ',' or '}', but got '{'; \
put text with ${…} inside { } or [ ] in quotes
     1 | cameras: {a: {url: ${URL}}}
       |                     ^""",
    ),
    "a tab": (
        "cameras:\n\tfront: {}\n",
        """\
c.yaml:2:1: while scanning for the next token found character '\\t' that cannot start any token; \
indent with spaces, not with tabs
     2 | \tfront: {}
       | ^""",
    ),
    "a colon in plain text": (
        HEAD + "data_dir: a: b\n",
        """\
c.yaml:4:12: mapping values are not allowed here; put text that contains ': ' in quotes, and check the indentation
     4 | data_dir: a: b
       |            ^""",
    ),
    "a tag": (
        HEAD + "data_dir: !secret folder\n",
        """\
c.yaml:4:11: data_dir: the tag !secret is not known here; remove it
     4 | data_dir: !secret folder
       |           ^^^^^^^^^^^^^^""",
    ),
    "a control character": (
        HEAD + "data_dir: a\x7fb\n",
        """\
c.yaml:4:12: the character U+007F has no place in a text file; remove it
     4 | data_dir: a\x7fb
       |            ^""",
    ),
    "an empty file": (
        "",
        "c.yaml: `cameras` is missing; name at least one camera: `cameras: {front: {url: rtsp://…}}`",
    ),
    "text that is no configuration": (
        "hello\n",
        "c.yaml:1:1: expected keys and values, not 'hello'\n     1 | hello\n       | ^^^^^",
    ),
}


def message_of(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> str:
    file = tmp_path / "c.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(file, environ or {}, files=False)
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("name", CASES)
def test_message(name: str, tmp_path: Path) -> None:
    text, expected = CASES[name]
    assert message_of(tmp_path, text) == expected


def test_all_errors_of_a_file_are_told_in_order(tmp_path: Path) -> None:
    text = HEAD + "    detect: {fsp: 5, budget: soon}\n    zones: {a: {coordinates: '0,0,1,1'}}\nmodells: {}\n"
    places = [line.split(": ")[0] for line in message_of(tmp_path, text).splitlines() if line.startswith("c.yaml")]
    assert places == ["c.yaml:4:14", "c.yaml:4:30", "c.yaml:5:30", "c.yaml:6:1"]


@pytest.mark.parametrize(
    "line",
    [
        "    detect: {fps: '${SECRET}'}",
        "    detect: {budget: '${SECRET}'}",
        "    detect: {priority: '1${SECRET}'}",
        "    models: ['${SECRET}']",
        "    zones: {a: {coordinates: '${SECRET}'}}",
        "    inputs: [{path: 'x://u:${SECRET}@h', roles: ['${SECRET}']}]",
        "isolation: '${SECRET}'",
        "data_dir: '${SECRET}/${UNSET}'",
        "rules: {r: {when: a, cameras: ['${SECRET}']}}",
    ],
)
def test_no_secret_is_told(line: str, tmp_path: Path) -> None:
    message = message_of(tmp_path, f"{HEAD}{line}\n", {"SECRET": "hunter2 or so"})
    assert "hunter2" not in message
    assert "${SECRET}" in message


def test_credentials_in_the_file_are_hidden_and_the_caret_still_points(tmp_path: Path) -> None:
    message = message_of(tmp_path, "cameras: {a: {url: rtsp://admin:hunter2@10.0.0.5/x, fps: 5}}\n")
    assert "hunter2" not in message
    _, line, caret = message.splitlines()
    assert line[caret.index("^") :].startswith("fps: 5")


def test_the_caret_is_under_what_was_hidden(tmp_path: Path) -> None:
    message = message_of(tmp_path, "cameras: {a: {url: 'rtsp://admin:${PASSWORD}@10.0.0.5/x'}}\n")
    _, line, caret = message.splitlines()
    assert line[caret.index("^") : caret.rindex("^") + 1] == "***"


def test_an_alias_that_stands_for_billions_is_refused(tmp_path: Path) -> None:
    lines = ["cameras:", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert "more than 100000 values" in message_of(tmp_path, "\n".join(lines))


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("absent.yaml", None, "there is no such file; check the name, or run without a file"),
        ("latin.yaml", "a: 1\nname: Käfer".encode("latin-1"), "line 2 is not UTF-8 text; save it as UTF-8"),
        (
            "video.mp4",
            b"x" * 2_000_000,
            "it is larger than 1048576 bytes; a configuration is text; is this the right file?",
        ),
    ],
)
def test_a_file_that_cannot_be_read(name: str, data: bytes | None, expected: str, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / name, {})
    assert str(caught.value) == f"{tmp_path / name}: {expected}"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it is a folder; name the YAML file in it"):
        load_config(tmp_path, {})


def test_files_that_must_be_here(tmp_path: Path) -> None:
    (tmp_path / "people.onnx").touch()
    (tmp_path / "taken").touch()
    file = tmp_path / "c.yaml"
    file.write_text("data_dir: taken\ncameras: {a: {url: b.mp4}}\nmodels: {m: {path: peple.onnx}}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(file, {})
    told = [line.replace(f"{tmp_path}/", "") for line in str(caught.value).splitlines() if "c.yaml" in line]
    assert told == [
        "c.yaml:1:11: data_dir: taken is a file, not a folder; name another folder",
        "c.yaml:2:20: cameras.a.url: there is no file b.mp4; check the path",
        "c.yaml:3:20: models.m.path: there is no file peple.onnx; did you mean people.onnx?",
    ]

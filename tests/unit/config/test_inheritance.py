"""What cameras inherit: who wins, what placeholders become, and where mistakes are told."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config import inheritance
from penstock.config.document import parse
from penstock.config.effective import effective_camera, rendered
from penstock.config.inheritance import inherit
from penstock.config.loader import LoadedConfig, load_config
from penstock.config.problems import ConfigError
from penstock.contracts.specs import Transport


def load(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> LoadedConfig:
    file = tmp_path / "c.yaml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, environ or {}, files=False)


def told(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """The first line of every problem."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, environ)
    return [str(problem).splitlines()[0].replace(f"{tmp_path}/", "") for problem in caught.value.problems]


MERGES: dict[str, tuple[str, dict[str, Any]]] = {
    "defaults reach every camera": ("defaults: {detect: {fps: 2}}\ncameras: {a: {url: r://h}}", {"detect": {"fps": 2}}),
    "a template wins over defaults": (
        (
            "defaults: {detect: {fps: 2, priority: 1}}\ntemplates: {t: {detect: {fps: 3}}}\n"
            "cameras: {a: {url: r://h, template: t}}"
        ),
        {"detect": {"fps": 3, "priority": 1}},
    ),
    "the camera wins over its template": (
        "templates: {t: {detect: {fps: 3, priority: 2}}}\ncameras: {a: {url: r://h, template: t, detect: {fps: 4}}}",
        {"detect": {"fps": 4, "priority": 2}},
    ),
    "a later template wins": (
        "templates: {t: {detect: {fps: 3}}, u: {detect: {fps: 4}}}\ncameras: {a: {url: r://h, template: [t, u]}}",
        {"detect": {"fps": 4}},
    ),
    "a template wins over what it builds on": (
        (
            "templates: {t: {detect: {fps: 3, priority: 2}}, u: {template: t, detect: {fps: 4}}}\n"
            "cameras: {a: {url: r://h, template: u}}"
        ),
        {"detect": {"fps": 4, "priority": 2}},
    ),
    "lists are replaced": (
        "defaults: {models: [motion, people]}\ncameras: {a: {url: r://h, models: [motion]}}",
        {"models": ["motion"]},
    ),
    "zones are merged by name": (
        (
            "defaults: {zones: {x: {coordinates: '0,0,1,0,1,1'}}}\n"
            "cameras: {a: {url: r://h, zones: {y: {coordinates: '0,0,1,0,0,1'}}}}"
        ),
        {"zones": {"x": {"coordinates": "0,0,1,0,1,1"}, "y": {"coordinates": "0,0,1,0,0,1"}}},
    ),
    "null replaces": (
        (
            "defaults: {detect: {fps: 2}, zones: {x: {coordinates: '0,0,1,0,1,1'}}}\n"
            "cameras: {a: {url: r://h, detect: null, zones: {x: null}}}"
        ),
        {"detect": None, "zones": {"x": None}},
    ),
    "what follows null begins anew": (
        (
            "defaults: {detect: {fps: 2, priority: 1}}\ntemplates: {t: {detect: null}}\n"
            "cameras: {a: {url: r://h, template: t, detect: {fps: 4}}}"
        ),
        {"detect": {"fps": 4}},
    ),
    "inputs take the place of an inherited url": (
        "defaults: {url: 'r://{name}'}\ncameras: {a: {inputs: [{path: r://h}]}}",
        {"url": None, "inputs": [{"path": "r://h"}]},
    ),
    "and a url that of inherited inputs": (
        "templates: {t: {inputs: [{path: r://x}]}}\ncameras: {a: {template: t, url: r://h}}",
        {"url": "r://h", "inputs": None},
    ),
    "keys of nobody are anchors' place": (
        "x-fast: &fast {fps: 9}\ncameras: {a: {url: r://h, detect: {<<: *fast, priority: 1}}}",
        {"detect": {"fps": 9, "priority": 1}},
    ),
    "merges of merges": (
        "x-a: &a {fps: 9, priority: 1}\nx-b: &b {<<: *a, fps: 8}\ncameras: {a: {url: r://h, detect: {<<: *b}}}",
        {"detect": {"fps": 8, "priority": 1}},
    ),
    "of merged mappings the first wins": (
        "x-a: &a {fps: 9}\nx-b: &b {fps: 8, priority: 3}\ncameras: {a: {url: r://h, detect: {<<: [*a, *b]}}}",
        {"detect": {"fps": 9, "priority": 3}},
    ),
}


@pytest.mark.parametrize("name", MERGES)
def test_merging(name: str) -> None:
    text, expected = MERGES[name]
    document = parse(text, "c.yaml", {})
    camera = inherit(document)["cameras"]["a"]
    assert document.problems == []
    assert {key: camera.get(key) for key in expected} == expected


PLACEHOLDERS: dict[str, tuple[str, str, dict[str, str], str]] = {
    "the camera's name": ("u: r://{name}", "values: {}", {}, "r://a"),
    "a value": ("u: r://{number}", "values: {number: 12}", {}, "r://12"),
    "a number as it is written": ("u: r://{number}", "values: {number: 007}", {}, "r://007"),
    "a truth value": ("u: r://{on}", "values: {on: true}", {}, "r://true"),
    "twice": ("u: r://{n}/{n}", "values: {n: 1}", {}, "r://1/1"),
    "braces": ("u: r://{{name}}/{}/{1,2}/{ x }", "values: {}", {}, "r://{name}/{}/{1,2}/{ x }"),
    "a variable as a value": ("u: r://{pw}@h", "values: {pw: '${PW}'}", {"PW": "s3{name}"}, "r://s3{name}@h"),
    "a variable beside a value": ("u: r://${PW}@{n}", "values: {n: 1}", {"PW": "{n}${PW}"}, "r://{n}${PW}@1"),
    "a variable's default": ("u: ${H:-r://}{n}", "values: {n: 1}", {}, "r://1"),
    "signs themselves": ("u: r://$${n}", "values: {n: 1}", {}, "r://${n}"),
}


@pytest.mark.parametrize("name", PLACEHOLDERS)
def test_placeholders(name: str, tmp_path: Path) -> None:
    url, values, environ, expected = PLACEHOLDERS[name]
    text = f"templates: {{t: {{url: '{url[3:]}'}}}}\ncameras: {{a: {{template: t, {values}}}}}\n"
    document = parse(text, "c.yaml", environ)
    assert inherit(document)["cameras"]["a"]["url"] == expected
    assert [problem for problem in document.problems if not problem.warning] == []


def test_values_are_inherited_and_overridden(tmp_path: Path) -> None:
    text = (
        "defaults: {values: {stream: 1, host: h}}\ntemplates: {t: {url: 'rtsp://{host}/{stream}', values: {host: i}}}\n"
        "cameras: {a: {template: t}, b: {template: t, values: {stream: 2}}}\n"
    )
    cameras = load(tmp_path, text).config.cameras
    assert [camera.url for camera in cameras.values()] == ["rtsp://i/1", "rtsp://i/2"]


def test_placeholders_may_stand_for_numbers(tmp_path: Path) -> None:
    text = "defaults: {url: 'rtsp://{name}', detect: {priority: '{p}'}}\ncameras: {a: {values: {p: 3}}}\n"
    assert load(tmp_path, text).config.cameras["a"].detect.priority == 3


def test_settings_of_all_inputs(tmp_path: Path) -> None:
    text = (
        "defaults: {input: {transport: udp, open_timeout: 2s, options: {buffer_size: 9}}}\ncameras:\n"
        "  a: {inputs: [{path: rtsp://h/1}, {path: rtsp://h/2, transport: null, roles: []}]}\n"
        "  b: {url: rtsp://h/3}\n  c: {url: rtsp://h/4, input: {transport: null}}\n"
    ).replace(", roles: []", "")
    text = text.replace("{path: rtsp://h/1}", "{path: rtsp://h/1, roles: [detect]}")
    text = text.replace("transport: null}]", "transport: null, roles: [record]}]")
    streams = [stream for camera in load(tmp_path, text).config.cameras.values() for stream in camera.streams]
    assert [stream.transport for stream in streams] == [Transport.UDP, Transport.TCP, Transport.UDP, Transport.TCP]
    assert {stream.open_timeout_ns for stream in streams} == {2_000_000_000}
    assert {stream.options["buffer_size"] for stream in streams} == {"9"}


def test_the_authority_of_all_inputs_is_found_beside_the_file(tmp_path: Path) -> None:
    text = "cameras: {a: {url: rtsps://h/1, input: {tls_ca: ca.pem}}}\n"
    (stream,) = load(tmp_path, text).config.cameras["a"].streams
    assert stream.tls_ca == str(tmp_path / "ca.pem")
    with pytest.raises(ConfigError, match=r"c.yaml:1:49: cameras.a.input.tls_ca: there is no file"):
        load_config(tmp_path / "c.yaml", {})


HALL = """\
templates:
  hall:
    url: rtsp://viewer:${PW}@10.0.0.{number}/1
    detect: {fps: fast}
cameras:
  one: {template: hall, values: {number: 11}}
  two: {template: hall, values: {number: 12}}
"""

MISTAKES: dict[str, tuple[str, list[str]]] = {
    "in a template, once for all its cameras": (
        HALL,
        [
            "c.yaml:4:19: templates.hall.detect.fps: expected a number, not 'fast' (used by cameras one and two)",
        ],
    ),
    "in a template that nobody uses": (
        "templates: {t: {detect: {fsp: 1}}}\ncameras: {a: {url: rtsp://h/1}}\n",
        ["c.yaml:1:26: templates.t.detect.fsp: unknown key; did you mean fps?"],
    ),
    "in a template, covered by the camera": (
        "templates: {t: {detect: {fps: fast}}}\ncameras: {a: {template: t, url: rtsp://h/1, detect: {fps: 1}}}\n",
        ["c.yaml:1:31: templates.t.detect.fps: expected a number, not 'fast'"],
    ),
    "in the defaults": (
        "defaults: {models: [peple]}\ncameras: {a: {url: rtsp://h}, b: {url: rtsp://h}}\nmodels: {people: {path: m}}\n",
        ["c.yaml:1:21: defaults.models[0]: there is no model 'peple' (used by cameras a and b); did you mean people?"],
    ),
    "an unknown template": (
        "templates: {hall: {}}\ncameras: {a: {url: rtsp://h/1, template: hal}}\n",
        ["c.yaml:2:42: cameras.a.template: there is no template 'hal'; did you mean hall?"],
    ),
    "an unknown template in a list": (
        "templates: {hall: {}}\ncameras: {a: {url: rtsp://h/1, template: [hall, yard]}}\n",
        ["c.yaml:2:49: cameras.a.template[1]: there is no template 'yard'; known: hall"],
    ),
    "no templates at all": (
        "cameras: {a: {url: rtsp://h/1, template: hall}}\n",
        ["c.yaml:1:42: cameras.a.template: there is no template 'hall'; write it under `templates:`"],
    ),
    "a circle": (
        "templates:\n  a: {template: b}\n  b: {template: c}\n  c: {template: a}\ncameras: {x: {url: rtsp://h/1}}\n",
        [
            (
                "c.yaml:4:17: templates.c.template: templates build on each other in a circle: a → b → c → a; "
                "break it at one of them"
            )
        ],
    ),
    "a template of itself": (
        "templates: {a: {template: a}}\ncameras: {x: {url: rtsp://h/1}}\n",
        [
            (
                "c.yaml:1:27: templates.a.template: templates build on each other in a circle: a → a; "
                "break it at one of them"
            )
        ],
    ),
    "a value that is missing": (
        "templates:\n  t: {url: 'rtsp://{number}/1'}\ncameras:\n  a: {template: t}\n  b: {template: t}\n",
        [
            (
                "c.yaml:2:20: templates.t.url: {number} is not among the camera's values (used by cameras a and b); "
                "write `values: {number: …}`, or {{number}} for the braces themselves"
            )
        ],
    ),
    "a value by another name": (
        "templates:\n  t: {url: 'rtsp://{number}/1'}\ncameras:\n  a: {template: t, values: {numbr: 1}}\n",
        [
            (
                "c.yaml:2:20: templates.t.url: {number} is not among the camera's values (used by camera a); "
                "did you mean numbr?"
            ),
            (
                "c.yaml:4:29: warning: cameras.a.values.numbr: nothing that this camera says or inherits has {numbr}; "
                "remove it"
            ),
        ],
    ),
    "a variable without its sign": (
        "cameras:\n  a: {url: 'rtsp://u:{CAMERA_PASSWORD}@h/1'}\n",
        [
            (
                "c.yaml:2:22: cameras.a.url: {CAMERA_PASSWORD} is not among the camera's values; "
                "a variable of the environment is written ${CAMERA_PASSWORD}"
            )
        ],
    ),
    "a placeholder that becomes nonsense": (
        "defaults: {url: 'rtsp://{name}', detect: {fps: '{fps}'}}\ncameras: {a: {values: {fps: slow}}}\n",
        ["c.yaml:1:48: defaults.detect.fps: expected a number, not 'slow' (used by camera a)"],
    ),
    "the name as a value": (
        "cameras: {a: {url: rtsp://h/1, values: {name: b}}}\n",
        ["c.yaml:1:41: cameras.a.values.name: {name} is always the camera's own name; name the value otherwise"],
    ),
    "inputs under input": (
        "cameras: {a: {input: [{path: rtsp://h/1}]}}\n",
        [
            (
                "c.yaml:1:22: cameras.a.input: expected keys and values, not a list; "
                "several streams are written under `inputs`"
            )
        ],
    ),
    "a setting of all inputs, told once": (
        "cameras: {a: {input: {transport: tpc}, inputs: [{path: rtsp://h/1}]}}\n",
        ["c.yaml:1:34: cameras.a.input.transport: 'tpc' is not one of tcp, udp; did you mean tcp?"],
    ),
    "a merge of something else": (
        "x-a: &a [1]\ncameras: {a: {<<: *a, url: rtsp://h/1}}\n",
        ["c.yaml:2:15: only a mapping can be merged with <<"],
    ),
    "in what was merged": (
        "x-a: &a\n  detect: {fps: fast}\ncameras: {a: {<<: *a, url: rtsp://h/1}}\n",
        ["c.yaml:2:17: cameras.a.detect.fps: expected a number, not 'fast'"],
    ),
    "unknown keys hide nothing": (
        (
            "cameras: {a: {urll: rtps://h/1, models: [peple]}}\nmodells: {people: {path: m.onnx}}\n"
            "rules: {r: {when: x, cameras: [b], cooldwn: 1s}}\n"
        ),
        [
            "c.yaml:1:15: cameras.a.urll: unknown key; did you mean url?",
            "c.yaml:1:21: cameras.a.url: addresses with rtps:// are not known; did you mean rtsps?",
            "c.yaml:1:42: cameras.a.models[0]: there is no model 'peple'; did you mean people?",
            "c.yaml:2:1: modells: unknown key; did you mean models?",
            "c.yaml:3:32: rules.r.cameras[0]: there is no camera 'b'; known: a",
            "c.yaml:3:36: rules.r.cooldwn: unknown key; did you mean cooldown?",
        ],
    ),
    "nor are they told twice": (
        "cameras: {a: {adress: rtsp://h/1}}\n",
        ["c.yaml:1:15: cameras.a.adress: unknown key"],
    ),
    "a variable that is not set hides nothing": (
        "cameras: {a: {url: '${CAM}', models: [peple]}}\nmodels: {people: {path: m.onnx}}\n",
        [
            "c.yaml:1:21: cameras.a.url: the environment variable CAM is not set; set it, or write ${CAM:-default}",
            "c.yaml:1:39: cameras.a.models[0]: there is no model 'peple'; did you mean people?",
        ],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, tmp_path: Path) -> None:
    text, expected = MISTAKES[name]
    assert told(tmp_path, text, {"PW": "x"}) == expected


def test_many_cameras_are_counted(tmp_path: Path) -> None:
    cameras = "".join(f"  c{i}: {{}}\n" for i in range(20))
    text = f"defaults: {{url: rtsp://h/1, detect: {{fps: fast}}}}\ncameras:\n{cameras}"
    assert told(tmp_path, text) == [
        "c.yaml:1:43: defaults.detect.fps: expected a number, not 'fast' (used by cameras c0, c1, c2 and 17 more)"
    ]


def test_a_secret_of_a_value_is_not_told(tmp_path: Path) -> None:
    text = "defaults: {url: 'rtsp://{name}', detect: {fps: '{pw}'}}\ncameras: {a: {values: {pw: '${PW}'}}}\n"
    assert told(tmp_path, text, {"PW": "hunter2 or so"}) == [
        "c.yaml:1:48: defaults.detect.fps: expected a number, not '${PW}' (used by camera a)"
    ]


def test_templates_that_stand_for_billions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inheritance, "MAX_VALUES", 1000)
    zones = "".join(f"      z{i}: {{coordinates: '0,0,1,0,1,1'}}\n" for i in range(40))
    cameras = "".join(f"  c{i}: {{}}\n" for i in range(40))
    message = told(tmp_path, f"defaults:\n  url: rtsp://h/1\n  zones:\n{zones}cameras:\n{cameras}")
    assert "cameras.c24: with it, all cameras have more than 1000 values; inherit less" in message[0]


def test_diamonds_of_templates_cost_no_more_than_their_lines(tmp_path: Path) -> None:
    lines = "".join(f"  t{i}: {{template: [t{i - 1}, t{i - 1}]}}\n" for i in range(1, 60))
    text = f"templates:\n  t0: {{url: rtsp://h/1}}\n{lines}cameras: {{a: {{template: t59}}}}\n"
    assert load(tmp_path, text).config.cameras["a"].url == "rtsp://h/1"


def test_merges_that_stand_for_billions_are_refused(tmp_path: Path) -> None:
    lines = "".join(f"x-{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 12))
    text = f"x-0: &a0 {{fps: 1}}\n{lines}cameras: {{a: {{url: rtsp://h/1, detect: *a11}}}}\n"
    assert any("more than 100000 values" in line for line in told(tmp_path, text))


def test_what_a_camera_comes_to(tmp_path: Path) -> None:
    text = HALL.replace("fast", "3").replace("number: 12}", "number: 12}, detect: {fps: null}")
    loaded = load(tmp_path, text, {"PW": "hunter2"})
    shown = rendered(effective_camera("two", loaded.config, loaded.document), Path("c.yaml"))
    assert "hunter2" not in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert lines[:4] == [
        "# c.yaml: what its cameras come to, and where each value is written",
        "two:",
        "enabled: true # default",
        "url: rtsp://***@10.0.0.12/1 # templates.hall, line 3",
    ]
    assert "fps: 5 # default, by null in line 7" in lines
    assert "models: [motion] # default" in lines


SCALARS = st.integers(0, 3) | st.none()
SECTION = st.dictionaries(st.sampled_from(["p", "q", "r"]), SCALARS, max_size=3)
CAMERA = st.dictionaries(st.sampled_from(["k", "l", "m"]), SECTION | SCALARS, max_size=3)


def reference_merge(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return {
            key: reference_merge(base.get(key), over[key]) if key in over else base[key] for key in {**base, **over}
        }
    return over


@given(CAMERA, st.lists(CAMERA, min_size=1, max_size=3), CAMERA)
def test_layers_merge_as_dictionaries_do(defaults: Any, templates: list[Any], camera: Any) -> None:
    """Against the rule written in one line, whatever the layers hold."""
    document = parse("", "c.yaml", {})
    names = [f"t{i}" for i in range(len(templates))]
    document.data = {
        "defaults": defaults,
        "templates": dict(zip(names, templates, strict=True)),
        "cameras": {"a": {**camera, "template": names}},
    }
    expected = defaults
    for layer in (*templates, camera):
        expected = reference_merge(expected, layer)
    assert inherit(document)["cameras"]["a"] == expected

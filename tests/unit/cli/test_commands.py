"""Commands as they are typed: what they print, and the code they end with."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console
from typer.testing import CliRunner

from penstock.cli.main import UsageProblem, app, explained, main
from penstock.cli.probe_command import lines
from penstock.cli.run_command import RunOptions, configuration, with_options
from penstock.cli.summary import print_summary
from penstock.config.problems import ConfigError, Problem
from penstock.config.reference import reference_markdown
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.times import TimeBasis
from penstock.sources.probe import ProbeReport
from penstock.telemetry.server import PortUnavailable

runner = CliRunner()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.touch()
    return path


def exit_code(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main([*arguments])
    return caught.value.code


def test_version_names_what_it_is_built_on() -> None:
    lines = dict(line.split(maxsplit=1) for line in runner.invoke(app, ["version"]).stdout.splitlines())
    assert list(lines) == ["penstock", "python", "av", "ffmpeg", "openvino", "onnxruntime", "platform"]


def test_help_begins_with_what_a_newcomer_needs() -> None:
    told = runner.invoke(app, ["--help"], env={"COLUMNS": "100"}).stdout
    named = [line.split()[1] for line in told[told.index("Commands") :].splitlines()[1:] if line[2:3].isalpha()]
    assert named[:4] == ["run", "demo", "check", "probe"]
    assert "simulate" in named


def test_help_of_faults_is_whole() -> None:
    told = runner.invoke(app, ["simulate", "--help"], env={"COLUMNS": "80"}).stdout
    assert "…" not in told
    assert "street:stall@10s+5s" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("simulate", "--setting", "stret"), "Invalid value for '--setting': 'stret' is not one of 'street'"),
        (("run", "--isolation", "proces"), "Invalid value for '--isolation': 'proces' is not one of 'process'"),
    ],
)
def test_a_choice_that_is_none(arguments: tuple[str, ...], told: str) -> None:
    result = runner.invoke(app, arguments, env={"COLUMNS": "160"})
    assert result.exit_code == 2
    assert told in result.output


def test_probe_wants_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("probe", "") == 2
    assert "penstock: no address; write: penstock probe rtsp://HOST/PATH, or a file" in capsys.readouterr().err
    assert exit_code("probe", "rtsp:/operator:s3cret@10.0.0.5/x") == 2
    told = capsys.readouterr().err
    assert "an address begins with rtsp://; write: penstock probe rtsp://***@10.0.0.5/x" in told
    assert "s3cret" not in told
    assert exit_code("probe", "--option", "fps", "rtsp://10.0.0.5/x") == 2
    assert "--option: 'fps' is no option; write NAME=VALUE" in capsys.readouterr().err


PROBED = ProbeReport(
    url="rtsp://10.0.0.5/x",
    live=True,
    codec="h264",
    profile="Main",
    width_px=640,
    height_px=360,
    declared_fps=25.0,
    measured_fps=25.0,
    pictures=5,
    keyframes=1,
    gop_pictures=None,
    gop_ns=None,
    b_frames=False,
    connect_ns=1_000_000,
    first_packet_ns=2_000_000,
    basis=TimeBasis.ARRIVAL,
    error_ns=50_000_000,
    bitrate_bps=1000,
    has_audio=False,
    cached_burst_ns=0,
    ended=None,
)


@pytest.mark.parametrize(
    ("basis", "error_ns", "told"),
    [
        (TimeBasis.ARRIVAL, 50_000_000, "arrival, ± 50 ms"),
        (TimeBasis.ARRIVAL, 10_000_000_000, "not known yet; listen longer, such as --for 10s"),
        (TimeBasis.SENDER, 10_000_000_000, f"{TimeBasis.SENDER.value}, ± 10 s"),
    ],
)
def test_probe_tells_how_well_the_time_is_known(basis: TimeBasis, error_ns: int, told: str) -> None:
    assert dict(lines(replace(PROBED, basis=basis, error_ns=error_ns)))["capture time"] == told


FOLDER_SOURCE = """
def factory(spec, key, clock, new_session):
    raise SystemError(f"given {spec.options}")
"""


def test_probe_gives_options_to_a_source_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.py").write_text(FOLDER_SOURCE)
    address = f"python:{tmp_path}/mine.py:factory"
    assert exit_code("probe", "--option", "folder=/data/a=b", "--option", "fps=10", address) == 1
    assert "given {'folder': '/data/a=b', 'fps': '10'}" in capsys.readouterr().err


def test_check_shows_what_a_file_describes(tmp_path: Path, video: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text('cameras: {front: {url: a.mp4}}\nrules: {r: "count(motion) >= 1 for 1s"}\n')
    result = runner.invoke(app, ["check", str(file)])
    assert result.exit_code == 0
    assert "front" in result.stdout
    assert result.stdout.rstrip().endswith("c.yaml: correct")


@pytest.mark.parametrize(
    ("rule", "message", "caret"),
    [
        ("count(motion) >= 1 fro 1s", "'fro' does not fit here", "fro"),
        ("count(motion in gat) >= 1", "camera 'front' has no zone 'gat'; did you mean 'gate'?", "gat"),
        ("count(persn) >= 1", "no model on camera 'front' knows a class 'persn'", "persn"),
    ],
)
def test_check_points_into_rules(rule: str, message: str, caret: str, tmp_path: Path, video: Path) -> None:
    file = tmp_path / "c.yaml"
    zones = "zones: {gate: {coordinates: '0,0,1,0,1,1'}}"
    file.write_text(f'cameras: {{front: {{url: a.mp4, {zones}}}}}\nrules: {{r: "{rule}"}}\n')
    with pytest.raises(ConfigError) as caught:
        runner.invoke(app, ["check", str(file)], catch_exceptions=False)
    told, line, pointer = str(caught.value).splitlines()
    assert message in told
    assert line[pointer.index("^") :].startswith(caret)


def test_mistakes_end_with_2_and_failures_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("check", str(tmp_path / "absent.yaml")) == 2
    assert "there is no such file" in capsys.readouterr().err
    assert exit_code("run", "--model", "x.onnx") == 2
    assert "no camera; add --camera URL_OR_FILE" in capsys.readouterr().err
    assert exit_code("run", "--unknown") == 2
    assert exit_code("probe", "gopher://10.0.0.5/x") == 1
    assert "gopher:// is not a known kind of source" in capsys.readouterr().err
    assert exit_code("version") == 0


def test_debug_shows_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        main(["--debug", "check", str(tmp_path / "absent.yaml")])


@pytest.mark.parametrize(
    ("error", "text", "code"),
    [
        (ConfigError([Problem("c.yaml", "a", "bad", "do better")]), "c.yaml: a: bad; do better", 2),
        (UsageProblem("no camera"), "penstock: no camera", 2),
        (
            SourceError(SourceFault.REFUSED, "rtsp://u:p@h/x: refused", "Check the port"),
            "penstock: rtsp://***@h/x: refused. Check the port",
            1,
        ),
        (PortUnavailable(98, "port 9090 is taken"), "penstock: port 9090 is taken", 1),
        (PermissionError(13, "Permission denied", "/data"), "penstock: /data: permission denied", 1),
        (
            RuntimeError("lost at rtsp://u:p@h"),
            "penstock: unexpected RuntimeError: lost at rtsp://***@h; run again with --debug to see where it happened",
            1,
        ),
    ],
)
def test_errors_in_words(error: Exception, text: str, code: int) -> None:
    assert explained(error) == (text, code)


def test_schema() -> None:
    assert json.loads(runner.invoke(app, ["schema"]).stdout)["$schema"].endswith("2020-12/schema")
    assert runner.invoke(app, ["schema", "--markdown"]).stdout == reference_markdown()


def test_schema_into_a_file(tmp_path: Path) -> None:
    written = runner.invoke(app, ["schema", "--output", str(tmp_path / "penstock.schema.json")])
    assert written.exit_code == 0
    assert "# yaml-language-server: $schema=penstock.schema.json" in written.stdout
    text = (tmp_path / "penstock.schema.json").read_text(encoding="utf-8")
    assert text == runner.invoke(app, ["schema"]).stdout


def test_check_shows_what_a_camera_comes_to(tmp_path: Path, video: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        f"defaults: {{url: {video}, detect: {{fps: 2}}}}\ncameras:\n  front: {{}}\n  back: {{detect: {{fps: 3}}}}\n"
    )
    whole = runner.invoke(app, ["check", "--show", str(file)]).stdout
    assert "front:\n" in whole
    assert "back:\n" in whole
    shown = [
        " ".join(line.split()) for line in runner.invoke(app, ["check", "--show", str(file), "back"]).stdout.split("\n")
    ]
    assert "front:" not in shown
    assert f"url: {video} # defaults, line 1" in shown
    assert "fps: 3 # line 4" in shown
    assert "budget: 500ms # default" in shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--show", "FILE", "bakc"], "there is no camera 'bakc' in FILE; did you mean back?"),
        (["FILE", "back"], "a camera's name goes with --show: penstock check --show CONFIG CAMERA"),
    ],
)
def test_check_of_one_camera(arguments: list[str], told: str, tmp_path: Path, video: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(f"cameras: {{back: {{url: {video}}}}}\n")
    result = runner.invoke(app, ["check", *(str(file) if word == "FILE" else word for word in arguments)])
    assert str(result.exception) == told.replace("FILE", str(file))


def test_a_run_without_a_file(tmp_path: Path, video: Path) -> None:
    options = RunOptions(
        cameras=(str(video),),
        rules=("count(motion) >= 1 for 1s",),
        data_dir=tmp_path / "data",
        isolation="thread",
        log_format="json",
        metrics_port=0,
    )
    config = with_options(configuration(options).config, options)
    assert list(config.cameras) == ["a"]
    assert config.data_dir == str(tmp_path / "data")
    assert (config.isolation, config.logging.format, config.logging.level) == ("thread", "json", "info")
    assert config.metrics.port == 0


def test_a_file_and_cameras_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="do not go together"):
        configuration(RunOptions(config=tmp_path / "c.yaml", cameras=("a.mp4",)))


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("rtsp://viewer:geheim@192.0.2.1/main", "--camera ADDRESS"),
        ("yard.mp4", "--camera yard.mp4"),
        ("people.onnx", "--model people.onnx --camera"),
    ],
)
def test_a_camera_or_a_model_instead_of_a_configuration(
    command: str, given: str, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(command, given) == 2
    told = capsys.readouterr().err
    assert advice in told
    assert "geheim" not in told


def test_nothing_to_run_names_the_demonstration() -> None:
    with pytest.raises(UsageProblem, match=r"nothing to run; .* penstock demo"):
        configuration(RunOptions())


@pytest.mark.parametrize("text", ["soon", "-3s", "0"])
def test_a_duration_that_is_none(text: str) -> None:
    assert exit_code("run", "--camera", "a.mp4", "--for", text) == 2


def test_the_summary_tells_lanes_events_and_books() -> None:
    report = {
        "run_id": "r1",
        "duration_s": 30.0,
        "books_balanced": False,
        "unbalanced": ["frames of lane front/people"],
        "cameras": {
            "front": {"state": "up", "fault": "", "access_units": {"received": 750}},
            "back": {"state": "down", "fault": "the camera refused the password", "access_units": {"received": 0}},
        },
        "lanes": {
            "front/people": {
                "camera": "front",
                "model": "people",
                "offered": 750,
                "fates": {"analysed": 150, "not_due": 590, "lost": 0},
                "analysed_per_s": 5.0,
                "wanted_fps": 5.0,
                "granted_fps": 5.0,
                "step": "full",
                "age_ms": {"count": 150, "p50": 80.0, "p95": 120.4, "p99": 140.0, "max": 150.0},
            }
        },
        "events": [
            {
                "event_id": "e1",
                "confirmed_utc": "2026-01-31T12:00:05.000Z",
                "camera": "front",
                "rule": "two",
                "state": "interrupted",
                "lasted_s": 4.2,
            }
        ],
        "processes": {
            "engine": {"cpu_s": 12.0, "pss_bytes": 60 * 1024 * 1024},
            "ingest-0": {"cpu_s": 6.0, "pss_bytes": 40 * 1024 * 1024},
        },
        "clips": [
            {"event_id": "e1", "kind": "clip", "state": "ready", "path": "clips/e1.mp4", "reason": ""},
            {"event_id": "e1", "kind": "snapshot", "state": "failed", "path": "", "reason": "disk full"},
        ],
    }
    console = Console(width=80, record=True, file=io.StringIO())
    print_summary(report, console, data_dir=Path("data"))
    text = console.export_text()
    assert "Run r1: 30 s, 1 event\n" in text
    assert "back: not one picture came: the camera refused the password" in text
    assert "front: not one picture" not in text
    assert [word for word in text.splitlines()[3].split() if word != "ms"] == (
        ["front", "people", "750", "150", "5.0", "80", "120", "140", "590", "not", "due"]
    )
    assert "2 processes: 0.60 cores, 100 MiB" in text
    assert "12:00:05 front: two, 4.2 s until the run ended" in text
    assert "data/clips/e1.mp4" in text
    assert "snapshot failed: disk full" in text
    assert "Not accounted for: frames of lane front/people." in text


@pytest.mark.parametrize(
    ("expected", "borderline", "told"),
    [
        (1, 0, "Of 1 event that was drawn, 1 was confirmed; 0 missed, 0 false."),
        (2, 3, "Of 2 events that were drawn, 2 were confirmed; 0 missed, 0 false; 3 not judged: under way"),
        (0, 0, ""),
    ],
)
def test_the_summary_of_a_demonstration(expected: int, borderline: int, told: str) -> None:
    truth: dict[str, Any] = {"expected": expected, "found": expected, "missed": 0, "false": 0, "borderline": borderline}
    truth |= {"delay_ms": {}, "missed_events": [], "false_events": []}
    report: dict[str, Any] = {
        "run_id": "r1",
        "duration_s": 9.0,
        "books_balanced": True,
        "unbalanced": [],
        "truth": truth,
    }
    report |= {"cameras": {}, "lanes": {}, "events": [], "clips": [], "processes": {}}
    console = Console(record=True, file=io.StringIO())
    print_summary(report, console)
    text = console.export_text()
    assert told in text
    assert ("that w" in text) == bool(told)


@pytest.mark.parametrize(
    ("step", "granted_fps", "told"),
    [("full", 5.0, None), ("reduced", 2.5, "2.5 of 5/s"), ("motion-only", 0.0, "motion-only"), ("paused", 0, "paused")],
)
def test_the_summary_tells_what_the_plan_gave_where_somebody_had_less(
    step: str, granted_fps: float, told: str | None
) -> None:
    lane = {
        "camera": "front",
        "model": "people",
        "offered": 10,
        "fates": {"analysed": 1},
        "analysed_per_s": 1.0,
        "wanted_fps": 5.0,
        "granted_fps": granted_fps,
        "step": step,
        "age_ms": {"count": 0},
    }
    report = {
        "run_id": "r1",
        "duration_s": 1.0,
        "books_balanced": True,
        "unbalanced": [],
        "cameras": {},
        "lanes": {"front/people": lane},
        "events": [],
        "processes": {},
    }
    console = Console(width=120, file=io.StringIO(), record=True)
    print_summary(report, console)
    shown = console.export_text()
    assert ("granted" in shown) is (told is not None)
    assert told is None or told in shown

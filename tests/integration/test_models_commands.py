"""`penstock models` as it is typed, on real files and real video."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from model_server import Manners, ModelServer
from typer.testing import CliRunner

from penstock.cli.main import app, main
from penstock.cli.models_commands import named_model_file
from penstock.cli.run_command import RunOptions, configuration
from penstock.config.problems import ConfigError
from penstock.models.catalogue.known import KnownModel

runner = CliRunner()
PETS = "videos/vtest_480x360_h264.mp4"


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "penstock" / "models"


@pytest.fixture
def catalogue_server(monkeypatch: pytest.MonkeyPatch, shared_data: Path) -> Iterator[ModelServer]:
    """The catalogue's first model, served by this host."""
    with ModelServer() as server:
        body = (shared_data / "models" / "yolox_nano.onnx").read_bytes()
        server.manners["/yolox_nano.onnx"] = Manners(body)
        entry = KnownModel(
            name="yolox_nano", title="YOLOX-nano", task="detection", url=server.url("/yolox_nano.onnx"),
            licence="Apache-2.0", licence_url="https://localhost/LICENSE", source="a test",
            sha256=hashlib.sha256(body).hexdigest(), size_bytes=len(body), recommended=True,
        )  # fmt: skip
        entries = {"yolox_nano": entry}
        monkeypatch.setattr("penstock.models.catalogue.known.known_models", lambda: entries)
        monkeypatch.setattr("penstock.models.catalogue.folder.known_models", lambda: entries)
        yield server


def explained(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int | str | None, str]:
    with pytest.raises(SystemExit) as caught:
        main([*arguments])
    return caught.value.code, capfd.readouterr().err


def test_get_list_and_run_by_name(
    catalogue_server: ModelServer, data_home: Path, shared_data: Path, tmp_path: Path
) -> None:
    options = RunOptions(cameras=(str(shared_data / PETS),), models=("yolox_nano",))
    with pytest.raises(ConfigError, match="run: penstock models get yolox_nano"):
        configuration(options)
    got = runner.invoke(app, ["models", "get", "yolox_nano"])
    assert got.exit_code == 0, got.output
    file = data_home / "yolox_nano.onnx"
    assert got.stdout == f"{file}\n"
    assert "licence Apache-2.0" in got.stderr
    assert "(as expected)" in got.stderr
    listed = json.loads(runner.invoke(app, ["models", "list", "--json"]).stdout)
    assert listed["known"][0]["path"] == str(file)
    assert configuration(options).config.models["yolox_nano"].path == str(file)
    config = tmp_path / "c.yaml"
    config.write_text(f"cameras: {{a: {{url: '{shared_data / PETS}'}}}}\nmodels: {{m: {{path: yolox_nano}}}}\n")
    assert configuration(RunOptions(config=config)).config.models["m"].path == str(file)
    assert "yes" in runner.invoke(app, ["models", "list"]).stdout


def test_a_name_that_was_not_fetched_is_told_with_its_line(data_home: Path, shared_data: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"cameras: {{a: {{url: '{shared_data / PETS}'}}}}\nmodels:\n  m:\n    path: yolox_nano\n")
    with pytest.raises(ConfigError) as caught:
        configuration(RunOptions(config=config))
    text = str(caught.value)
    assert "c.yaml:4" in text
    assert "has not been fetched" in text
    assert "penstock models get yolox_nano" in text
    assert "no file" not in text
    assert named_model_file("some.onnx", tmp_path) == "some.onnx"


def test_inspect_says_what_would_be_done(shared_data: Path) -> None:
    path = shared_data / "models" / "yolox_nano.onnx"
    shown = runner.invoke(app, ["models", "inspect", str(path)])
    assert shown.exit_code == 0
    for line in ("input       images 1×3×416×416 float32", "head        yolox", f"    path: {path.resolve()}"):
        assert line in shown.stdout
    as_json = json.loads(runner.invoke(app, ["models", "inspect", str(path), "--json"]).stdout)
    assert as_json["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert as_json["recognised"]["class_names"][0] == "person"
    assert as_json["file"]["opsets"] == {"ai.onnx": 11}


def test_inspect_of_other_files(shared_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, text = explained(capfd, "models", "inspect", str(shared_data / "README.md"))
    assert (code, "is no ONNX file" in text) == (1, True)
    code, text = explained(capfd, "models", "inspect", str(tmp_path / "none.onnx"))
    assert (code, "no such file" in text) == (1, True)
    code, text = explained(capfd, "models", "get", "yolox_nanu")
    assert (code, "Did you mean 'yolox_nano'" in text) == (1, True)


def test_try_finds_people_and_draws_them(shared_data: Path, tmp_path: Path) -> None:
    model = str(shared_data / "models" / "yolox_nano.onnx")
    picture = tmp_path / "out.jpg"
    shown = runner.invoke(app, ["models", "try", model, str(shared_data / PETS), "--output", str(picture)])
    assert shown.exit_code == 0, shown.output
    assert "person 0." in shown.stdout
    with av.open(str(picture)) as container:
        drawn = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    with av.open(str(shared_data / PETS)) as container:
        plain = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    changed = np.abs(drawn - plain).max(axis=2) > 80
    assert 0.005 < changed.mean() < 0.2


def test_try_takes_pictures_and_several_frames(shared_data: Path, tmp_path: Path) -> None:
    model = str(shared_data / "models" / "yolox_nano.onnx")
    folder = tmp_path / "drawn"
    video = str(shared_data / PETS)
    first = runner.invoke(app, ["models", "try", model, video, "--frames", "3", "-o", str(folder), "--json"])
    rows = json.loads(first.stdout)
    assert [row["frame"] for row in rows] == [1, 398, 795]
    assert len(list(folder.iterdir())) == 3
    copy = tmp_path / "a.jpg"
    shutil.copy(rows[0]["output"], copy)
    again = runner.invoke(app, ["models", "try", model, str(copy), "--json", "--confidence", "0.5"])
    (row,) = json.loads(again.stdout)
    assert row["size"] == [480, 360]
    assert all(found["confidence"] >= 0.5 for found in row["detections"])


def test_try_states_classes(shared_data: Path) -> None:
    model = str(shared_data / "models" / "mobilenetv2_int8.onnx")
    video = str(shared_data / "videos" / "bottle-detection.mp4")
    (row,) = json.loads(runner.invoke(app, ["models", "try", model, video, "--json"]).stdout)
    assert len(row["classes"]) == 5
    assert row["detections"] == []

"""Every example configuration is correct as it stands, and does its work with cameras put in place of its addresses."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from running import Running
from web_cameras import HlsServer, Mjpeg, WebCamera, encode_segment

from penstock.config.loader import load_config
from penstock.runtime.rule_check import check_rule

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
SHARED_MODELS = ROOT.parent / "shared" / "data" / "models"
AT_ONCE = 2
WITHIN_S = 60.0
MODELS = {"PEOPLE_MODEL": "yolox_nano.onnx", "FACE_MODEL": "yunet_n_320_320.onnx"}
WEB = {"MJPEG_CAMERA": "/mjpeg", "HLS_STREAM": "/live/index.m3u8"}
NUMBERED = "CAMERAS"
"""the variable of many-cameras-template.yaml that begins all its addresses"""


class Ran(NamedTuple):
    """One `penstock run` of an example."""

    code: int
    report: dict[str, Any]
    log: str


class RunningExample(Running):
    """`penstock run` on the example itself; only where it writes and listens is chosen by the test."""

    def __init__(self, folder: Path, example: Path) -> None:
        super().__init__(folder, {})
        self._config = example
        self._arguments = ("--data-dir", str(self.data), "--metrics-port", str(self.port), "--log-format", "json")


def variables(path: Path) -> set[str]:
    """The variables that an example may be given its cameras and models with."""
    return set(re.findall(r"\$\{(\w+):-", path.read_text(encoding="utf-8")))


def lanes(path: Path) -> set[str]:
    """Names of all cameras and models of an example, as `CAMERA/MODEL`."""
    config = load_config(path, {}, files=False).config
    return {f"{name}/{model}" for name, camera in config.cameras.items() for model in config.models_of(camera)}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a video of 2 s in which something moves, also under what the addresses of many cameras end with."""
    folder = tmp_path_factory.mktemp("videos")
    (folder / "drawn.ts").write_bytes(b"".join(encode_segment(n) for n in range(2)))
    for number in (11, 12, 13, 14, 21, 22):
        (folder / str(number)).mkdir()
        (folder / str(number) / "stream1").symlink_to(folder / "drawn.ts")
    return folder


@pytest.fixture(scope="module")
def _environment(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the examples' variables stand for here: videos, cameras that speak HTTP on this host, models."""
    with WebCamera() as web, pytest.MonkeyPatch.context() as patch:
        web.add_mjpeg("/mjpeg", Mjpeg(fps=10))
        HlsServer(web, total=200)
        for name in set().union(*(variables(path) for path in EXAMPLES)):
            value = str(videos / "drawn.ts")
            if name in MODELS:
                value = str(SHARED_MODELS / MODELS[name])
            elif name in WEB:
                value = web.url(WEB[name])
            elif name == NUMBERED:
                value = f"{videos}/"
            elif name.endswith("_DATA"):
                value = str(tmp_path_factory.mktemp("data"))
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, _environment: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, "Future[Ran]"]]:
    """All examples that are to be tested, as many at once as a small machine has cores."""
    wanted = {
        Path(str(item.callspec.params["path"]))
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_it_runs"
    }

    def run(path: Path) -> Ran:
        expected = lanes(path)
        with RunningExample(tmp_path_factory.mktemp(path.stem), path) as running:
            if path.stem == "file-lossless":
                code = running.wait_ended(WITHIN_S)
            else:
                pairs = [name.split("/") for name in expected]
                running.wait_for(
                    "frames of every lane",
                    lambda: all(
                        running.metrics().total("lane_frames_total", camera=camera, model=model, fate="analysed") >= 3
                        for camera, model in pairs
                    ),
                    WITHIN_S,
                )
                code = running.stop().code
            return Ran(code, running.report(), running.log())

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {path.stem: pool.submit(run, path) for path in sorted(wanted) if not missing_model(path)}


def missing_model(path: Path) -> str:
    """Why an example cannot run here; empty where it can."""
    names = sorted(MODELS[name] for name in variables(path) & MODELS.keys())
    absent = [name for name in names if not (SHARED_MODELS / name).is_file()]
    return f"no model at hand: ../shared/data/models/{absent[0]} does not exist beside this checkout" if absent else ""


def test_there_are_ten() -> None:
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_is_correct_as_it_stands(path: Path) -> None:
    """With its own addresses, without looking for them."""
    assert load_config(path, {}, rule_check=check_rule, files=False).warnings == ()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../docs/penstock.schema.json\n#\n# ")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.usefixtures("_environment")
def test_check_finds_nothing(path: Path) -> None:
    """The command, with models and videos that are here."""
    if reason := missing_model(path):
        pytest.skip(reason)
    checked = subprocess.run(
        [sys.executable, "-m", "penstock", "check", str(path)],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stderr == ""
    assert f"{path}: correct\n" in checked.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs(path: Path, runs: dict[str, "Future[Ran]"]) -> None:
    """Every lane analyses frames, the books balance, and nothing goes wrong."""
    if reason := missing_model(path):
        pytest.skip(reason)
    ran = runs[path.stem].result(timeout=10 * WITHIN_S)
    assert ran.code == 0, ran.log[-6000:]
    told = [json.loads(line) for line in ran.log.splitlines() if line.startswith("{")]
    assert [line["message"] for line in told if line["level"] in ("error", "critical")] == []
    assert ran.report["books_balanced"] is True, ran.report["unbalanced"]
    assert set(ran.report["lanes"]) == lanes(path)
    for lane, book in ran.report["lanes"].items():
        assert book["fates"]["analysed"] > 0, f"{lane}: {book['fates']}\n{ran.log[-4000:]}"
        assert book["offered"] == sum(book["fates"].values())

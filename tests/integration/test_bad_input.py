"""What people get wrong, and what they are told: the exit code, what it is, where it is, and what to do."""

import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import onnx
import pytest
from onnx import TensorProto, helper

from penstock.simulator.scene_spec import SceneSpec
from penstock.simulator.video_file import EncodingSpec, write_films

FAILED, MISTAKEN = 1, 2
CAMERA = "cameras:\n  front: {url: video.mp4}\n"
YOLOX = CAMERA + "models:\n  yolox: {path: yolox_nano.onnx}\n"
RUN = ("run", "penstock.yaml", "--quiet", "--metrics-port", "0")
OWN = """
class Judge:
    picture_classes = ("day", "night")
    def predict(self, picture, context):
        return {"classifications": [("day", 1.0)]}

class Looks:
    class_names = ("face",)
    def predict(self, picture, context):
        return []
"""


class Case(NamedTuple):
    """A configuration and a command, in a folder with a real video; and what must be said of it."""

    name: str
    config: str
    told: str
    """the message, exactly; `FOLDER` is the folder, `PORT` the port that is taken"""
    code: int = MISTAKEN
    command: tuple[str, ...] = RUN
    models: tuple[str, ...] = ()
    """files of the test material that are needed"""


CASES = [
    Case(
        "unknown key",
        "cameras:\n  front:\n    url: video.mp4\n    detct: {fps: 5}\n",
        """penstock.yaml:4:5: cameras.front.detct: unknown key; did you mean detect?
     4 |     detct: {fps: 5}
       |     ^^^^^""",
    ),
    Case(
        "wrong type",
        "cameras:\n  front:\n    url: video.mp4\n    detect: {fps: fast}\n",
        """penstock.yaml:4:19: cameras.front.detect.fps: expected a number, not 'fast'
     4 |     detect: {fps: fast}
       |                   ^^^^""",
    ),
    Case(
        "zone with two points",
        "cameras:\n  front:\n    url: video.mp4\n    zones: {door: {coordinates: '0.1,0.1,0.5,0.5'}}\n",
        """penstock.yaml:4:33: cameras.front.zones.door.coordinates: a zone needs at least 3 points, and this one has 2
     4 |     zones: {door: {coordinates: '0.1,0.1,0.5,0.5'}}
       |                                 ^^^^^^^^^^^^^^^^^""",
    ),
    Case(
        "rule with a syntax error",
        CAMERA + "rules:\n  busy: count(motion) >> 2\n",
        """penstock.yaml:4:24: rules.busy.when: '>' does not fit here; expected a number, a count or a signal
     4 |   busy: count(motion) >> 2
       |                        ^""",
    ),
    Case(
        "the same on the command line",
        "",
        """command line: rules.rule1.when: '>' does not fit here; expected a number, a count or a signal
       | count(motion) >> 2
       |                ^""",
        command=("run", "--camera", "video.mp4", "--rule", "count(motion) >> 2"),
    ),
    Case(
        "unknown zone",
        CAMERA + "rules:\n  busy: count(motion in dor) >= 2\n",
        "penstock.yaml:4:25: rules.busy.when: camera 'front' has no zone 'dor'; draw it under `zones` of this camera, "
        "or leave `in dor` out\n"
        "     4 |   busy: count(motion in dor) >= 2\n"
        "       |                         ^",
    ),
    Case(
        "zone on the command line, which has no place for one",
        "",
        "command line: rules.rule1.when: camera 'video' has no zone 'gate'; zones are drawn in a configuration file: "
        "write one, or leave `in gate` out",
        command=("run", "--camera", "video.mp4", "--rule", "count(motion in gate) > 0"),
    ),
    Case(
        "comparison the wrong way round",
        CAMERA + "rules:\n  busy: count(motion) => 2\n",
        "penstock.yaml:4:23: rules.busy.when: '=' does not belong to the rule language; write >= for at least",
        command=("check", "penstock.yaml"),
    ),
    Case(
        "password before an address without its beginning",
        "cameras:\n  front: {url: 'operator:Tr0ub4dor@10.0.0.1/cam'}\n",
        "penstock.yaml:2:16: cameras.front.url: an address begins with rtsp://; write rtsp://***@10.0.0.1/cam",
        command=("check", "penstock.yaml"),
    ),
    Case(
        "the same on the command line, without its beginning",
        "",
        "command line: cameras.camera1.url: an address begins with rtsp://; write rtsp://***@10.0.0.1/cam",
        command=("run", "--camera", "operator:Tr0ub4dor@10.0.0.1/cam"),
    ),
    Case(
        "unknown class, known from the model's file",
        YOLOX + "rules:\n  busy: count(persn) >= 2\n",
        """penstock.yaml:6:15: rules.busy.when: no model on camera 'front' knows a class 'persn'; did you mean 'person'?
     6 |   busy: count(persn) >= 2
       |               ^""",
        models=("yolox_nano.onnx",),
    ),
    Case(
        "label that the model does not know",
        CAMERA + "models:\n  yolox: {path: yolox_nano.onnx, labels: [persn]}\n",
        """penstock.yaml:4:43: models.yolox.labels[0]: labels names 'persn', which is no class of this model; \
did you mean 'person'?
     4 |   yolox: {path: yolox_nano.onnx, labels: [persn]}
       |                                           ^^^^^""",
        models=("yolox_nano.onnx",),
    ),
    Case(
        "device that is not there",
        CAMERA + "models:\n  yolox: {path: yolox_nano.onnx, device: cuda}\n",
        "penstock.yaml:4:42: models.yolox.device: device 'cuda' is not available; known devices: cpu",
        models=("yolox_nano.onnx",),
        command=("check", "penstock.yaml"),
    ),
    Case(
        "head that is not there",
        CAMERA + "models:\n  odd: {path: odd.onnx, head: yunett}\n",
        "penstock.yaml:4:31: models.odd.head: there is no head 'yunett'; did you mean yunet?",
        command=("check", "penstock.yaml"),
    ),
    Case(
        "missing model",
        YOLOX,
        """penstock.yaml:4:17: models.yolox.path: there is no file FOLDER/yolox_nano.onnx; check the path
     4 |   yolox: {path: yolox_nano.onnx}
       |                 ^^^^^^^^^^^^^^^""",
    ),
    Case(
        "file that is no ONNX",
        CAMERA + "models:\n  yolox: {path: text.onnx}\n",
        "penstock: no model could be loaded: model yolox: FOLDER/text.onnx: is no ONNX file, or a damaged one (…). "
        "Give an .onnx file; one that was cut short must be downloaded or exported again",
        FAILED,
    ),
    Case(
        "outputs that no head knows",
        CAMERA + "models:\n  odd: {path: odd.onnx}\n",
        "penstock: no model could be loaded: model odd: FOLDER/odd.onnx: no head knows this network: "
        "input 64×64×3, outputs one 1×3×64×64, other 1×3×64×64. Heads known: yolox (…): …; yolov8 (…): …. Export it as "
        "one of these, or name its head if it is one of them",
        FAILED,
    ),
    Case(
        "crops of a class that finds no boxes, which only the loaded class says",
        CAMERA
        + """models:
  judge: {kind: python, plugin: 'own.py:Judge'}
  looks: {kind: python, plugin: 'own.py:Looks', crops: {of: judge}}
""",
        "penstock: model looks looks at crops of judge, which finds no boxes (python), so it would never run. Name a "
        "model that finds boxes in models.looks.crops.of, or remove `crops`; if its class finds boxes, name their "
        "classes in its `class_names`",
        FAILED,
    ),
    Case(
        "models that wait for each other",
        CAMERA
        + """models:
  judge: {kind: python, plugin: 'own.py:Judge', requires: [motion]}
  motion: {kind: motion, requires: [day]}
""",
        """penstock.yaml:4:60: models.judge.requires[0]: on camera 'front' 'judge' waits for 'motion' (motion) and \
'motion' waits for 'judge' (day): none of them can ever run; remove this requirement, or add another model that states \
it
     4 |   judge: {kind: python, plugin: 'own.py:Judge', requires: [motion]}
       |                                                            ^^^^^^""",
    ),
    Case(
        "port in use",
        CAMERA,
        "penstock: metrics cannot be served on 127.0.0.1:PORT: another program listens there; set metrics.port (or "
        "--metrics-port) to another, or to 0",
        FAILED,
        ("run", "penstock.yaml", "--quiet", "--metrics-port", "PORT"),
    ),
    Case(
        "data folder that is a file",
        CAMERA + "data_dir: text.onnx\n",
        """penstock.yaml:3:11: data_dir: FOLDER/text.onnx is a file, not a folder; name another folder
     3 | data_dir: text.onnx
       |           ^^^^^^^^^""",
    ),
    Case(
        "data folder that cannot be made",
        CAMERA,
        "penstock: the data folder /proc/penstock cannot be written: No such file or directory. Choose a folder that "
        "this user may write to with data_dir in the configuration, or --data-dir",
        FAILED,
        (*RUN, "--data-dir", "/proc/penstock"),
    ),
    Case(
        "data folder of another run",
        CAMERA + "data_dir: taken\n",
        "penstock: the data folder FOLDER/taken is in use by another run (process 4711). End that run, or give this "
        "one a folder of its own with data_dir in the configuration, or --data-dir",
        FAILED,
    ),
    Case(
        "no such camera file",
        "cameras:\n  front: {url: vidoe.mp4}\n",
        """penstock.yaml:2:16: cameras.front.url: there is no file FOLDER/vidoe.mp4; did you mean video.mp4?
     2 |   front: {url: vidoe.mp4}
       |                ^^^^^^^^^""",
    ),
    Case(
        "file without loss that is no video",
        "cameras:\n  front:\n    inputs: [{path: text.onnx, mode: lossless}]\n",
        "penstock: camera front: FOLDER/text.onnx is not a video that FFmpeg can read. It was to be read without loss "
        "(mode: lossless), so the run ends: correct the file or the path",
        FAILED,
    ),
    Case(
        "file without loss that is cut off",
        "cameras:\n  front:\n    inputs: [{path: cut.mp4, mode: lossless}]\n",
        "penstock: camera front: FOLDER/cut.mp4 is empty or cut off. It was to be read without loss "
        "(mode: lossless), so the run ends: correct the file or the path",
        FAILED,
    ),
    Case(
        "no such configuration",
        "",
        "other.yaml: there is no such file; check the name, or run without a file",
        command=("run", "other.yaml"),
    ),
    Case(
        "no YAML",
        "cameras: [front\n",
        "penstock.yaml:2:1: while parsing a flow sequence expected ',' or ']', but got '<stream end>'",
    ),
    Case(
        "a variable that is not set",
        "cameras:\n  front: {url: 'rtsp://${PENSTOCK_TEST_NAME}@10.0.0.1/'}\n",
        "penstock.yaml:2:24: cameras.front.url: the environment variable PENSTOCK_TEST_NAME is not set; set it, or "
        "write ${PENSTOCK_TEST_NAME:-default}",
    ),
    Case(
        "file and options at once",
        CAMERA,
        "penstock: a configuration file and --camera, --model or --rule do not go together; put them into the file, "
        "or leave the file out",
        command=(*RUN, "--rule", "count(motion) >= 1"),
    ),
    Case(
        "time that is none", CAMERA, "penstock: --for: … is not a duration such as …", command=(*RUN, "--for", "soon")
    ),
    Case(
        "check finds the same",
        CAMERA + "rules:\n  busy: count(motion) >> 2\n",
        "penstock.yaml:4:24: rules.busy.when: '>' does not fit here; expected a number, a count or a signal",
        command=("check", "penstock.yaml"),
    ),
    Case(
        "camera that refuses the connection",
        "",
        "penstock: rtsp://***@127.0.0.1:CLOSED/cam: 127.0.0.1 refuses the connection. Check the port (RTSP is usually "
        "554), that the camera is on and that RTSP is enabled on it",
        FAILED,
        ("probe", "rtsp://operator:Tr0ub4dor@127.0.0.1:CLOSED/cam"),
    ),
]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    write_films(SceneSpec("street", 1, seconds=10.0, fps=10), {path: EncodingSpec(fps=10, gop=10)})
    return path


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Somebody listens on it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Nobody listens on it, and nobody else can."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_told(
    case: Case, video: Path, tmp_path: Path, request: pytest.FixtureRequest, taken_port: int, closed_port: int
) -> None:
    shutil.copy(video, tmp_path / "video.mp4")
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[:500])
    (tmp_path / "text.onnx").write_text("no network and no video\n" * 100, encoding="ascii")
    write_odd_network(tmp_path / "odd.onnx")
    (tmp_path / "own.py").write_text(OWN, encoding="ascii")
    for model in case.models:
        shared_data: Path = request.getfixturevalue("shared_data")
        shutil.copy(shared_data / "models" / model, tmp_path)
    (tmp_path / "penstock.yaml").write_text(case.config, encoding="utf-8")
    (tmp_path / "taken").mkdir()

    def filled_in(text: str) -> str:
        return text.replace("PORT", str(taken_port)).replace("CLOSED", str(closed_port))

    with (tmp_path / "taken" / ".lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711\n")
        lock.flush()
        ended = subprocess.run(
            [sys.executable, "-m", "penstock", *map(filled_in, case.command)],
            cwd=tmp_path,
            env={key: value for key, value in os.environ.items() if not key.startswith("PENSTOCK_")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == case.code, ended.stderr
    expected = re.escape(filled_in(case.told).replace("FOLDER", str(tmp_path))).replace("…", ".*")
    assert re.search(f"^{expected}", ended.stderr, re.MULTILINE), ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Tr0ub4dor" not in ended.stderr + ended.stdout
    assert not [path for path in Path("/proc").glob("[0-9]*") if is_child_in(path, tmp_path)]


def write_odd_network(path: Path) -> None:
    """One whose outputs are nothing that is known."""
    picture = [1, 3, 64, 64]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["picture"], ["one"]), helper.make_node("Neg", ["picture"], ["other"])],
        "odd",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, picture)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, picture) for name in ("one", "other")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def is_child_in(process: Path, folder: Path) -> bool:
    try:
        return Path(os.readlink(process / "cwd")) == folder
    except OSError:
        return False


def test_a_live_camera_that_is_no_video_is_down_and_says_why(tmp_path: Path) -> None:
    """A camera that is away is none of the run's mistakes: it is tried again, and told of."""
    (tmp_path / "text.mp4").write_text("no video\n" * 100, encoding="ascii")
    (tmp_path / "penstock.yaml").write_text("cameras:\n  front: {url: text.mp4}\n", encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "penstock", *RUN, "--for", "2s", "--report", "report.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0
    told = f"front: cannot connect: {tmp_path}/text.mp4 is not a video that FFmpeg can read. Check the file"
    assert told in ended.stderr
    camera = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["cameras"]["front"]
    assert camera["frames"] == 0
    assert camera["open_failures"] >= 1

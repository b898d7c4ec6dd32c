"""What docs/troubleshooting.md quotes of `penstock probe` and other commands is what they say, over real sockets."""

import fcntl
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import nonsense
import onnx
import pytest
from onnx import TensorProto, helper
from quoted_page import Said, assert_said, names_of
from scripted_camera import ScriptedCamera, film
from videos import write_video

from penstock.cli.main import main

FPS = 10

# commands, in this process


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(str(ended.value.code or 0))


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>Login</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


HONEST = "honest"
CLOSED = "closed"
PROBED = {
    "healthy": HONEST,
    "wrong-password": "password",
    "torn-password": "rtsp://operator:Tr0ub/4dor@192.0.2.10/stream1",
    "wrong-path": "not-found",
    "refused": CLOSED,
    "no-route": "rtsp://255.255.255.255/stream1",
    "unknown-host": "rtsp://camera-1.invalid/stream1",
    "web-page": "web-page",
    "http-page": "http",
    "too-many-viewers": "too-many-viewers",
    "hung-up-early": "closes-after-setup",
    "no-video": "sdp-of-sound",
    "gop": "one-keyframe",
    "no-device": "/dev/video9",
    "device-settings": "v4l2:///dev/null?video_size=1x1",
}
MISBEHAVIOURS = {case.name: case.behave for case in nonsense.CASES}


@pytest.fixture(scope="module")
def footage() -> Any:
    return film(fps=FPS, gop=FPS)


@pytest.mark.parametrize("name", PROBED)
def test_probe(name: str, footage: Any, capsys: pytest.CaptureFixture[str]) -> None:
    what = PROBED[name]
    with ExitStack() as stack:
        swaps: tuple[tuple[str, str], ...] = ()
        url = what
        if what == CLOSED:
            bound = stack.enter_context(socket.socket())
            bound.bind(("127.0.0.1", 0))
            url = f"rtsp://127.0.0.1:{bound.getsockname()[1]}/stream1"
        elif what == "http":
            server = stack.enter_context(HTTPServer(("127.0.0.1", 0), Page))
            serving = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            serving.start()
            stack.callback(serving.join)
            stack.callback(server.shutdown)
            url = f"http://127.0.0.1:{server.server_address[1]}/stream1"
        elif what in (HONEST, "one-keyframe", "password", *MISBEHAVIOURS):
            password = "Tr0ub4dor" if what == "password" else ""
            shown = film(fps=FPS, gop=60) if what == "one-keyframe" else footage
            camera = stack.enter_context(ScriptedCamera(shown, MISBEHAVIOURS.get(what), password=password))
            url = camera.url("stream1", credentials="operator:wrong" if password else "")
        if "127.0.0.1" in url:
            place = url.partition("://")[2].rpartition("@")[2].partition("/")[0]
            swaps = (("192.0.2.10/", f"{place}/"), ("192.0.2.10", "127.0.0.1"))
        elif "/dev/null" in url:
            swaps = (("/dev/video0", "/dev/null"),)
        elif "255" in url:
            swaps = (("192.0.2.10", "255.255.255.255"),)
        healthy = what in (HONEST, "one-keyframe")
        assert command("probe", url, "--for", "2500ms" if what == HONEST else "500ms") == (0 if healthy else 1)
    printed = capsys.readouterr()
    assert "Tr0ub" not in printed.out + printed.err
    assert_said(name, Said(printed.out if healthy else printed.err, swaps))


HOUSE = """cameras:
  front:
    url: video.mp4
    zones: {gate: {coordinates: "0.1,0.5,0.5,0.5,0.5,1"}}
rules:
  somebody: count(RULE) >= 1
models: {people: {path: people.onnx, class_names: [person]}}
"""
CONSOLE: dict[str, tuple[str, tuple[str, ...]]] = {
    "unknown-class": (HOUSE.replace("RULE", "persn"), ("check", "house.yaml")),
    "unknown-zone": (HOUSE.replace("RULE", "person in gaet"), ("check", "house.yaml")),
    "unknown-key": ("cameras:\n  front:\n    url: video.mp4\n    detct: {fps: 5}\n", ("check", "house.yaml")),
    "variable": (
        "cameras:\n  front: {url: 'rtsp://viewer:${CAM_PASSWORD}@192.0.2.10/stream1'}\n",
        ("check", "house.yaml"),
    ),
    "locked": (
        "cameras: {front: {url: video.mp4}}\n",
        ("run", "house.yaml", "--quiet", "--data-dir", "penstock-data"),
    ),
    "not-writable": (
        "cameras: {front: {url: video.mp4}}\n",
        ("run", "house.yaml", "--quiet", "--data-dir", "/proc/penstock"),
    ),
    "port": ("cameras: {front: {url: video.mp4}}\n", ("run", "house.yaml", "--quiet", "--metrics-port", "PORT")),
    "no-onnx": (
        "cameras: {front: {url: video.mp4}}\nmodels: {people: {path: people.onnx}}\n",
        ("run", "house.yaml", "--quiet", "--metrics-port", "0"),
    ),
    "no-head": (
        "cameras: {front: {url: video.mp4}}\nmodels: {odd: {path: odd.onnx}}\n",
        ("run", "house.yaml", "--quiet", "--metrics-port", "0"),
    ),
    "files": ("cameras: {front: {url: video.mp4}}\n", ("ulimit -n 24",)),
    "memory": ("cameras: {front: {url: video.mp4, buffer: {size: 4GiB}}}\n", ("ulimit -v 2000000",)),
}


def test_everything_that_commands_say_is_compared() -> None:
    assert PROBED.keys() == names_of("probe")
    assert CONSOLE.keys() == names_of("console")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    write_video(folder / "video.mp4", frames=10)
    (folder / "people.onnx").write_text("no network\n" * 100, encoding="ascii")
    picture = [1, 3, 64, 64]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["picture"], ["one"]), helper.make_node("Neg", ["picture"], ["other"])],
        "odd",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, picture)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, picture) for name in ("one", "other")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "odd.onnx")
    return folder


@pytest.mark.parametrize("name", CONSOLE)
def test_console(name: str, house: Path) -> None:
    config, arguments = CONSOLE[name]
    (house / "house.yaml").write_text(config, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken, locked(house / "penstock-data"):
        port = str(taken.getsockname()[1])
        words = [word.replace("PORT", port) for word in arguments]
        line = [sys.executable, "-m", "penstock", *words]
        if name in ("files", "memory"):
            # Under a limit it must fail before it has a port.
            line = [
                "bash",
                "-c",
                f'{words[0]}; exec "$0" -m penstock run house.yaml --quiet --data-dir {name}',
                sys.executable,
            ]
        elif words[0] == "run" and "--data-dir" not in words:
            line += ["--data-dir", f"{name}-data"]
        ended = subprocess.run(
            line,
            cwd=house,
            env={key: value for key, value in os.environ.items() if key != "CAM_PASSWORD"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == (2 if words[0] == "check" else 1), ended.stderr
    assert "Traceback" not in ended.stderr
    swaps = (
        ("9090", port),
        ("folder penstock-data", f"folder {house}/penstock-data"),
        (": people.onnx", f": {house}/people.onnx"),
        (": odd.onnx", f": {house}/odd.onnx"),
    )
    assert_said(name, Said(ended.stderr, swaps))


def locked(folder: Path) -> ExitStack:
    """Held as by another run."""
    folder.mkdir(exist_ok=True)
    stack = ExitStack()
    lock = stack.enter_context((folder / ".lock").open("w", encoding="ascii"))
    fcntl.flock(lock, fcntl.LOCK_EX)
    lock.write("4711\n")
    lock.flush()
    return stack

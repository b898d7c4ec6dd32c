"""Starts and ends the foreign RTSP server, and talks to it."""

import json
import os
import select
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("gst_rtsp_server.py")
ANSWER_TIMEOUT_S = 30.0
NEEDED = (
    "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "missing = [e for e in ('x264enc', 'rtph264pay', 'parsebin') if Gst.ElementFactory.find(e) is None]; "
    "raise SystemExit(len(missing))"
)
BLOCK_PX = 16
COLUMNS = 24


def skip_unless_installed() -> None:
    """Skips the running test, with the packages to install, where the system's Python cannot run the server."""
    try:
        found = subprocess.run([SYSTEM_PYTHON, "-c", NEEDED], capture_output=True, timeout=60, check=False)
    except OSError:
        found = None
    if found is None or found.returncode != 0:
        pytest.skip(
            "gst-rtsp-server is not installed (apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 "
            "gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly)"
        )


class ForeignRtspServer:
    """gst-rtsp-server on a free port of 127.0.0.1, as a context manager; its process always ends with it."""

    def __init__(
        self,
        tmp_path: Path,
        *,
        user: str = "",
        password: str = "",
        auth: str = "digest",
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self._log = tmp_path / "gst_rtsp_server.log"
        self._options = {"port": 0, "user": user, "password": password, "auth": auth}
        self._scheme = "rtsp"
        if certificate is not None:
            self._scheme = "rtsps"
            self._options |= {"certificate": str(certificate[0]), "key": str(certificate[1])}
        self._process: subprocess.Popen[bytes] | None = None
        self._mounts: list[dict[str, Any]] = []
        self._unread = b""

    @property
    def port(self) -> int:
        return int(str(self._options["port"]))

    def __enter__(self) -> "ForeignRtspServer":
        skip_unless_installed()
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def url(self, mount: str, *, user: str = "", password: str = "", host: str = "127.0.0.1") -> str:
        credentials = f"{user}:{password}@" if user else ""
        return f"{self._scheme}://{credentials}{host}:{self.port}/{mount}"

    def add_file(self, name: str, path: Path, *, cached_gop: bool = False, loss: float = 0.0) -> int:
        """Serves the video of `path` at its true rate, round and round, encoded as it is; `loss` of RTP packets.

        Returns when its first picture counts as captured, CLOCK_MONOTONIC in ns.
        """
        answer = self._mount(
            {"do": "add_file", "name": name, "path": str(path), "cached_gop": cached_gop, "loss": loss}
        )
        return int(answer["epoch_ns"])

    def add_timecode(
        self,
        name: str,
        *,
        fps: int = 25,
        bframes: int = 0,
        gop_frames: int = 25,
        width: int = 640,
        height: int = 360,
        cached_gop: bool = False,
        codec: str = "h264",
        loss: float = 0.0,
    ) -> None:
        """Serves drawn pictures that carry their instant of capture: see `read_timecode`."""
        command = {"do": "add_timecode", "name": name, "fps": fps, "bframes": bframes, "gop_frames": gop_frames}
        self._mount(
            command | {"width": width, "height": height, "cached_gop": cached_gop, "codec": codec, "loss": loss}
        )

    def stall(self, mount: str, on: bool) -> None:
        """The camera goes silent but keeps its connections, or sends again."""
        self._ask({"do": "stall", "name": mount, "on": on})

    def kill(self) -> None:
        """SIGKILL: connections break without a word. Ends the process in every case."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def restart(self) -> None:
        """Comes back on the same port with the same mounts; their media clocks start anew."""
        self.kill()
        self._start()
        for command in self._mounts:
            self._ask(command)

    def _start(self) -> None:
        self._unread = b""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [SYSTEM_PYTHON, str(SERVER), json.dumps(self._options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
            )
        try:
            self._options["port"] = self._answer()["port"]
        except BaseException:
            self.kill()
            raise

    def _mount(self, command: dict[str, Any]) -> dict[str, Any]:
        answer = self._ask(command)
        self._mounts.append(command)
        return answer

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process is not None, "the server is not running: call restart() first"
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([descriptor], [], [], ANSWER_TIMEOUT_S)
            piece = os.read(descriptor, 65536) if ready else b""
            if not piece:
                raise RuntimeError(f"the foreign RTSP server gave no answer: {self._log.read_text()[-2000:]}")
            self._unread += piece
        line, self._unread = self._unread.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        if not answer["ok"]:
            raise RuntimeError(f"the foreign RTSP server refused: {answer['error']}")
        return answer


def read_timecode(luma: npt.NDArray[np.uint8]) -> int | None:
    """Instant of capture drawn into a picture (H×W luma), CLOCK_MONOTONIC in ns; None where the checksum fails."""
    blocks = luma[: 3 * BLOCK_PX, : COLUMNS * BLOCK_PX].reshape(3, BLOCK_PX, COLUMNS, BLOCK_PX)
    bits = (blocks[:, 4:12, :, 4:12].mean(axis=(1, 3)) > 128).reshape(-1)
    octets = np.packbits(bits).tobytes()
    return int.from_bytes(octets[:8], "big") if sum(octets[:8]) % 256 == octets[8] else None

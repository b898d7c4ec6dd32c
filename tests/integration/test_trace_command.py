"""`penstock trace` and `/trace` against a real server whose rings real threads write into, and against a real run."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from perfetto_files import Timeline
from running import free_port
from traced_runs import FRAME_NS, TracedProcesses, traced

from penstock.base.clock import SystemClock
from penstock.contracts.times import ClockReading
from penstock.framebus.regions import MemfdRegions
from penstock.telemetry import guarded_http
from penstock.telemetry.server import MetricsServer
from penstock.telemetry.trace_server import TraceDesk

CLOCK = SystemClock()


class Traced:
    """A server of a run whose processes go on writing."""

    def __init__(self) -> None:
        self.processes = TracedProcesses(MemfdRegions())
        self.run = traced(ClockReading("monotonic", CLOCK.now_ns() - 10**9, CLOCK.utc_ns()))
        desk = TraceDesk(self.run, self.processes.tap, CLOCK)
        self.server = MetricsServer("127.0.0.1", 0, list, CLOCK, traces=desk)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> "Traced":
        self.server.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.server.stop()
        for region in self.processes.regions.values():
            region.close()

    def armed(self) -> bool:
        return self.processes.engine._armed[0] > CLOCK.now_ns()

    def _write(self) -> None:
        while not self._stop.wait(FRAME_NS / 1e9):
            self.processes.step(CLOCK.now_ns())


@pytest.fixture
def run() -> Iterator[Traced]:
    with Traced() as run:
        yield run


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "penstock", "trace", *arguments]
    # A proxy for the web must not be asked for a run on this host.
    environment = os.environ | {"http_proxy": "http://127.0.0.1:9"}
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def loaded(path: Path) -> tuple[dict[str, Any], Timeline]:
    file = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    return file, Timeline(file["traceEvents"])


def get(run: Traced, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"{run.server.url}{path}", timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_every_frame_of_the_time_asked_for(run: Traced, tmp_path: Path) -> None:
    done = command("--for", "1s", "-o", "out.json", "--url", run.server.url, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    file, timeline = loaded(tmp_path / "out.json")
    assert list(timeline.problems()) == []
    window = file["penstock"]["window"]
    expected = {
        (frame.id.stream.camera, frame.index)
        for frame in run.processes.frames
        if window["from_ns"] <= frame.decoded_ns < window["until_ns"]
    }
    cameras = [camera["camera"] for camera in file["penstock"]["cameras"]]
    found = {(cameras[row[0]], row[3]) for row in file["penstock"]["arrivals"]["rows"]}
    # Nobody writes before the server has said that it is wanted, a few milliseconds after the request.
    late = {one for one in expected - found if one[1] == min(index for _, index in expected)}
    assert expected - found == late
    assert found <= expected
    assert len(found) >= 2 * 15
    summary = file["otherData"]
    assert summary["missed"] == {}
    assert summary["under_way"] == 0
    lanes = sum(1 if camera == 'ba"ck' else 2 for camera, _ in found)
    assert summary["analysed"] + sum(summary["ended"].values()) == lanes
    assert f"{summary['frames']} frames in 1 s" in done.stdout
    assert "ui.perfetto.dev" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["out.json"]


def test_processes_stop_writing_when_the_trace_is_over(run: Traced) -> None:
    assert get(run, "/trace?for=0.2")[0] == 200
    assert not run.armed()


def test_one_at_a_time(run: Traced, tmp_path: Path) -> None:
    with urllib.request.urlopen(f"{run.server.url}/trace?for=5", timeout=20) as first:
        assert first.read(1) == b"{"
        refused = command("--url", run.server.url, folder=tmp_path)
        assert refused.returncode == 1
        assert "another trace is being taken; it ends in about" in refused.stderr
        assert get(run, "/metrics")[0] == 200
    # The first client has gone; its trace ends with it.
    deadline_s = time.monotonic() + 10
    while (status := get(run, "/trace?for=0.1")[0]) == 409 and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert status == 200
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "asked", ["", "?for=", "?for=0", "?for=61", "?for=1e9", "?for=nan", "?for=-1", "?for=x", f"?for={'9' * 400}"]
)
def test_a_time_that_makes_no_sense_is_refused(run: Traced, asked: str) -> None:
    status, body = get(run, f"/trace{asked}")
    assert status == 400
    assert "write /trace?for=10s" in json.loads(body)["error"]


def test_a_client_that_never_reads_holds_nothing_for_long(run: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.telemetry.trace_server._UNREAD_S", 0.5)
    monkeypatch.setattr(guarded_http, "ANSWER_S", 0.3)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    with contextlib.closing(client):
        client.connect(("127.0.0.1", run.server.port))
        client.sendall(b"GET /trace?for=0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
        while get(run, "/trace?for=0.1")[0] == 200:
            time.sleep(0.02)
        assert get(run, "/metrics")[0] == 200
        deadline_s = time.monotonic() + 15
        while get(run, "/trace?for=0.1")[0] != 200:
            assert time.monotonic() < deadline_s, "the desk is still held"
            time.sleep(0.1)


def test_a_trace_outlasts_the_time_that_other_answers_get(run: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "ANSWER_S", 0.3)
    status, body = get(run, "/trace?for=1")
    assert (status, json.loads(body)["otherData"]["missed"]) == (200, {})


def test_where_nothing_listens_the_command_says_how_to_find_the_port(tmp_path: Path) -> None:
    done = command("--url", f"127.0.0.1:{free_port()}", folder=tmp_path)
    assert done.returncode == 1
    assert "no run listens at http://127.0.0.1:" in done.stderr
    assert "metrics.port" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_listens_is_no_run(tmp_path: Path) -> None:
    with MetricsServerWithoutTraces() as url:
        done = command("--url", url, folder=tmp_path)
    assert done.returncode == 1
    assert "is no run of Penstock that can be traced" in done.stderr


class MetricsServerWithoutTraces:
    def __enter__(self) -> str:
        self._server = MetricsServer("127.0.0.1", 0, list, CLOCK)
        self._server.start()
        return self._server.url

    def __exit__(self, *_: object) -> None:
        self._server.stop()


def test_a_run_that_ends_meanwhile_leaves_an_older_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text("older", encoding="utf-8")
    with Traced() as run:
        line = [sys.executable, "-m", "penstock", "trace", "--for", "30s", "--url", run.server.url]
        process = subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        deadline_s = time.monotonic() + 20
        while not run.armed() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        run.server.stop()
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "the run or its connection ended" in errors
    assert (tmp_path / "trace.json").read_text(encoding="utf-8") == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--for", "2m"], "a trace lasts 1 m at most"),
        (["--for", "soon"], "is not a duration"),
        (["--url", "ftp://somewhere"], "is no address of a run"),
        (["--output", "."], "--output: . is a folder; name a file in it, such as trace.json"),
        (["--output", "away/t.json"], "--output: there is no folder away; make it, or name another file"),
    ],
)
def test_a_mistake_in_the_command_is_told(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = command(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr

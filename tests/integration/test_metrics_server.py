"""The metrics server over real HTTP, also while hostile clients hold its connections."""

import contextlib
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from penstock.base.clock import SystemClock
from penstock.contracts.messages import CameraState
from penstock.telemetry import guarded_http
from penstock.telemetry.server import MetricsServer, PortUnavailable
from penstock.telemetry.statistics import CameraStatistics, ProcessStatistics

CLOCK = SystemClock()


class Run:
    """What the processes of a run publish; changed by tests while the server serves."""

    def __init__(self) -> None:
        self.state = CameraState.UP
        self.published_ns: int | None = None

    def snapshot(self) -> list[ProcessStatistics]:
        now_ns = CLOCK.now_ns()
        camera = CameraStatistics("front", state=self.state, frames=5, last_frame_ns=now_ns)
        return [ProcessStatistics("ingest-0", "ingest", published_ns=self.published_ns or now_ns, cameras=(camera,))]


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
def server(run: Run) -> Iterator[MetricsServer]:
    server = MetricsServer("127.0.0.1", 0, run.snapshot, CLOCK, version="1.2.3")
    server.start()
    yield server
    server.stop()


def get(server: MetricsServer, path: str, timeout_s: float = 5.0) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"{server.url}{path}", timeout=timeout_s) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def connected(server: MetricsServer, first: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    if first:
        client.sendall(first)
    return client


def test_metrics_parse(server: MetricsServer) -> None:
    status, body = get(server, "/metrics")
    samples = {s.name: s.value for f in text_string_to_metric_families(body.decode()) for s in f.samples}
    assert status == 200
    assert samples["penstock_camera_frames_total"] == 5


def test_health(server: MetricsServer, run: Run) -> None:
    status, body = get(server, "/health")
    assert (status, json.loads(body)["status"]) == (200, "ok")
    assert get(server, "/health/live") == (200, b'{"alive":true}')
    assert get(server, "/health/ready") == (200, b'{"ready":true}')


def test_a_run_that_hangs_is_told(run: Run) -> None:
    run.published_ns = CLOCK.now_ns() - 60_000_000_000
    server = MetricsServer("127.0.0.1", 0, run.snapshot, CLOCK)
    server.start()
    try:
        assert get(server, "/health")[0] == 503
        assert get(server, "/health/live") == (503, b'{"alive":false}')
    finally:
        server.stop()


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/metrics/../../etc/passwd", 404), ("/", 200)])
def test_other_paths(server: MetricsServer, path: str, status: int) -> None:
    assert get(server, path)[0] == status


def test_only_reading(server: MetricsServer) -> None:
    request = urllib.request.Request(f"{server.url}/metrics", data=b"x", method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=5)
    caught.value.close()
    assert caught.value.code == 405


def test_clients_that_never_finish_their_request_stop_nobody(server: MetricsServer) -> None:
    with contextlib.ExitStack() as clients:
        for number in range(guarded_http.CONNECTIONS * 2):
            first = (b"", b"GET /metrics HTTP/1.1\r\nX-A: ", b"\x16\x03\x01\x02\x00")[number % 3]
            clients.enter_context(contextlib.closing(connected(server, first)))
        for _ in range(5):
            assert get(server, "/metrics")[0] == 200
        assert server.statistics().evicted > 0
        assert server.statistics().open <= guarded_http.CONNECTIONS + 1


def test_a_client_that_never_finishes_is_hung_up_on(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_http, "HEAD_S", 0.3)
    with contextlib.closing(connected(server, b"GET /metrics HTTP/1.1\r\nX-A: ")) as client:
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(100) == b""
        assert get(server, "/metrics")[0] == 200


def test_a_client_that_drips_after_its_first_answer_is_hung_up_on(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_http, "HEAD_S", 0.3)
    never = threading.Event()
    with contextlib.closing(connected(server, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")) as client:
        assert client.recv(10_000).startswith(b"HTTP/1.1 200")
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for _ in range(30):
                client.sendall(b"G")
                CLOCK.wait(never, 0.1)
            pytest.fail("the connection was still open after 3 s of dripping")


def test_a_client_that_never_reads_its_answers_is_hung_up_on(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_http, "ANSWER_S", 0.3)
    never = threading.Event()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.settimeout(5)
    with contextlib.closing(client):
        client.connect(("127.0.0.1", server.port))
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20_000)
            for _ in range(100):
                client.sendall(b"G")
                CLOCK.wait(never, 0.1)
            pytest.fail("the connection was still open after 10 s of unread answers")
        assert get(server, "/health")[0] == 200


@pytest.mark.parametrize(
    "garbage",
    [b"\x00" * 1000 + b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 40_000],
    ids=["zeros", "version", "header"],
)
def test_garbage_is_refused(server: MetricsServer, garbage: bytes) -> None:
    with contextlib.closing(connected(server)) as client, contextlib.suppress(ConnectionResetError, BrokenPipeError):
        client.sendall(garbage)
        assert client.recv(1000).startswith((b"HTTP/1.1 400", b""))
    assert get(server, "/metrics")[0] == 200


def test_a_port_in_use_is_told_clearly(server: MetricsServer, run: Run) -> None:
    other = MetricsServer("127.0.0.1", server.port, run.snapshot, CLOCK)
    with pytest.raises(PortUnavailable) as caught:
        other.start()
    assert caught.value.strerror == (
        f"metrics cannot be served on 127.0.0.1:{server.port}: another program listens there; "
        "set metrics.port (or --metrics-port) to another, or to 0"
    )
    other.stop()


def test_an_address_of_another_host_is_told_clearly(run: Run) -> None:
    with pytest.raises(PortUnavailable, match="this host has no such address"):
        MetricsServer("192.0.2.1", 0, run.snapshot, CLOCK).start()


def test_stop_ends_its_thread_and_frees_its_port(run: Run) -> None:
    server = MetricsServer("127.0.0.1", 0, run.snapshot, CLOCK)
    server.start()
    port = server.port
    with contextlib.closing(connected(server, b"GET /metr")):
        server.stop()
        server.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "metrics-http"]
    again = MetricsServer("127.0.0.1", port, run.snapshot, CLOCK)
    again.start()
    again.stop()

"""Fetching over real sockets: what arrives whole and right is kept, and nothing else ever is under a final name."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_server import Manners, ModelServer

from penstock.base.clock import SystemClock
from penstock.models.catalogue.known import KnownModel
from penstock.models.fetch import Fetched, Limits, wait_fetch
from penstock.models.fetch_errors import FetchError

BODY = bytes(range(256)) * 4096
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def entry(url: str, sha256: str = DIGEST, size_bytes: int = 0) -> KnownModel:
    return KnownModel(
        name="net", title="", task="detection", url=url, licence="MIT", licence_url="", source="a test",
        size_bytes=size_bytes, sha256=sha256,
    )  # fmt: skip


def fetch(known: KnownModel, folder: Path, limits: Limits | None = None) -> Fetched:
    return wait_fetch(known, folder, SystemClock(), limits=limits)


def refused(known: KnownModel, folder: Path, limits: Limits | None = None) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(known, folder, limits)
    assert not (folder / "net.onnx").exists()
    return caught.value


def test_a_good_file_is_kept_and_not_fetched_again(server: ModelServer, tmp_path: Path) -> None:
    server.manners["/net"] = Manners(BODY)
    seen: list[tuple[int, int]] = []
    known = entry(server.url("/net"), size_bytes=len(BODY))
    fetched = wait_fetch(known, tmp_path / "models", SystemClock(), lambda here, whole: seen.append((here, whole)))
    assert fetched.path.read_bytes() == BODY
    assert fetched.verified
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    assert os.listdir(tmp_path / "models") == ["net.onnx"]
    assert fetch(known, tmp_path / "models").already_there
    assert len(server.seen) == 1


def test_a_hash_that_nobody_knows_is_told(server: ModelServer, tmp_path: Path) -> None:
    server.manners["/net"] = Manners(BODY, length=False)
    fetched = fetch(entry(server.url("/net"), sha256=""), tmp_path)
    assert fetched == Fetched(tmp_path / "net.onnx", len(BODY), DIGEST, False)


def test_a_wrong_hash_leaves_nothing(server: ModelServer, tmp_path: Path) -> None:
    server.manners["/net"] = Manners(BODY[:-1] + b"!")
    assert f"{DIGEST} is expected" in refused(entry(server.url("/net")), tmp_path).what
    assert os.listdir(tmp_path) == []


def test_a_wrong_hash_does_not_replace_what_is_there(server: ModelServer, tmp_path: Path) -> None:
    server.manners["/net"] = Manners(b"neither")
    (tmp_path / "net.onnx").write_bytes(b"an older one")
    with pytest.raises(FetchError):
        fetch(entry(server.url("/net")), tmp_path)
    assert (tmp_path / "net.onnx").read_bytes() == b"an older one"


def test_a_broken_transfer_goes_on_where_it_stopped(server: ModelServer, tmp_path: Path) -> None:
    server.manners["/net"] = Manners(BODY, cut_at=600_000)
    known = entry(server.url("/net"))
    assert "broke off after 585.9 KiB of 1 MiB" in refused(known, tmp_path).what
    server.manners["/net"] = Manners(BODY)
    fetched = fetch(known, tmp_path)
    assert fetched.resumed_bytes == 600_000
    assert fetched.path.read_bytes() == BODY
    assert server.seen[-1].headers["Range"] == "bytes=600000-"


@pytest.mark.parametrize("manners", [Manners(BODY, ranges=False), Manners(BODY, wrong_range=True)])
def test_a_server_that_does_not_go_on_starts_anew(manners: Manners, server: ModelServer, tmp_path: Path) -> None:
    server.manners["/net"] = Manners(BODY, cut_at=1000)
    known = entry(server.url("/net"))
    refused(known, tmp_path)
    server.manners["/net"] = manners
    if manners.wrong_range:
        # What came is a piece from elsewhere: the hash tells, and the next attempt is clean.
        refused(known, tmp_path)
        server.manners["/net"] = Manners(BODY)
    assert fetch(known, tmp_path).resumed_bytes == 0


def test_without_a_known_hash_halves_are_not_joined(server: ModelServer, tmp_path: Path) -> None:
    server.manners["/net"] = Manners(BODY, cut_at=1000)
    known = entry(server.url("/net"), sha256="")
    assert "it starts anew" in refused(known, tmp_path).advice
    server.manners["/net"] = Manners(b"another file by now")
    assert fetch(known, tmp_path).path.read_bytes() == b"another file by now"


def test_rests_longer_than_the_file_are_thrown_away(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / ".net.onnx.part").write_bytes(BODY + b"and more")
    server.manners["/net"] = Manners(BODY)
    assert fetch(entry(server.url("/net")), tmp_path).path.read_bytes() == BODY


@pytest.mark.parametrize(
    ("manners", "message"),
    [
        (Manners(status=404), "is not there any more (404"),
        (Manners(status=500), "the server answers 500"),
        (Manners(status=407), "the proxy wants a name"),
        (Manners(status=302, location="http://192.0.2.1/net"), "leads to http://192.0.2.1/net, which is not fetched"),
        (Manners(status=302, location="file:///etc/passwd"), "which is not fetched from"),
        (Manners(status=302, location="ftp://127.0.0.1/net"), "which is not fetched from"),
        (Manners(b"<html>log in</html>"), "has 19 bytes, and 1048576 are expected"),
    ],
)
def test_other_answers_are_explained(manners: Manners, message: str, server: ModelServer, tmp_path: Path) -> None:
    server.manners["/net"] = manners
    assert message in str(refused(entry(server.url("/net"), size_bytes=len(BODY)), tmp_path))


def test_redirects_on_this_host_are_followed(server: ModelServer, tmp_path: Path) -> None:
    server.manners["/net"] = Manners(status=302, location=server.url("/there"))
    server.manners["/there"] = Manners(BODY)
    assert fetch(entry(server.url("/net")), tmp_path).verified


def test_a_server_that_says_nothing_is_given_up(server: ModelServer, tmp_path: Path) -> None:
    import threading

    server.manners["/net"] = Manners(BODY, stall=threading.Event())
    error = refused(entry(server.url("/net")), tmp_path, Limits(answer_s=0.3))
    assert "broke off after 0 B of 1 MiB: timed out" in error.what


def test_a_server_that_drips_is_given_up(server: ModelServer, tmp_path: Path) -> None:
    server.manners["/net"] = Manners(BODY, drip=(10, 0.05))
    error = refused(entry(server.url("/net")), tmp_path, Limits(slow_s=0.5, slowest_bytes_per_s=100_000))
    assert "bytes came in" in error.what


def test_more_than_any_model_is_cut_off(server: ModelServer, tmp_path: Path) -> None:
    server.manners["/net"] = Manners(BODY, length=False)
    assert "sends more than 1000 B" in refused(entry(server.url("/net")), tmp_path, Limits(most_bytes=1000)).what


def test_nobody_there_and_no_plain_http(tmp_path: Path) -> None:
    with ModelServer() as gone:
        url = gone.url("/net")
    assert "127.0.0.1 cannot be reached (connection refused)" in refused(entry(url), tmp_path).what
    assert "is not fetched from" in refused(entry("http://192.0.2.1/net"), tmp_path).what


def test_a_full_disk_is_told_and_leaves_nothing_final(server: ModelServer, tmp_path: Path) -> None:
    # /dev/full takes no byte: the part file is a link to it.
    (tmp_path / ".net.onnx.part").symlink_to("/dev/full")
    server.manners["/net"] = Manners(BODY)
    assert "the disk is full" in refused(entry(server.url("/net")), tmp_path).what


def test_two_at_once_do_not_write_one_file(server: ModelServer, tmp_path: Path) -> None:
    import fcntl

    server.manners["/net"] = Manners(BODY)
    with (tmp_path / ".net.onnx.part").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "being fetched by another process" in refused(entry(server.url("/net")), tmp_path).what
    assert fetch(entry(server.url("/net")), tmp_path).verified

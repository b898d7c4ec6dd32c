"""Fetches one known model: whole, with the right hash, or not at all under its final name.

What arrives goes to a hidden `.part` file beside the final place, is flushed to the disk, checked, and then renamed.
A transfer that broke off is gone on with (RFC 9110 §14, range requests), but only where the hash is known: without it,
nobody could tell two halves of different files from one whole. Plain http is taken from this host only, redirects
included.
"""

import fcntl
import hashlib
import http.client
import ipaddress
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import msgspec

from penstock.base.clock import NS_PER_S, Clock
from penstock.base.redaction import redact
from penstock.base.units import format_size
from penstock.models.catalogue.known import KnownModel
from penstock.models.fetch_errors import (
    FetchError,
    broken_off,
    connect_error,
    gist,
    led_astray,
    status_error,
    storage_error,
)

CHUNK_BYTES = 128 * 1024
Progress = Callable[[int, int], None]
"""bytes that are here, and bytes in all (0 where the server does not say)"""


class Fetched(msgspec.Struct, frozen=True):
    """Where the model lies now, and what is known of it."""

    path: Path
    size_bytes: int
    sha256: str
    verified: bool
    """the hash was known beforehand and is right"""
    resumed_bytes: int = 0
    """how much of it lay there from an earlier attempt"""
    already_there: bool = False


class Limits(msgspec.Struct, frozen=True):
    """How long to wait for a server."""

    answer_s: float = 30.0
    """for a connection, and for each piece of the answer"""
    slowest_bytes_per_s: float = 1024.0
    """less than this over `slow_s` is given up: a server that drips would otherwise hold us for ever"""
    slow_s: float = 30.0
    most_bytes: int = 4 * 1024**3


def wait_fetch(
    known: KnownModel,
    folder: Path,
    clock: Clock,
    progress: Progress | None = None,
    limits: Limits | None = None,
) -> Fetched:
    """Fetches `known` into `folder`, which is made where it is missing, unless it is there already.

    Raises FetchError with what happened and what to do.
    """
    progress = progress or _untold
    limits = limits or Limits()
    final = folder / known.file_name
    if final.is_file() and (size := final.stat().st_size):
        digest = _sha256(final)
        if not known.sha256 or digest == known.sha256:
            return Fetched(final, size, digest, bool(known.sha256), already_there=True)
        # Another file of that name: it stays until the right one is whole.
    part = folder / f".{known.file_name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FetchError(f"{known.name} is being fetched by another process", "Wait until it is done") from None
            resumed = _wait_receive(known, file, clock, progress, limits)
            file.flush()
            os.fsync(file.fileno())
            return _accept(known, part, final, resumed)
    except OSError as error:
        raise storage_error(known, folder, error) from error


def _untold(here: int, whole: int) -> None:
    """Nobody watches."""


def _wait_receive(known: KnownModel, file: IO[bytes], clock: Clock, progress: Progress, limits: Limits) -> int:
    """Fills `file` up; returns how many bytes were there before."""
    start = file.seek(0, os.SEEK_END) if known.sha256 else 0
    if known.size_bytes and start >= known.size_bytes:
        start = 0
    headers = {"User-Agent": "penstock", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        with _wait_open(known, headers, limits) as answer:
            if answer.status != http.HTTPStatus.PARTIAL_CONTENT or _first_byte(answer) != start:
                start = 0
            if file.seek(0, os.SEEK_END) > start:
                file.truncate(start)
            file.seek(start)
            length = answer.headers.get("Content-Length")
            whole = start + int(length) if length and length.isdigit() else 0
            _check_size(known, whole, limits)
            here = _wait_copy(known, answer, file, (start, whole), clock, progress, limits)
            if whole and here < whole:
                raise broken_off(known, here, whole, "the connection was closed")
            return start
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            file.truncate(0)
            return _wait_receive(known, file, clock, progress, limits)
        raise status_error(known, error) from error
    except urllib.error.URLError as error:
        raise connect_error(known, error.reason) from error
    except http.client.HTTPException as error:
        raise FetchError(f"{known.url}: the answer is no HTTP ({error})", "Try again later") from error


def _wait_copy(
    known: KnownModel,
    answer: http.client.HTTPResponse,
    file: IO[bytes],
    span: tuple[int, int],
    clock: Clock,
    progress: Progress,
    limits: Limits,
) -> int:
    here, whole = span
    since_ns, since_bytes = clock.now_ns(), here
    progress(here, whole)
    while True:
        try:
            piece = answer.read1(CHUNK_BYTES)
        except (TimeoutError, ConnectionError, http.client.IncompleteRead) as error:
            raise broken_off(known, here, whole, gist(error)) from error
        if not piece:
            return here
        file.write(piece)
        here += len(piece)
        if here > limits.most_bytes:
            raise FetchError(f"{known.url}: sends more than {format_size(limits.most_bytes)}", "It is no model of ours")
        progress(here, whole)
        now_ns = clock.now_ns()
        passed_s = (now_ns - since_ns) / NS_PER_S
        if passed_s >= limits.slow_s:
            if (here - since_bytes) / passed_s < limits.slowest_bytes_per_s:
                raise broken_off(known, here, whole, f"only {here - since_bytes} bytes came in {passed_s:.0f} s")
            since_ns, since_bytes = now_ns, here


def _accept(known: KnownModel, part: Path, final: Path, resumed: int) -> Fetched:
    size = part.stat().st_size
    digest = _sha256(part)
    if known.sha256 and digest != known.sha256:
        part.unlink()
        raise FetchError(
            f"{known.url}: has sha256 {digest} ({size} bytes), and {known.sha256} is expected",
            "It is not the file that the catalogue means, and was thrown away. Try again; if it stays so, the file "
            "was replaced at its source",
        )
    if not size:
        part.unlink()
        raise FetchError(f"{known.url}: is empty", "Try again later")
    part.replace(final)
    descriptor = os.open(final.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return Fetched(final, size, digest, bool(known.sha256), resumed)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https, and to http on this host when it came from there."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if not _is_safe(newurl) or (_is_loopback(newurl) and not _is_loopback(req.full_url)):
            fp.close()
            raise led_astray(req.full_url, newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _wait_open(known: KnownModel, headers: dict[str, str], limits: Limits) -> http.client.HTTPResponse:
    if not _is_safe(known.url):
        raise FetchError(
            f"{redact(known.url)}: is not fetched from", "Only https addresses are, and http ones on this host"
        )
    handlers: list[urllib.request.BaseHandler] = [_SafeRedirects()]
    if _is_loopback(known.url):
        # A proxy has another idea of which host this is.
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(known.url, headers=headers)  # noqa: S310 - `_is_safe` has looked at the scheme
    answer: http.client.HTTPResponse = opener.open(request, timeout=limits.answer_s)
    return answer


def _is_safe(url: str) -> bool:
    scheme = urlsplit(url).scheme.lower()
    return scheme == "https" or (scheme == "http" and _is_loopback(url))


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _first_byte(answer: http.client.HTTPResponse) -> int:
    headers: Message = answer.headers
    unit, _, rest = str(headers.get("Content-Range", "")).partition(" ")
    first = rest.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdigit() else -1


def _check_size(known: KnownModel, whole: int, limits: Limits) -> None:
    if whole > limits.most_bytes:
        raise FetchError(f"{known.url}: has {format_size(whole)}", "No model of ours is that large")
    if known.size_bytes and whole and whole != known.size_bytes:
        raise FetchError(
            f"{known.url}: has {whole} bytes, and {known.size_bytes} are expected",
            "The file was replaced at its source, or something on the way answers in its stead (a login page?)",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

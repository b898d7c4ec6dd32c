"""One GET whose answer is read as it comes: with passwords, redirections, TLS, time-outs, and an end on demand.

The standard library's client does the protocol; connecting is done here, so that another thread can end it at any
time by shutting the socket down.
"""

import contextlib
import http.client
import secrets
import socket
import ssl
from typing import cast
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from penstock import __version__
from penstock.base.clock import NS_PER_S, Clock
from penstock.base.units import format_duration
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.sources import certificates, faults
from penstock.sources.deadline_socket import DeadlineSocket
from penstock.sources.http_auth import authorization
from penstock.sources.interruption import Interruption

MOST_REDIRECTIONS = 5
_PIECE_BYTES = 64 * 1024
_REDIRECTIONS = {301, 302, 303, 307, 308}
_SAFE = "%/:=&?~#+!$,;'@()*[]"
"""what RFC 3986 lets stand in a path and query; anything else is sent as %XX"""


class HttpExchange:
    """`wait_open`, then `wait_piece` until it gives nothing, then `close`. Used by one thread but for `interrupt`.

    `url` is the address as it may be shown. Whoever sets `interruption` calls `interrupt` too.
    """

    def __init__(self, spec: StreamSpec, url: str, clock: Clock, interruption: Interruption) -> None:
        self._spec = spec
        self._url = url
        self._clock = clock
        self.interruption = interruption
        self._connection: http.client.HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._reads: DeadlineSocket | None = None
        self._response: http.client.HTTPResponse | None = None
        self.content_type = ""

    def wait_open(self) -> None:
        """Sends the request and reads the answer's header, after redirections where there are some.

        To connect, and to get an answer, takes `open_timeout_ns` each at most, for each address; a slow name server is
        waited for. Raises SourceError, also for every answer but success.
        """
        try:
            self._wait_success()
        except SourceError:
            self.close()
            raise

    def _wait_success(self) -> None:
        parts = self._split(self._spec.url)
        credentials = ""
        for _ in range(MOST_REDIRECTIONS + 2):
            response = self._wait_answer(parts, credentials)
            if response.status in _REDIRECTIONS and response.getheader("Location"):
                parts = self._redirected(parts, str(response.getheader("Location")))
                credentials = ""
                self.close()
                continue
            if response.status == http.client.UNAUTHORIZED and not credentials and parts.username is not None:
                answer = authorization(
                    response.headers.get_all("WWW-Authenticate") or [],
                    method="GET",
                    target=_target(parts),
                    user=unquote(parts.username),
                    password=unquote(parts.password or ""),
                    cnonce=secrets.token_hex(8),
                )
                if answer is not None:
                    credentials = answer
                    self.close()
                    continue
            if response.status != http.client.OK:
                raise self._refused(response.status, response.reason)
            self.content_type = (response.getheader("Content-Type") or "").strip()
            return
        raise SourceError(
            SourceFault.INVALID_DATA, f"{self._url}: redirects in a circle", "Use the address it should lead to"
        )

    def wait_piece(self) -> bytes:
        """What has come; nothing at the end. Waits `stall_timeout_ns` at most; raises SourceError."""
        if self.interruption.is_set():
            raise faults.interrupted(self._url)
        assert self._response is not None, "wait_open comes first"
        assert self._reads is not None
        self._reads.until_ns = self._clock.now_ns() + self._spec.stall_timeout_ns
        try:
            piece = self._response.read1(_PIECE_BYTES)
        except TimeoutError:
            raise self._or_interrupted(faults.stalled(self._url, self._spec.stall_timeout_ns)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._or_interrupted(
                SourceError(SourceFault.IO_ERROR, f"{self._url}: the connection broke ({_reason(error)})")
            ) from None
        if self.interruption.is_set():
            raise faults.interrupted(self._url)
        return piece

    def interrupt(self) -> None:
        """From any thread: ends a wait under way."""
        shut = self._socket
        if shut is not None:
            with contextlib.suppress(OSError, ValueError):
                # Not SSLSocket's own, which takes the TLS state away from under the reader.
                socket.socket.shutdown(shut, socket.SHUT_RDWR)

    def close(self) -> None:
        response, self._response = self._response, None
        connection, self._connection = self._connection, None
        own, self._socket = self._socket, None
        for closing in (response, connection, own):
            if closing is not None:
                with contextlib.suppress(OSError, ValueError):
                    closing.close()

    def _wait_answer(self, parts: SplitResult, credentials: str) -> http.client.HTTPResponse:
        timeout_s = self._spec.open_timeout_ns / NS_PER_S
        if self.interruption.is_set():
            raise faults.interrupted(self._url)
        try:
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
            connection = self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
            connected = self._wait_connected(host, port, parts.scheme == "https", timeout_s)
            until_ns = self._clock.now_ns() + self._spec.open_timeout_ns
            self._reads = DeadlineSocket(connected, self._clock, until_ns)
            connection.sock = cast(socket.socket, self._reads)
            headers: dict[str, str | bytes] = {
                "User-Agent": f"penstock/{__version__}",
                "Accept": "*/*",
                "Connection": "close",
            }
            if credentials:
                # As bytes: text would be sent as Latin-1, and the hash is of UTF-8.
                headers["Authorization"] = credentials.encode()
            connection.request("GET", _target(parts), headers=headers)
            # Kept at once: whatever is made of the answer, its buffered reader is to be closed.
            response = self._response = connection.getresponse()
            return response
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise certificates.fault(self._url, error.verify_message, self._spec.tls_ca) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise self._or_interrupted(self._unreachable(error)) from None

    def _wait_connected(self, host: str, port: int, encrypted: bool, timeout_s: float) -> socket.socket:
        last: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            made = socket.socket(family, kind, protocol)
            made.settimeout(timeout_s)
            self._socket = made
            try:
                if self.interruption.is_set():
                    # It came before there was a socket to shut down.
                    raise InterruptedError
                made.connect(address)
                if encrypted:
                    made = certificates.context(self._spec.tls_ca).wrap_socket(made, server_hostname=host)
                    self._socket = made
            except OSError as error:
                made.close()
                self._socket = None
                if isinstance(error, ssl.SSLError) or self.interruption.is_set():
                    raise
                last = error
                continue
            return made
        raise last or OSError(f"no address for {host}")

    def _split(self, address: str) -> SplitResult:
        try:
            return urlsplit(address)
        except ValueError:
            # Its message would repeat the address with its password.
            raise SourceError(
                SourceFault.NOT_FOUND, f"{self._url}: the address, or where it redirects to, is no URL", "Check it"
            ) from None

    def _redirected(self, parts: SplitResult, location: str) -> SplitResult:
        target = self._split(self._joined(parts, location))
        if target.scheme not in ("http", "https"):
            raise SourceError(
                SourceFault.UNSUPPORTED, f"{self._url}: redirects to {target.scheme}://", "Use that address"
            )
        if target.hostname == parts.hostname and target.username is None and parts.username is not None:
            # The password goes to the same host only.
            userinfo = parts.netloc.rpartition("@")[0]
            target = target._replace(netloc=f"{userinfo}@{target.netloc}")
        return target

    def _joined(self, parts: SplitResult, location: str) -> str:
        try:
            return urljoin(parts.geturl(), location)
        except ValueError:
            return location

    def _refused(self, status: int, reason: str) -> SourceError:
        if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            return faults.unauthorized(self._url)
        if status in (http.client.NOT_FOUND, http.client.GONE):
            return faults.no_such_stream(self._url)
        return SourceError(
            SourceFault.IO_ERROR,
            f"{self._url}: the server answers {status} {reason if reason.isprintable() else ''}".rstrip(),
            "Open the address in a browser; a camera that is busy may serve only few viewers at a time",
        )

    def _unreachable(self, error: Exception) -> SourceError:
        if isinstance(error, TimeoutError):
            return faults.no_answer(self._url, self._spec.open_timeout_ns)
        if isinstance(error, ConnectionRefusedError):
            return faults.refused(self._url, self._spec.url)
        if isinstance(error, ValueError) and (told := faults.misread_address(self._url, self._spec.url)) is not None:
            return told
        if isinstance(error, socket.gaierror):
            return faults.unknown_host(self._url, self._spec.url)
        if isinstance(error, http.client.HTTPException):
            return faults.not_speaking(self._url, "HTTP")
        if isinstance(error, ssl.SSLError):
            return SourceError(
                SourceFault.CERTIFICATE, f"{self._url}: no encrypted connection ({_reason(error)})", "Try http://"
            )
        waited = format_duration(self._spec.open_timeout_ns)
        return SourceError(
            SourceFault.IO_ERROR,
            f"{self._url}: cannot be reached ({_reason(error)}, time-out {waited})",
            "Check the address and the network",
        )

    def _or_interrupted(self, error: SourceError) -> SourceError:
        return faults.interrupted(self._url) if self.interruption.is_set() else error


def _target(parts: SplitResult) -> str:
    return quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_SAFE)


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else ""
    return text or type(error).__name__

"""RTSP messages (RFC 2326): reads requests and interleaved frames out of a byte stream, writes responses.

The reader is fed whatever came and gives what is complete. It keeps at most one head and one body; what is longer,
or is no RTSP at all, raises RtspSyntaxError, and nothing else does: the bytes come from anybody.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

import msgspec

LARGEST_HEAD_BYTES = 8 * 1024
LARGEST_BODY_BYTES = 16 * 1024
MOST_HEADERS = 64
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    451: "Parameter Not Understood",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid In This State",
    457: "Invalid Range",
    459: "Aggregate Operation Not Allowed",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "RTSP Version Not Supported",
    551: "Option Not Supported",
}


class RtspSyntaxError(ValueError):
    """What came is no request; `status` is the answer to give before closing."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Request(msgspec.Struct, frozen=True):
    method: str
    uri: str
    version: str
    headers: Mapping[str, str]
    """by lower-case name; a header that came twice has both values, separated by a comma"""
    body: bytes = b""

    @property
    def cseq(self) -> int | None:
        """None where it is missing or no number."""
        text = self.headers.get("cseq", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


class InterleavedFrame(msgspec.Struct, frozen=True):
    """RTP or RTCP within the RTSP connection (section 10.12)."""

    channel: int
    data: bytes


class Response(msgspec.Struct, frozen=True):
    status: int
    cseq: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def encode(self) -> bytes:
        lines = [f"RTSP/1.0 {self.status} {REASONS.get(self.status, 'Unknown')}"]
        if self.cseq is not None:
            lines.append(f"CSeq: {self.cseq}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + self.body


class MessageReader:
    """Cuts a connection's bytes into requests and frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def buffered_bytes(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Request | InterleavedFrame]:
        """What is complete with `data`, in order. Raises RtspSyntaxError; after that the connection is lost.

        The iterator must be used up before the next call.
        """
        self._buffer += data
        while True:
            self._drop_blank_lines()
            if not self._buffer:
                return
            if self._buffer[0] == ord("$"):
                item: Request | InterleavedFrame | None = self._frame()
            else:
                item = self._request()
            if item is None:
                return
            yield item

    def _drop_blank_lines(self) -> None:
        """Before a request they are let pass, as HTTP/1.1 has it (RFC 2068, section 4.1)."""
        blank = len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))
        if blank:
            del self._buffer[:blank]

    def _frame(self) -> InterleavedFrame | None:
        if len(self._buffer) < 4:
            return None
        end = 4 + int.from_bytes(self._buffer[2:4], "big")
        if len(self._buffer) < end:
            return None
        frame = InterleavedFrame(self._buffer[1], bytes(self._buffer[4:end]))
        del self._buffer[:end]
        return frame

    def _request(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n", 0, LARGEST_HEAD_BYTES + 4)
        if end < 0:
            self._refuse_unfinished()
            return None
        head = parse_head(bytes(self._buffer[:end]))
        length = _content_length(head.headers.get("content-length", "0"))
        if len(self._buffer) < end + 4 + length:
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        return msgspec.structs.replace(head, body=body) if body else head

    def _refuse_unfinished(self) -> None:
        """What is no request so far will not become one by growing."""
        line_end = self._buffer.find(b"\r\n", 0, LARGEST_HEAD_BYTES)
        if len(self._buffer) > LARGEST_HEAD_BYTES:
            if line_end < 0:
                raise RtspSyntaxError(414, f"a request line of more than {LARGEST_HEAD_BYTES} bytes")
            raise RtspSyntaxError(400, f"headers of more than {LARGEST_HEAD_BYTES} bytes")
        if line_end >= 0:
            parse_request_line(bytes(self._buffer[:line_end]))
        elif not 0x20 < self._buffer[0] < 0x7F:
            raise RtspSyntaxError(400, "what came is no RTSP")


def parse_request_line(line: bytes) -> tuple[str, str, str]:
    """(method, URI, version). Raises RtspSyntaxError."""
    try:
        parts = line.decode("utf-8").split(" ")
    except UnicodeDecodeError:
        raise RtspSyntaxError(400, "a request line that is no text") from None
    if len(parts) != 3:
        raise RtspSyntaxError(400, "a request line is METHOD URI RTSP/1.0")
    method, uri, version = parts
    if not method or not _TOKEN.issuperset(method) or not uri.isprintable() or not version.startswith("RTSP/"):
        raise RtspSyntaxError(400, "a request line is METHOD URI RTSP/1.0")
    return method, uri, version


def parse_head(head: bytes) -> Request:
    """A request without its body. Raises RtspSyntaxError."""
    lines = head.split(b"\r\n")
    if len(lines) - 1 > MOST_HEADERS:
        raise RtspSyntaxError(400, f"more than {MOST_HEADERS} headers")
    method, uri, version = parse_request_line(lines[0])
    headers: dict[str, str] = {}
    for line in lines[1:]:
        try:
            name, colon, value = line.decode("utf-8").partition(":")
        except UnicodeDecodeError:
            raise RtspSyntaxError(400, "a header that is no text") from None
        name = name.strip().lower()
        value = value.strip()
        if not colon or not name or not _TOKEN.issuperset(name) or not value.isprintable():
            raise RtspSyntaxError(400, "a header is `Name: value` on one line")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return Request(method, uri, version, headers)


def path_of(uri: str) -> str | None:
    """The decoded path of `rtsp://host/path?query` with its query, without a slash at its end; None for no RTSP URI."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme.lower() not in ("rtsp", "rtsps", "rtspu") or not parts.netloc:
        return None
    # A track's control name comes after the query where a client appends it to the whole address.
    path = unquote(parts.path).rstrip("/") + (f"?{parts.query}" if parts.query else "")
    return path.rstrip("/") or "/"


def _content_length(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise RtspSyntaxError(400, "Content-Length is no number")
    if int(text) > LARGEST_BODY_BYTES:
        raise RtspSyntaxError(413, f"a body of more than {LARGEST_BODY_BYTES} bytes")
    return int(text)

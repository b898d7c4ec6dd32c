"""Cuts a `multipart/x-mixed-replace` body into its parts as the bytes come in, as cameras really send them.

By RFC 2046, with what cameras get wrong: the boundary in the header may already have its two dashes, or be missing;
lines may end in a bare newline; parts may have no Content-Length. Pure; memory is bounded by `largest_bytes`.
"""

import re
from typing import NamedTuple

LARGEST_BYTES = 32 * 1024 * 1024
"""a part beyond this is no picture of a camera"""
_LARGEST_HEADER_BYTES = 16 * 1024
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"]+)"|([^\s;,]+))', re.IGNORECASE)
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,18})[ \t]*\r?$")
_TYPE = re.compile(rb"(?im)^content-type:[ \t]*([^\s;]+)")


class MalformedMultipart(ValueError):
    """The bytes are not parts of a multipart body; the message says what was found."""


class Part(NamedTuple):
    """One complete part."""

    content_type: str
    """lower case; empty where the part states none"""
    body: bytes


def boundary_of(content_type: str) -> str:
    """The boundary that a `Content-Type` header names; empty where it names none."""
    found = _BOUNDARY.search(content_type)
    return (found.group(1) or found.group(2)) if found else ""


class MultipartParser:
    """`feed` it what comes; it gives parts out as soon as their end is known.

    That is at their last byte where Content-Length is given, and at the next boundary where it is not.
    """

    def __init__(self, boundary: str, largest_bytes: int = LARGEST_BYTES) -> None:
        self._largest_bytes = largest_bytes
        self._buffer = bytearray()
        self._delimiter = _delimiter(boundary.encode("latin-1", "replace")) if boundary.strip("-") else None
        self._header: bytes | None = None
        self._searched = 0

    @property
    def within_part(self) -> bool:
        """A part's header has come, its end has not."""
        return self._header is not None

    def feed(self, data: bytes) -> list[Part]:
        """Raises MalformedMultipart; the parser is of no use after that."""
        self._buffer += data
        parts: list[Part] = []
        while (part := self._next()) is not None:
            parts.append(part)
        return parts

    def _next(self) -> Part | None:
        if self._header is None and not self._take_header():
            return None
        assert self._header is not None
        stated = _LENGTH.search(self._header)
        if stated is not None:
            size = int(stated.group(1))
            if size > self._largest_bytes:
                raise MalformedMultipart(
                    f"a part of {size} bytes is announced, the most taken is {self._largest_bytes}"
                )
            if len(self._buffer) < size:
                return None
            return self._cut(size, size)
        assert self._delimiter is not None
        found = self._delimiter.search(self._buffer, self._searched)
        if found is None:
            # A delimiter may have come in half.
            self._searched = max(0, len(self._buffer) - 256)
            if len(self._buffer) > self._largest_bytes:
                raise MalformedMultipart(f"a part has no end within {self._largest_bytes} bytes")
            return None
        return self._cut(found.start(), found.start())

    def _take_header(self) -> bool:
        """Passes over the boundary line to the end of the part's header."""
        while True:
            # Lines before the boundary, and the empty one after a body, belong to no part.
            begin = self._buffer.find(b"--")
            if begin < 0:
                if len(self._buffer) > _LARGEST_HEADER_BYTES:
                    raise MalformedMultipart("no boundary line comes")
                return False
            end = _HEADER_END.search(self._buffer, begin)
            if end is None:
                if len(self._buffer) - begin > _LARGEST_HEADER_BYTES:
                    raise MalformedMultipart(f"a part's header has no end within {_LARGEST_HEADER_BYTES} bytes")
                return False
            line, _, header = bytes(self._buffer[begin : end.start()]).partition(b"\n")
            if self._delimiter is None:
                self._delimiter = _delimiter(line.strip())
            del self._buffer[: end.end()]
            if header or self._delimiter.match(b"\n" + line):
                self._header = header
                self._searched = 0
                return True

    def _cut(self, size: int, used: int) -> Part:
        assert self._header is not None
        named = _TYPE.search(self._header)
        body = bytes(self._buffer[:size])
        del self._buffer[:used]
        self._header = None
        self._searched = 0
        return Part(named.group(1).decode("latin-1").lower() if named else "", body)


def _delimiter(boundary: bytes) -> re.Pattern[bytes]:
    """Finds the line that separates parts, whichever dashes its name came with."""
    return re.compile(rb"\r?\n-{2,}" + re.escape(boundary.strip(b"-")) + rb"(?=[-\s]|$)")

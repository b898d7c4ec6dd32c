"""Says in plain words what went wrong with a source and what to do about it, from FFmpeg's error codes.

FFmpeg's own texts name neither cause nor remedy ("Immediate exit requested"), and hold the URL with its password;
they are not passed on.
"""

import errno
import socket
from urllib.parse import urlsplit

import av.error

from penstock.base.units import format_duration
from penstock.contracts.sources import SourceError, SourceFault

_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


def open_fault(error: Exception, url: str, raw_url: str, waited_ns: int, timeout_ns: int) -> SourceError:
    """What a failed attempt to open means. `url` is redacted, `raw_url` only used to look its host up."""
    host = _host_of(raw_url)
    where = f"{host or url}"
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return SourceError(
            SourceFault.UNAUTHORIZED,
            f"{url}: the camera refused the user name or password",
            "Check them (special characters are written as %XX) and that the user may view this stream",
        )
    if isinstance(error, av.error.HTTPNotFoundError):
        return SourceError(
            SourceFault.NOT_FOUND,
            f"{url}: the camera has no such stream",
            "Check the path after the host: it differs from model to model",
        )
    if isinstance(error, av.error.FileNotFoundError):
        return SourceError(SourceFault.NOT_FOUND, f"{url}: no such file", "Check the path")
    if isinstance(error, av.error.IsADirectoryError):
        return SourceError(SourceFault.INVALID_DATA, f"{url} is a folder", "Name a video file in it")
    if isinstance(error, av.error.PermissionError):
        return SourceError(
            SourceFault.IO_ERROR, f"{url}: permission denied", "Make it readable for the user that penstock runs as"
        )
    if isinstance(error, av.error.ConnectionRefusedError):
        return SourceError(
            SourceFault.REFUSED,
            f"{url}: {where} refuses the connection",
            "Check the port (RTSP is usually 554), that the camera is on and that RTSP is enabled on it",
        )
    if isinstance(error, av.error.TimeoutError | av.error.ExitError) or (host and waited_ns >= 0.95 * timeout_ns):
        # FFmpeg reports a silent RTSP server as "invalid data".
        return SourceError(
            SourceFault.TIMEOUT,
            f"{url}: no answer within {format_duration(timeout_ns)}",
            "Check the address and that no firewall is in the way; a slow camera may need a longer open time-out",
        )
    code = error.errno if isinstance(error, av.error.FFmpegError) else None
    if code in _UNREACHABLE:
        return SourceError(
            SourceFault.NOT_FOUND, f"{url}: there is no route to {where}", "Check the address and the network"
        )
    if code == errno.EIO and host and not _resolves(host):
        return SourceError(
            SourceFault.NOT_FOUND, f"{url}: the name {host} is unknown", "Check the spelling, or use the IP address"
        )
    if isinstance(error, av.error.InvalidDataError):
        if host:
            return SourceError(
                SourceFault.INVALID_DATA,
                f"{url}: what answers there does not speak RTSP",
                "Check the port: a camera's web page is on another one than its stream",
            )
        return SourceError(SourceFault.INVALID_DATA, f"{url} is not a video that FFmpeg can read", "Check the file")
    if isinstance(error, av.error.EOFError):
        return SourceError(SourceFault.INVALID_DATA, f"{url} is empty or cut off", "Check the file or the stream")
    return SourceError(
        SourceFault.IO_ERROR, f"{url}: cannot be opened ({_reason(error)})", "Check it with another player"
    )


def read_fault(error: Exception, url: str, timeout_ns: int) -> SourceError:
    """What an error while reading means; `url` is redacted."""
    if isinstance(error, av.error.TimeoutError | av.error.ExitError):
        return SourceError(
            SourceFault.STALLED,
            f"{url}: nothing came for {format_duration(timeout_ns)}",
            "The connection is made anew; if it happens often, check the camera and the network",
        )
    if isinstance(error, av.error.InvalidDataError):
        return SourceError(SourceFault.INVALID_DATA, f"{url}: the stream is damaged here", "Check the file or camera")
    return SourceError(SourceFault.IO_ERROR, f"{url}: the connection broke ({_reason(error)})")


def interrupted(url: str) -> SourceError:
    return SourceError(SourceFault.INTERRUPTED, f"{url}: reading was stopped")


def no_video(url: str, kinds: list[str]) -> SourceError:
    """The source has streams, but none with pictures."""
    found = f"only {' and '.join(sorted(set(kinds)))}" if kinds else "no streams at all"
    return SourceError(SourceFault.INVALID_DATA, f"{url}: no video in it, {found}", "Choose a stream with pictures")


def unknown_codec(url: str) -> SourceError:
    return SourceError(
        SourceFault.UNSUPPORTED,
        f"{url}: its video codec is not known here",
        "Set the camera's stream to H.264, H.265 or MJPEG",
    )


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, av.error.FFmpegError) else type(error).__name__
    return str(text or type(error).__name__)


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or "" if "://" in url and not url.startswith("file:") else ""
    except ValueError:
        return ""


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False

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
    where = host or url
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError):
        return unauthorized(url)
    if isinstance(error, av.error.HTTPNotFoundError):
        return no_such_stream(url)
    if host and (told := _told_by_camera(error, url)) is not None:
        return told
    if isinstance(error, av.error.FileNotFoundError):
        return SourceError(SourceFault.NOT_FOUND, f"{url}: no such file", "Check the path")
    if isinstance(error, av.error.IsADirectoryError):
        return SourceError(SourceFault.INVALID_DATA, f"{url} is a folder", "Name a video file in it")
    if isinstance(error, av.error.PermissionError):
        return SourceError(
            SourceFault.IO_ERROR, f"{url}: permission denied", "Make it readable for the user that penstock runs as"
        )
    if isinstance(error, av.error.ConnectionRefusedError):
        return refused(url, raw_url)
    if isinstance(error, av.error.TimeoutError | av.error.ExitError) or (host and waited_ns >= 0.95 * timeout_ns):
        # FFmpeg reports a silent RTSP server as "invalid data".
        return no_answer(url, timeout_ns)
    code = error.errno if isinstance(error, av.error.FFmpegError) else None
    if code in (errno.EMFILE, errno.ENFILE):
        return SourceError(
            SourceFault.IO_ERROR,
            f"{url}: cannot be opened, because too many files are open",
            "Raise the limit of open files (`ulimit -n`; systemd: LimitNOFILE=; docker: --ulimit nofile=)",
        )
    if code == errno.EINVAL and (told := misread_address(url, raw_url)) is not None:
        return told
    if code in _UNREACHABLE:
        return SourceError(
            SourceFault.NOT_FOUND, f"{url}: there is no route to {where}", "Check the address and the network"
        )
    if code == errno.EIO and host and not _resolves(host):
        return unknown_host(url, raw_url)
    if code == errno.EIO and raw_url.lower().startswith("rtsps://"):
        return no_tls(url)
    if isinstance(error, av.error.InvalidDataError):
        if host:
            return not_speaking(url, "RTSP") if _is_rtsp(raw_url) else no_known_video(url)
        return SourceError(SourceFault.INVALID_DATA, f"{url} is not a video that FFmpeg can read", "Check the file")
    if isinstance(error, av.error.EOFError):
        return SourceError(SourceFault.INVALID_DATA, f"{url} is empty or cut off", "Check the file or the stream")
    return SourceError(
        SourceFault.IO_ERROR, f"{url}: cannot be opened ({_reason(error)})", "Check it with another player"
    )


def read_fault(error: Exception, url: str, timeout_ns: int) -> SourceError:
    """What an error while reading means; `url` is redacted."""
    if isinstance(error, av.error.TimeoutError | av.error.ExitError):
        return stalled(url, timeout_ns)
    if isinstance(error, av.error.InvalidDataError):
        return SourceError(SourceFault.INVALID_DATA, f"{url}: the stream is damaged here", "Check the file or camera")
    return SourceError(
        SourceFault.IO_ERROR,
        f"{url}: the connection broke ({_reason(error)})",
        "It is made anew; if it happens often, check the camera and the network",
    )


def is_without_ranges(error: Exception, raw_url: str) -> bool:
    """Whether what failed, before the first picture, was to go back in a file over HTTP."""
    code = error.errno if isinstance(error, av.error.FFmpegError) else None
    return code == errno.EIO and raw_url.lower().startswith(("http://", "https://"))


def no_ranges(url: str) -> SourceError:
    """A file whose index is at its end, from a server that serves it only from its beginning."""
    return SourceError(
        SourceFault.IO_ERROR,
        f"{url}: the file cannot be read from its beginning on",
        "Its index is probably at its end, and the server serves no ranges: put the index first (`ffmpeg -i in.mp4 "
        "-c copy -movflags +faststart out.mp4`), or use a server that serves ranges",
    )


def hung_up(url: str) -> SourceError:
    """The camera ended the connection in an orderly way."""
    return SourceError(
        SourceFault.IO_ERROR,
        f"{url}: the camera closed the connection",
        "It is made anew; a camera that does this often restarts, or has more viewers than it allows",
    )


def unauthorized(url: str) -> SourceError:
    return SourceError(
        SourceFault.UNAUTHORIZED,
        f"{url}: the camera refused the user name or password",
        "Check them (special characters are written as %XX) and that the user may view this stream",
    )


def no_such_stream(url: str) -> SourceError:
    return SourceError(
        SourceFault.NOT_FOUND,
        f"{url}: the camera has no such stream",
        "Check the path after the host: it differs from model to model",
    )


def refused(url: str, raw_url: str) -> SourceError:
    where = _host_of(raw_url) or url
    usual = "RTSP is usually 554), that the camera is on and that RTSP is enabled on it"
    advice = usual if _is_rtsp(raw_url) else "HTTP is usually 80), and that the server is on"
    return SourceError(SourceFault.REFUSED, f"{url}: {where} refuses the connection", f"Check the port ({advice}")


def no_answer(url: str, timeout_ns: int) -> SourceError:
    return SourceError(
        SourceFault.TIMEOUT,
        f"{url}: no answer within {format_duration(timeout_ns)}",
        "Check the address and that no firewall is in the way; a slow camera may need a longer open time-out",
    )


def unknown_host(url: str, raw_url: str) -> SourceError:
    """Also of an address whose password is not written with %XX: what stands for its host is a piece of it then."""
    if _is_torn(raw_url):
        return SourceError(
            SourceFault.NOT_FOUND,
            f"{url}: the host in this address cannot be found",
            "In a user name or password write @ as %40, / as %2F, : as %3A, ? as %3F, # as %23 and % as %25",
        )
    return SourceError(
        SourceFault.NOT_FOUND,
        f"{url}: the name {_host_of(raw_url)} is unknown",
        "Check the spelling, or use the IP address",
    )


def misread_address(url: str, raw_url: str) -> SourceError | None:
    """Where the port is no number, or a password begins with what ends a host; None where neither is so."""
    try:
        if urlsplit(raw_url).port is None and _is_torn(raw_url):
            return unknown_host(url, raw_url)
    except ValueError:
        if _is_torn(raw_url):
            return unknown_host(url, raw_url)
        what = f"{url}: the port after the host is no number"
        return SourceError(SourceFault.NOT_FOUND, what, "Write a number after the colon, or leave both out")
    return None


def not_speaking(url: str, protocol: str) -> SourceError:
    return SourceError(
        SourceFault.INVALID_DATA,
        f"{url}: what answers there does not speak {protocol}",
        "Check the port: a camera's web page is on another one than its stream",
    )


def no_tls(url: str) -> SourceError:
    """Something answers, and breaks off when it is to be encrypted."""
    return SourceError(
        SourceFault.IO_ERROR,
        f"{url}: no encrypted connection could be made",
        "Does the camera speak TLS on this port? Plain RTSP is written rtsp:// and is usually on port 554; with TLS "
        "it is usually on 322",
    )


def no_known_video(url: str, content_type: str = "") -> SourceError:
    """Something answers, but not with pictures."""
    what = f" ({content_type})" if content_type else ""
    return SourceError(
        SourceFault.INVALID_DATA,
        f"{url}: what comes from there{what} is no video that is known here",
        "A camera's web page is no stream: its manual names the address of the stream itself",
    )


def stalled(url: str, timeout_ns: int) -> SourceError:
    return SourceError(
        SourceFault.STALLED,
        f"{url}: nothing came for {format_duration(timeout_ns)}",
        "The connection is made anew; if it happens often, check the camera and the network",
    )


def interrupted(url: str) -> SourceError:
    return SourceError(SourceFault.INTERRUPTED, f"{url}: reading was stopped")


def no_video(url: str, kinds: list[str]) -> SourceError:
    """The source has streams, but none with pictures."""
    found = f"only {' and '.join(sorted(set(kinds)))}" if kinds else "no streams at all"
    advice = "Choose a stream with pictures: this one may be for sound alone, or be switched off in the camera"
    return SourceError(SourceFault.INVALID_DATA, f"{url}: no video in it, {found}", advice)


def unknown_codec(url: str) -> SourceError:
    return SourceError(
        SourceFault.UNSUPPORTED,
        f"{url}: its video codec is not known here",
        "Set the camera's stream to H.264, H.265 or MJPEG",
    )


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, av.error.FFmpegError) else type(error).__name__
    return str(text or type(error).__name__)


def _told_by_camera(error: Exception, url: str) -> SourceError | None:
    """What a camera means that answers, but does not get as far as a stream; None where it is something else."""
    if isinstance(error, av.error.HTTPServerError):
        return SourceError(
            SourceFault.IO_ERROR,
            f"{url}: the camera answered with an error of its own (5xx)",
            "It may be starting or overloaded; where it lasts, restart the camera",
        )
    if isinstance(error, av.error.HTTPClientError):
        return SourceError(
            SourceFault.REFUSED,
            f"{url}: the camera refused the request (4xx)",
            "It may allow no further viewer (close others), or not serve this address in this way",
        )
    code = error.errno if isinstance(error, av.error.FFmpegError) else None
    if code == errno.EPROTONOSUPPORT:
        return SourceError(
            SourceFault.UNSUPPORTED,
            f"{url}: the camera does not offer this transport",
            "Set the input's transport to the other one, tcp or udp",
        )
    if code == errno.EPERM:
        # What FFmpeg makes of a connection that ends between two answers.
        return SourceError(
            SourceFault.IO_ERROR,
            f"{url}: the camera hung up before the stream began",
            "It may allow no further viewer, or be starting; where it lasts, restart the camera",
        )
    return None


def _is_rtsp(url: str) -> bool:
    return url.lower().startswith(("rtsp://", "rtsps://"))


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or "" if "://" in url and not url.startswith("file:") else ""
    except ValueError:
        return ""


def _is_torn(url: str) -> bool:
    """Whether an @ comes after what looks like the end of the host: `rtsp://user:pa/ss@host/path`."""
    authority, _, rest = url.partition("://")[2].replace("?", "/").replace("#", "/").partition("/")
    return ":" in authority and "@" in rest


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False

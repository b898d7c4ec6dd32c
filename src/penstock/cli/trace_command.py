"""`penstock trace`: every frame's way through a running instance, as a file for ui.perfetto.dev and for replays."""

import contextlib
import http.client
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from penstock.base.clock import NS_PER_S, Clock, SystemClock
from penstock.base.redaction import redact
from penstock.base.units import format_duration, format_size
from penstock.cli.main import UsageProblem
from penstock.cli.run_command import duration_ns

DEFAULT_URL = "http://127.0.0.1:9090"
LONGEST_NS = 60 * NS_PER_S
SUMMARY_KEY = '"otherData":'
"""the last key of the file"""

_CHUNK_BYTES = 64 * 1024
_TAIL_BYTES = 16 * 1024
_SILENT_S = 15.0
_PORT_ADVICE = (
    "Its port is metrics.port in its configuration (9090 where that says nothing), and the line `metrics at …` of its "
    "log names the address: penstock trace --url http://HOST:PORT"
)


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """The command's arguments as they were typed."""

    for_text: str = "10s"
    output: Path = Path("trace.json")
    url: str = DEFAULT_URL


class TraceFailed(Exception):
    """No trace could be taken: what, where and what to do."""


def trace_command(options: TraceOptions, clock: Clock | None = None) -> int:
    """Takes one trace and says what it holds; 1 where none could be had. `output` is replaced only by a whole file."""
    for_ns = duration_ns(options.for_text, "--for")
    if for_ns > LONGEST_NS:
        raise UsageProblem(f"--for: a trace lasts {format_duration(LONGEST_NS)} at most")
    url = _base_url(options.url)
    if options.output.is_dir():
        raise UsageProblem(f"--output: {options.output} is a folder; name a file in it, such as trace.json")
    if not options.output.parent.is_dir():
        raise UsageProblem(f"--output: there is no folder {options.output.parent}; make it, or name another file")
    partial = options.output.with_name(f"{options.output.name}.partial")
    try:
        with partial.open("wb") as file:
            tail = _fetch(url, for_ns, file, clock or SystemClock())
        summary = _summary(tail)
        os.replace(partial, options.output)
    except TraceFailed as error:
        print(f"penstock: {error}", file=sys.stderr)
        return 1
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    for line in _told(summary, options.output, for_ns):
        print(line)
    return 0


def _base_url(text: str) -> str:
    parts = urllib.parse.urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageProblem(f"--url: {redact(text)!r} is no address of a run; write one such as {DEFAULT_URL}")
    return parts._replace(path=parts.path.rstrip("/"), query="", fragment="").geturl()


def _fetch(url: str, for_ns: int, file: BinaryIO, clock: Clock) -> bytes:
    """Writes the answer to `file`, and returns its end."""
    # The run is at the given address itself, whatever proxy this host's programs use for the web.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    shown = redact(url)
    tail = b""
    try:
        with (
            opener.open(f"{url}/trace?for={for_ns / NS_PER_S:.9g}", timeout=_SILENT_S) as answer,
            _progress(for_ns, clock) as advance,
        ):
            while chunk := answer.read1(_CHUNK_BYTES):
                file.write(chunk)
                tail = (tail + chunk)[-_TAIL_BYTES:]
                advance(len(chunk))
    except urllib.error.HTTPError as error:
        raise TraceFailed(_refusal(error, shown)) from None
    except urllib.error.URLError as error:
        raise TraceFailed(_unreachable(error.reason, shown)) from None
    except TimeoutError:
        raise TraceFailed(f"{shown} has said nothing for {_SILENT_S:g} s; the run there hangs, or is no run") from None
    except (http.client.HTTPException, ConnectionError) as error:
        raise TraceFailed(f"the trace was cut short ({type(error).__name__}): {_ENDED} at {shown}") from None
    return tail


_ENDED = "the run or its connection ended, or it is no run of Penstock"


def _refusal(error: urllib.error.HTTPError, shown: str) -> str:
    with error:
        body = error.read(4096)
    try:
        said = str(json.loads(body)["error"])
    except (ValueError, TypeError, KeyError):
        said = ""
    if said:
        return f"{shown}: {said}"
    if error.code == http.HTTPStatus.NOT_FOUND:
        return f"what listens at {shown} is no run of Penstock that can be traced. {_PORT_ADVICE}"
    return f"{shown} answered {error.code} {error.reason}"


def _unreachable(reason: object, shown: str) -> str:
    if isinstance(reason, ConnectionRefusedError):
        return f"no run listens at {shown}: start one, or name where it listens. {_PORT_ADVICE}"
    what = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return f"{shown} cannot be reached ({what}). {_PORT_ADVICE}"


class _Advance:
    """Moves the bar by time and counts bytes."""

    def __init__(self, progress: Progress, for_ns: int, clock: Clock) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=for_ns / NS_PER_S)
        self._clock = clock
        self._begun_ns = clock.now_ns()
        self._bytes = 0

    def __call__(self, size_bytes: int) -> None:
        self._bytes += size_bytes
        passed_s = (self._clock.now_ns() - self._begun_ns) / NS_PER_S
        self._progress.update(self._task, completed=passed_s, description=format_size(self._bytes))


@contextlib.contextmanager
def _progress(for_ns: int, clock: Clock) -> Iterator[_Advance]:
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("tracing"), BarColumn(), TextColumn("{task.completed:.0f} of {task.total:g} s"))
    bar = Progress(*columns, TextColumn("{task.description}"), console=console, disable=not console.is_terminal)
    with bar:
        yield _Advance(bar, for_ns, clock)


def _summary(tail: bytes) -> dict[str, Any]:
    """What the file says of itself at its end; raises TraceFailed where it has none."""
    text = tail.decode("utf-8", errors="replace")
    _, found, rest = text.rpartition(SUMMARY_KEY)
    try:
        summary = json.loads(rest.rstrip()[:-1]) if found else None
    except ValueError:
        summary = None
    if not isinstance(summary, dict):
        raise TraceFailed(f"the trace has no end: {_ENDED}")
    return summary


def _told(summary: dict[str, Any], output: Path, for_ns: int) -> Iterator[str]:
    ended = "".join(f", {count} {fate.replace('_', ' ')}" for fate, count in sorted(summary["ended"].items()))
    frames, analysed = summary["frames"], summary["analysed"]
    yield f"{frames} frames in {format_duration(for_ns)}; in their lanes {analysed} analysed{ended}"
    if summary["under_way"]:
        yield f"{summary['under_way']} were still under way at the end, or their lanes heard of them too late"
    for process, count in sorted(summary["missed"].items()):
        yield f"missed: {count} records of {process}, which wrote faster than they could be read"
    if summary["not_drawn"]:
        yield f"not drawn: {summary['not_drawn']} slices, where too many lay one over another"
    if not summary["frames"]:
        yield "No frame was decoded meanwhile: see /health for the state of its cameras"
    yield f"{output} ({format_size(output.stat().st_size)}): open it at https://ui.perfetto.dev"

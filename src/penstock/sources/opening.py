"""Picks the kind of source that a URL asks for."""

import re
from collections.abc import Callable
from pathlib import Path

from penstock.base.clock import Clock
from penstock.base.redaction import redact
from penstock.contracts.identity import StreamKey
from penstock.contracts.sources import Source, SourceError, SourceFault
from penstock.contracts.specs import SourceMode, StreamSpec
from penstock.sources import plugin
from penstock.sources.http import HttpSource
from penstock.sources.live_file import LiveFileSource
from penstock.sources.lossless_file import LosslessFileSource
from penstock.sources.push import PushSource
from penstock.sources.rtsp import RtspSource
from penstock.sources.v4l2 import V4l2Source

KNOWN = (
    "rtsp://, rtsps://, http://, https://, push://NAME, v4l2:///dev/videoN, python:package.module:factory, file:// and "
    "plain paths of devices and video files"
)
DEFAULT_DATA_DIR = "penstock-data"
_DEVICE = re.compile(r"/dev/(video\d+|v4l/.+)")


def open_source(
    spec: StreamSpec,
    *,
    host_id: str,
    boot_id: str,
    run_id: str,
    clock: Clock,
    new_session: Callable[[], int],
    data_dir: Path | None = None,
) -> Source:
    """A source for `spec.url`, not yet connected; pushed cameras need the `data_dir` in which their socket lies.

    Raises SourceError `unsupported` for a scheme nobody reads.
    """

    def key(session: int) -> StreamKey:
        return StreamKey(host_id, boot_id, run_id, spec.camera, spec.roles[0], session)

    if spec.url.startswith(plugin.SCHEME):
        return plugin.PluginSource(spec, key=key, clock=clock, new_session=new_session)
    scheme = scheme_of(spec.url)
    if scheme in ("rtsp", "rtsps"):
        return RtspSource(spec, key=key, clock=clock, new_session=new_session)
    if scheme in ("http", "https"):
        return HttpSource(spec, key=key, clock=clock, new_session=new_session)
    if scheme == "push":
        folder = data_dir or Path(DEFAULT_DATA_DIR)
        return PushSource(spec, key=key, clock=clock, new_session=new_session, data_dir=folder)
    if scheme == "v4l2":
        return V4l2Source(spec, key=key, clock=clock, new_session=new_session)
    if scheme == "file":
        if spec.mode is SourceMode.LOSSLESS:
            return LosslessFileSource(spec, key=key, clock=clock, new_session=new_session)
        return LiveFileSource(spec, key=key, clock=clock, new_session=new_session)
    raise SourceError(
        SourceFault.UNSUPPORTED, f"{redact(spec.url)}: {scheme}:// is not a known kind of source", f"Known are {KNOWN}"
    )


def scheme_of(url: str) -> str:
    """The scheme of an address; `v4l2` for the path of a device, `file` for any other path."""
    if "://" in url:
        return url.partition("://")[0].lower()
    return "v4l2" if _DEVICE.fullmatch(url) else "file"

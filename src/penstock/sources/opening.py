"""Picks the kind of source that a URL asks for."""

from collections.abc import Callable

from penstock.base.clock import Clock
from penstock.base.redaction import redact
from penstock.contracts.identity import StreamKey
from penstock.contracts.sources import Source, SourceError, SourceFault
from penstock.contracts.specs import SourceMode, StreamSpec
from penstock.sources.live_file import LiveFileSource
from penstock.sources.lossless_file import LosslessFileSource
from penstock.sources.rtsp import RtspSource

KNOWN = "rtsp://, rtsps://, file:// and plain paths of video files"


def open_source(
    spec: StreamSpec, *, host_id: str, boot_id: str, run_id: str, clock: Clock, new_session: Callable[[], int]
) -> Source:
    """A source for `spec.url`, not yet connected. Raises SourceError `unsupported` for a scheme nobody reads."""

    def key(session: int) -> StreamKey:
        return StreamKey(host_id, boot_id, run_id, spec.camera, spec.roles[0], session)

    scheme = spec.url.partition("://")[0].lower() if "://" in spec.url else "file"
    if scheme in ("rtsp", "rtsps"):
        return RtspSource(spec, key=key, clock=clock, new_session=new_session)
    if scheme == "file":
        if spec.mode is SourceMode.LOSSLESS:
            return LosslessFileSource(spec, key=key, clock=clock, new_session=new_session)
        return LiveFileSource(spec, key=key, clock=clock, new_session=new_session)
    raise SourceError(
        SourceFault.UNSUPPORTED, f"{redact(spec.url)}: {scheme}:// is not a known kind of source", f"Known are {KNOWN}"
    )

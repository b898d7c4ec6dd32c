"""A camera behind http:// or https://, of whichever kind its answer says: MJPEG, snapshots, HLS, or a video stream.

MJPEG and snapshots are read here; playlists and containers by FFmpeg. What has an end and can be read again (an MP4, a
playlist that is complete) behaves as a file does.
"""

import re
from collections.abc import Callable

from av.container import InputContainer

from penstock.base.clock import Clock
from penstock.contracts.identity import StreamKey
from penstock.contracts.sources import SourceError, SourceFault, SourceSession
from penstock.contracts.specs import SourceMode, StreamSpec
from penstock.sources import certificates, containers, faults, hls
from penstock.sources.http_exchange import HttpExchange
from penstock.sources.http_pictures import PICTURE_TYPES, MultipartSession, SnapshotSession
from penstock.sources.interruption import Interruption
from penstock.sources.live_file import LiveFileSession
from penstock.sources.live_session import LiveSession
from penstock.sources.lossless_file import LosslessFileSession
from penstock.sources.media_file import MediaFile
from penstock.sources.reopenable import ReopenableSource

PLAYLIST_TYPES = ("application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl")
PLAYLIST_SUFFIXES = (".m3u8", ".m3u")
TEXT_TYPES = ("text/html", "text/plain", "text/xml", "application/json", "application/xml", "application/xhtml+xml")
STREAMED_FORMATS = frozenset({"mpegts", "flv", "mpjpeg", "mjpeg", "h264", "hevc", "m4v"})
"""containers without an index: what comes in them over HTTP is taken for live"""
OPTIONS = {"analyzeduration": "500000", "fpsprobesize": "0"}


class HttpSource(ReopenableSource[SourceSession]):
    """Finds out at each `wait_open` what it is; `interrupt` is final."""

    def __init__(
        self, spec: StreamSpec, *, key: Callable[[int], StreamKey], clock: Clock, new_session: Callable[[], int]
    ) -> None:
        super().__init__(spec, key=key, clock=clock, new_session=new_session)
        self.lossless = spec.mode is SourceMode.LOSSLESS
        self.live = not self.lossless
        self._pending: HttpExchange | None = None

    def interrupt(self) -> None:
        super().interrupt()
        pending = self._pending
        if pending is not None:
            pending.interrupt()

    def _wait_connect(self) -> SourceSession:
        """Connects within `open_timeout_ns` for each of its steps; raises SourceError."""
        if is_playlist(self._spec.url) or self.lossless:
            return self._wait_container(playlist=is_playlist(self._spec.url))
        certificates.require_readable(self._spec.tls_ca, self._url)
        exchange = self._pending = HttpExchange(self._spec, self._url, self._clock, self._interruption)
        try:
            exchange.wait_open()
        finally:
            self._pending = None
        kind = exchange.content_type.partition(";")[0].strip().lower()
        if kind.startswith("multipart/") or kind in PICTURE_TYPES:
            try:
                return self._pictures(exchange, kind)
            except SourceError:
                exchange.close()
                raise
        exchange.close()
        if kind in TEXT_TYPES:
            raise faults.no_known_video(self._url, kind)
        return self._wait_container(playlist=kind in PLAYLIST_TYPES)

    def _pictures(self, exchange: HttpExchange, kind: str) -> SourceSession:
        own = Interruption()
        exchange.interruption = own
        if kind.startswith("multipart/"):
            return MultipartSession(
                exchange, spec=self._spec, url=self._url, key=self._next_key(), clock=self._clock, interruption=own
            )
        return SnapshotSession(
            lambda: HttpExchange(self._spec, self._url, self._clock, own),
            exchange,
            spec=self._spec,
            url=self._url,
            key=self._next_key(),
            clock=self._clock,
            interruption=own,
        )

    def _wait_container(self, *, playlist: bool) -> SourceSession:
        spec = hls.patient(self._spec) if playlist else self._spec
        opened = self._wait_opened(spec, playlist)
        duration, name = opened.container.duration, opened.container.format.name
        if duration and duration > 0 and name not in STREAMED_FORMATS:
            return self._played_as_file(opened.container, spec, playlist)
        if self.lossless:
            opened.container.close()
            raise SourceError(
                SourceFault.UNSUPPORTED,
                f"{self._url}: it has no end, so it cannot be read without loss",
                "Use mode: live for it",
            )
        kind = hls.HlsSession if playlist else LiveSession
        return kind(opened, key=self._next_key(), spec=spec, url=self._url, clock=self._clock)

    def _wait_opened(self, spec: StreamSpec, playlist: bool) -> containers.Opened:
        options = {**(hls.OPTIONS if playlist else OPTIONS), **containers.tls_options(spec), **spec.options}
        return containers.wait_open(
            spec, self._url, clock=self._clock, interruption=self._interruption, options=options
        )

    def _played_as_file(self, first: InputContainer, spec: StreamSpec, playlist: bool) -> SourceSession:
        ready = [first]

        def open_container() -> InputContainer:
            return ready.pop() if ready else self._wait_opened(spec, playlist).container

        file = MediaFile(spec.url, self._url, {}, open_container=open_container, interruption=self._interruption)
        file.wait_open()
        if self.lossless:
            return LosslessFileSession(file, key=self._next_key(), url=self._url, clock=self._clock)
        return LiveFileSession(file, key=self._next_key(), url=self._url, clock=self._clock, loop=spec.loop)


def is_playlist(url: str) -> bool:
    """Whether the address itself says that it is an HLS playlist."""
    return re.split("[?#]", url, maxsplit=1)[0].lower().endswith(PLAYLIST_SUFFIXES)

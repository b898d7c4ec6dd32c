"""Pictures over HTTP: a multipart stream of JPEGs (`…/video.mjpg`), or a snapshot that is fetched again and again.

Each picture decodes by itself and carries no time, so it is dated by the arrival of its first byte.
"""

from collections import deque
from collections.abc import Callable

from penstock.base.clock import NS_PER_S, Clock
from penstock.contracts.identity import FrameId, StreamKey
from penstock.contracts.packets import EncodedImage, StreamInfo
from penstock.contracts.sources import SessionStatistics, SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.contracts.times import CaptureTime
from penstock.sources import faults
from penstock.sources.arrival_clock import ArrivalClock
from penstock.sources.http_exchange import HttpExchange
from penstock.sources.interruption import Interruption
from penstock.sources.multipart import MalformedMultipart, MultipartParser, boundary_of

PICTURE_TYPES = ("image/jpeg", "image/jpg", "image/pjpeg", "image/png")
LARGEST_SNAPSHOT_BYTES = 32 * 1024 * 1024
DEFAULT_SNAPSHOT_FPS = 1.0


class _PictureSession:
    """What both ways of fetching have in common."""

    def __init__(self, spec: StreamSpec, url: str, key: StreamKey, clock: Clock, interruption: Interruption) -> None:
        self._spec = spec
        self._url = url
        self._key = key
        self._clock = clock
        self._interruption = interruption
        self._arrival = ArrivalClock()
        self._seq = 0

    @property
    def session(self) -> int:
        return self._key.session

    def info(self, info_id: int) -> StreamInfo:
        raise LookupError(f"images describe themselves; there is no configuration {info_id}")

    def statistics(self) -> SessionStatistics:
        return SessionStatistics()

    def _image(self, content_type: str, body: bytes, began_ns: int, *, unsure_ns: int = 0) -> EncodedImage:
        """`unsure_ns` after `began_ns` it may still have been taken."""
        mime = "image/png" if content_type == "image/png" else "image/jpeg"
        stamp = self._arrival.stamp(began_ns)
        capture = CaptureTime(stamp.mono_ns, stamp.basis, stamp.error_ns + unsure_ns)
        item = EncodedImage(FrameId(self._key, self._seq), mime, body, self._clock.now_ns(), capture)
        self._seq += 1
        return item


class MultipartSession(_PictureSession):
    """One answer of endless parts."""

    def __init__(
        self,
        exchange: HttpExchange,
        *,
        spec: StreamSpec,
        url: str,
        key: StreamKey,
        clock: Clock,
        interruption: Interruption,
    ) -> None:
        super().__init__(spec, url, key, clock, interruption)
        self._exchange = exchange
        self._parser = MultipartParser(boundary_of(exchange.content_type))
        self._ready: deque[EncodedImage] = deque()
        self._part_began_ns: int | None = None
        self._last_ns = clock.now_ns()

    def wait_read(self) -> EncodedImage:
        """The next picture; raises SourceError where none is complete within `stall_timeout_ns`."""
        while not self._ready:
            if self._clock.now_ns() - self._last_ns > self._spec.stall_timeout_ns:
                # Bytes that drip without ever making a picture are silence too.
                raise faults.stalled(self._url, self._spec.stall_timeout_ns)
            piece = self._exchange.wait_piece()
            if not piece:
                raise faults.hung_up(self._url)
            self._take(piece)
        return self._ready.popleft()

    def interrupt(self) -> None:
        self._interruption.set()
        self._exchange.interrupt()

    def close(self) -> None:
        self._exchange.close()

    def _take(self, piece: bytes) -> None:
        now_ns = self._clock.now_ns()
        began_ns = self._part_began_ns or now_ns
        try:
            parts = self._parser.feed(piece)
        except MalformedMultipart as error:
            raise SourceError(
                SourceFault.INVALID_DATA, f"{self._url}: what comes is no stream of pictures: {error}"
            ) from None
        for part in parts:
            if part.body and (not part.content_type or part.content_type in PICTURE_TYPES):
                self._ready.append(self._image(part.content_type, part.body, began_ns))
                self._last_ns = now_ns
            began_ns = now_ns
        if not self._parser.within_part:
            self._part_began_ns = None
        elif parts or self._part_began_ns is None:
            self._part_began_ns = now_ns


class SnapshotSession(_PictureSession):
    """One picture per request, `fps` times a second (an option of the camera's; 1 where it is not given)."""

    def __init__(
        self,
        make_exchange: Callable[[], HttpExchange],
        first: HttpExchange,
        *,
        spec: StreamSpec,
        url: str,
        key: StreamKey,
        clock: Clock,
        interruption: Interruption,
    ) -> None:
        super().__init__(spec, url, key, clock, interruption)
        self._make_exchange = make_exchange
        self._exchange: HttpExchange | None = first
        self._interval_ns = round(NS_PER_S / snapshot_fps(spec, url))
        self._due_ns = clock.now_ns()

    def wait_read(self) -> EncodedImage:
        """The next picture, once it is due; raises SourceError, also where it is not complete within the open and the
        stall time-out together."""
        wait_ns = self._due_ns - self._clock.now_ns()
        if wait_ns > 0 and self._clock.wait(self._interruption.event, wait_ns / NS_PER_S):
            raise faults.interrupted(self._url)
        now_ns = self._clock.now_ns()
        self._due_ns = max(self._due_ns + self._interval_ns, now_ns)
        exchange = self._exchange
        if exchange is None:
            exchange = self._exchange = self._make_exchange()
            exchange.wait_open()
        content_type = exchange.content_type.partition(";")[0].strip().lower()
        if content_type not in PICTURE_TYPES:
            raise faults.no_known_video(self._url, content_type)
        body = bytearray()
        until_ns = now_ns + self._spec.open_timeout_ns + self._spec.stall_timeout_ns
        while piece := exchange.wait_piece():
            body += piece
            if self._clock.now_ns() > until_ns:
                raise faults.stalled(self._url, until_ns - now_ns)
            if len(body) > LARGEST_SNAPSHOT_BYTES:
                raise SourceError(
                    SourceFault.INVALID_DATA, f"{self._url}: a picture of more than {LARGEST_SNAPSHOT_BYTES} bytes"
                )
        exchange.close()
        self._exchange = None
        if not body:
            raise SourceError(SourceFault.INVALID_DATA, f"{self._url}: an empty picture came")
        return self._image(content_type, bytes(body), now_ns, unsure_ns=self._clock.now_ns() - now_ns)

    def interrupt(self) -> None:
        self._interruption.set()
        exchange = self._exchange
        if exchange is not None:
            exchange.interrupt()

    def close(self) -> None:
        if self._exchange is not None:
            self._exchange.close()


def snapshot_fps(spec: StreamSpec, url: str) -> float:
    """How often a snapshot is fetched; raises SourceError where the option is no sensible number."""
    text = spec.options.get("fps", str(DEFAULT_SNAPSHOT_FPS))
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not 0.001 <= fps <= 100:
        raise SourceError(SourceFault.UNSUPPORTED, f"{url}: options.fps is {text!r}", "Use a number from 0.001 to 100")
    return fps

"""A video file that acts like a camera: paced by its own timestamps, looped, its time never starting over.

A picture's capture time is the instant at which it falls due by its PTS. No encoder stands between a file and its
reader, so an access unit is handed out just early enough for the decoder to show every picture on time. A decoder that
holds back D pictures for reordering shows the n-th in presentation order when it is given the (n + D)-th unit in decode
order: so that unit is due when that picture is, which with B-frames is before its own.
"""

import heapq
from collections import deque

from penstock.base.clock import NS_PER_S, Clock
from penstock.contracts.identity import FrameId, StreamKey
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.sources import SessionStatistics, SourceError, SourceFault
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.sources import faults
from penstock.sources.interruption import Interruption
from penstock.sources.media_file import MOST_REORDERED, FilePacket, MediaFile, path_of
from penstock.sources.reopenable import ReopenableSource

SLIP_NS = 2 * NS_PER_S
"""a reader that is later than this finds the file's time moved on to now, not a backlog to catch up with"""


class LiveFileSource(ReopenableSource["LiveFileSession"]):
    """Each `wait_open` starts at the file's beginning; `interrupt` is final."""

    def _wait_connect(self) -> "LiveFileSession":
        """Raises SourceError where the file is missing or holds no video."""
        file = MediaFile(path_of(self._spec.url), self._url, self._spec.options)
        file.wait_open()
        return LiveFileSession(file, key=self._next_key(), url=self._url, clock=self._clock, loop=self._spec.loop)


class LiveFileSession:
    """One playing of the file, over all its loops."""

    def __init__(self, file: MediaFile, *, key: StreamKey, url: str, clock: Clock, loop: bool) -> None:
        self._file = file
        self._key = key
        self._url = url
        self._clock = clock
        self._loop = loop
        self._anchor_ns = clock.now_ns()
        self._ahead: deque[FilePacket] = deque()
        self._to_show: list[int] = []
        """heap: when the pictures that have been read, and not yet waited for, are to be shown"""
        self._waited_for = 0
        self._due_ns = 0
        self._interruption = Interruption()
        self._seq = 0
        self._slips = 0

    @property
    def session(self) -> int:
        return self._key.session

    def info(self, info_id: int) -> StreamInfo:
        return self._file.info(info_id)

    def wait_read(self) -> EncodedPacket:
        """The next access unit, once it is due; raises SourceError `interrupted`, or `ended` where not looped."""
        packet = self._next()
        due_ns = self._anchor_ns + self._needed_ns(packet)
        now_ns = self._clock.now_ns()
        if now_ns - due_ns > SLIP_NS:
            self._anchor_ns += now_ns - due_ns
            self._slips += 1
        while now_ns < due_ns:
            if self._clock.wait(self._interruption.event, (due_ns - now_ns) / NS_PER_S):
                raise faults.interrupted(self._url)
            now_ns = self._clock.now_ns()
        capture = CaptureTime(self._anchor_ns + packet.shown_ns, TimeBasis.MEDIA, self._file.time_error_ns)
        item = packet.encoded(FrameId(self._key, self._seq), now_ns, capture)
        self._seq += 1
        return item

    def interrupt(self) -> None:
        self._interruption.set()

    def close(self) -> None:
        self._file.close()

    def statistics(self) -> SessionStatistics:
        return SessionStatistics(slips=self._slips)

    def _next(self) -> FilePacket:
        if self._interruption.is_set():
            raise faults.interrupted(self._url)
        while len(self._ahead) <= MOST_REORDERED and (packet := self._read()) is not None:
            self._ahead.append(packet)
            heapq.heappush(self._to_show, packet.shown_ns)
        if not self._ahead:
            raise SourceError(SourceFault.ENDED, f"{self._url}: the file ends here")
        return self._ahead.popleft()

    def _needed_ns(self, packet: FilePacket) -> int:
        """When the picture falls due that the decoder shows on being given this packet."""
        held = self._file.info(packet.info_id).reorder_frames
        while self._to_show and self._waited_for <= self._seq - held:
            self._due_ns = heapq.heappop(self._to_show)
            self._waited_for += 1
        return self._due_ns

    def _read(self) -> FilePacket | None:
        packet = self._file.read()
        if packet is None and self._loop and (self._seq or self._ahead):
            self._file.wait_open()
            packet = self._file.read()
        return packet

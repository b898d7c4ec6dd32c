"""A video file read once, as fast as the reader takes it, every picture dated by its place in the file."""

from penstock.base.clock import Clock
from penstock.contracts.identity import FrameId, StreamKey
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.sources import SessionStatistics, SourceError, SourceFault
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.sources import faults
from penstock.sources.interruption import Interruption
from penstock.sources.media_file import MediaFile, path_of
from penstock.sources.reopenable import ReopenableSource


class LosslessFileSource(ReopenableSource["LosslessFileSession"]):
    """Each `wait_open` reads the file from its start; `interrupt` is final."""

    live = False
    lossless = True

    def _wait_connect(self) -> "LosslessFileSession":
        """Raises SourceError where the file is missing or holds no video."""
        file = MediaFile(path_of(self._spec.url), self._url, self._spec.options)
        file.wait_open()
        return LosslessFileSession(file, key=self._next_key(), url=self._url, clock=self._clock)


class LosslessFileSession:
    """One reading. Times are media times from the instant of opening on; they are exact, not measured."""

    def __init__(self, file: MediaFile, *, key: StreamKey, url: str, clock: Clock) -> None:
        self._file = file
        self._key = key
        self._url = url
        self._clock = clock
        self._anchor_ns = clock.now_ns()
        self._interruption = Interruption()
        self._seq = 0

    @property
    def session(self) -> int:
        return self._key.session

    def info(self, info_id: int) -> StreamInfo:
        return self._file.info(info_id)

    def wait_read(self) -> EncodedPacket:
        """The next access unit; raises SourceError `ended` after the last."""
        if self._interruption.is_set():
            raise faults.interrupted(self._url)
        packet = self._file.read()
        if packet is None:
            raise SourceError(SourceFault.ENDED, f"{self._url}: the file ends here")
        capture = CaptureTime(self._anchor_ns + packet.shown_ns, TimeBasis.MEDIA, self._file.time_error_ns)
        item = packet.encoded(FrameId(self._key, self._seq), self._clock.now_ns(), capture)
        self._seq += 1
        return item

    def interrupt(self) -> None:
        self._interruption.set()

    def close(self) -> None:
        self._file.close()

    def statistics(self) -> SessionStatistics:
        return SessionStatistics()

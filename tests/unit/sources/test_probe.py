"""What a probe makes of a scripted source, to the nanosecond."""

import pytest

from penstock.base.clock import SimulatedClock
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.sources import SessionStatistics, SourceError, SourceFault
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.sources.probe import wait_probe

MS = 1_000_000
S = 1000 * MS
KEY = StreamKey("h", "b", "r", "camera", Role.DETECT, 1)
INFO = StreamInfo("h264", 640, 360, (1, 1000), b"", fps=25.0, profile="Main", has_audio=True)


class Scripted:
    """Opens after 80 ms; each step is (milliseconds until it arrives, pts in ms, keyframe)."""

    url = "rtsp://***@camera/1"
    live = True
    lossless = False
    seekable = False
    session = 1

    def __init__(self, clock: SimulatedClock, steps: list[tuple[int, int, bool]]) -> None:
        self._clock = clock
        self._steps = iter(steps)
        self._seq = 0
        self.closed = False

    def wait_open(self) -> "Scripted":
        self._clock.advance(80 * MS)
        return self

    def info(self, info_id: int) -> StreamInfo:
        return INFO

    def wait_read(self) -> EncodedPacket:
        step = next(self._steps, None)
        if step is None:
            raise SourceError(SourceFault.STALLED, "nothing came")
        now_ns = self._clock.advance(step[0] * MS)
        self._seq += 1
        capture = CaptureTime(now_ns, TimeBasis.ARRIVAL, 50 * MS)
        return EncodedPacket(FrameId(KEY, self._seq - 1), 0, bytes(1000), step[2], step[1], None, 0, now_ns, capture)

    def interrupt(self) -> None: ...

    def statistics(self) -> SessionStatistics:
        return SessionStatistics()

    def close(self) -> None:
        self.closed = True


def test_a_steady_camera(clock: SimulatedClock) -> None:
    source = Scripted(clock, [(40, 40 * n, n % 25 == 0) for n in range(100)])
    report = wait_probe(source, clock, 2 * S)
    assert source.closed
    assert (report.codec, report.width_px, report.height_px, report.profile) == ("h264", 640, 360, "Main")
    assert (report.pictures, report.keyframes, report.gop_pictures, report.gop_ns) == (51, 3, 25, S)
    assert (report.declared_fps, report.measured_fps, report.b_frames) == (25.0, 25.0, False)
    assert (report.connect_ns, report.first_packet_ns) == (80 * MS, 120 * MS)
    assert (report.basis, report.error_ns) == (TimeBasis.ARRIVAL, 50 * MS)
    assert report.bitrate_bps == 51 * 1000 * 8 // 2
    assert (report.cached_burst_ns, report.ended, report.has_audio) == (0, None, True)


def test_b_pictures_and_one_keyframe(clock: SimulatedClock) -> None:
    shown = [0, 120, 40, 80, 240, 160, 200]
    report = wait_probe(Scripted(clock, [(40, pts, pts == 0) for pts in shown]), clock, 200 * MS)
    assert report.b_frames
    assert (report.keyframes, report.gop_pictures, report.gop_ns) == (1, None, None)


def test_a_cached_gop_is_seen(clock: SimulatedClock) -> None:
    burst = [(0, 40 * n, n == 0) for n in range(75)]
    live = [(40, 3000 + 40 * n, False) for n in range(50)]
    report = wait_probe(Scripted(clock, burst + live), clock, S)
    assert report.cached_burst_ns == 2960 * MS


def test_a_session_that_stalls_is_reported_with_what_it_gave(clock: SimulatedClock) -> None:
    report = wait_probe(Scripted(clock, [(40, 0, True), (40, 40, False)]), clock, 5 * S)
    assert (report.pictures, report.ended) == (2, SourceFault.STALLED)


def test_a_session_without_any_picture_is_an_error(clock: SimulatedClock) -> None:
    source = Scripted(clock, [])
    with pytest.raises(SourceError, match="nothing came"):
        wait_probe(source, clock, S)
    assert source.closed

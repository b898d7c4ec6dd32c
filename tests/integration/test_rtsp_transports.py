"""RTSP over UDP and TLS, and every codec that cameras send, against a foreign server."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from certificates import make_certificate
from foreign_rtsp import ForeignRtspServer, read_timecode

from penstock.base.clock import NS_PER_MS, SystemClock
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.sources import Source, SourceError, SourceFault
from penstock.contracts.specs import StreamSpec, Transport
from penstock.framebus.counters import CounterBlock
from penstock.ingest.books import WORDS, UnitBooks
from penstock.ingest.decoder import Decoder
from penstock.sources.live_session import LiveSession
from penstock.sources.opening import open_source

CLOCK = SystemClock()


def source_of(url: str, transport: Transport = Transport.TCP, *, tls_ca: str = "", open_ms: int = 5000) -> Source:
    spec = StreamSpec("camera", url, transport=transport, tls_ca=tls_ca, open_timeout_ns=open_ms * NS_PER_MS)
    sessions = iter(range(1, 100))
    return open_source(spec, host_id="h", boot_id="b", run_id="r", clock=CLOCK, new_session=sessions.__next__)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignRtspServer]:
    with ForeignRtspServer(tmp_path_factory.mktemp("rtsp")) as running:
        running.add_timecode("h264")
        running.add_timecode("hevc", codec="h265")
        running.add_timecode("mjpeg", codec="jpeg")
        running.add_timecode("lossy", loss=0.02)
        yield running


def decoded(info: StreamInfo, packets: list[EncodedPacket]) -> tuple[list[tuple[int, int | None]], UnitBooks]:
    """Number and timecode of every picture that ingest would show, and the books."""
    books = UnitBooks(CounterBlock(memoryview(bytearray(8 * WORDS)), WORDS))
    decoder = Decoder(info, books).open()
    shown = []
    for packet in packets:
        books.receive(len(packet.data))
        for unit, picture in decoder.decode(packet):
            luma = np.asarray(picture.reformat(format="gray").to_ndarray(), np.uint8)
            shown.append((unit.id.seq, read_timecode(luma)))
    decoder.close()
    return shown, books


@pytest.mark.parametrize("transport", list(Transport))
@pytest.mark.parametrize("codec", ["h264", "hevc", "mjpeg", "mpeg4"])
def test_codecs_over_each_transport(
    server: ForeignRtspServer, transport: Transport, codec: str, shared_data: Path
) -> None:
    if codec == "mpeg4":
        server.add_file(f"mpeg4-{transport}", shared_data / "videos" / "TUD-Campus.mp4", cached_gop=True)
    began_ns = CLOCK.now_ns()
    session = source_of(server.url(f"mpeg4-{transport}" if codec == "mpeg4" else codec), transport).wait_open()
    assert isinstance(session, LiveSession)
    packets = [session.wait_read() for _ in range(60)]
    info = session.info(packets[-1].info_id)
    session.close()
    print(f"{codec} over {transport}: first after {(packets[0].received_ns - began_ns) / NS_PER_MS:.0f} ms")
    assert info.codec == codec
    assert info.width_px == 640
    assert not any(packet.corrupt for packet in packets)
    start = next(packet.id.seq for packet in packets if packet.keyframe)
    shown, books = decoded(info, packets[start:])
    assert len(shown) >= len(packets) - start - 2
    assert books.reading().undecodable == 0
    if codec != "mpeg4":
        assert all(timecode is not None for _, timecode in shown)


def test_a_picture_that_lost_packets_is_marked_and_nothing_built_on_it_is_shown(server: ForeignRtspServer) -> None:
    session = source_of(server.url("lossy"), Transport.UDP).wait_open()
    assert isinstance(session, LiveSession)
    packets = [session.wait_read() for _ in range(200)]
    lost = session.lost_packets
    info = session.info(packets[-1].info_id)
    session.close()
    damaged = [packet.id.seq for packet in packets if packet.corrupt]
    assert lost >= len(damaged) >= 1
    start = next(packet.id.seq for packet in packets if packet.keyframe)
    shown, books = decoded(info, packets[start:])
    numbers = {seq for seq, _ in shown}
    keys = {packet.id.seq for packet in packets if packet.keyframe}
    for seq in damaged:
        if seq < start:
            continue
        until = next((key for key in sorted(keys) if key > seq and key not in damaged), len(packets))
        assert not numbers & set(range(seq, until)), f"unit {seq} is damaged, and pictures up to {until} build on it"
    assert all(timecode is not None for _, timecode in shown)
    reading = books.reading()
    assert reading.undecodable >= len([seq for seq in damaged if seq >= start])
    assert reading.received == reading.decoded + reading.undecodable + reading.skipped + reading.lost


def test_rtsps_takes_any_certificate_or_the_named_authoritys_only(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    stranger, _ = make_certificate(other)
    with ForeignRtspServer(tmp_path, certificate=(certificate, key)) as server:
        server.add_timecode("cam")
        for authority in ("", str(certificate)):
            began_ns = CLOCK.now_ns()
            session = source_of(server.url("cam"), tls_ca=authority).wait_open()
            first = session.wait_read()
            print(f"rtsps: first after {(first.received_ns - began_ns) / NS_PER_MS:.0f} ms")
            session.close()
        with pytest.raises(SourceError, match="not to be trusted: self-signed certificate") as caught:
            source_of(server.url("cam"), tls_ca=str(stranger)).wait_open()
        assert caught.value.fault is SourceFault.CERTIFICATE
        with pytest.raises(SourceError, match=r"not to be trusted: .*localhost") as caught:
            source_of(server.url("cam", host="localhost"), tls_ca=str(certificate)).wait_open()
        with pytest.raises(SourceError, match="does not exist"):
            source_of(server.url("cam"), tls_ca=str(tmp_path / "none.pem")).wait_open()


def test_units_end_balanced_whatever_is_lost(server: ForeignRtspServer) -> None:
    session = source_of(server.url("lossy"), Transport.UDP).wait_open()
    packets = [session.wait_read() for _ in range(80)]
    assert all(isinstance(packet, EncodedPacket) for packet in packets)
    info = session.info(packets[-1].info_id)  # type: ignore[union-attr]
    session.close()
    _, books = decoded(info, packets)  # type: ignore[arg-type]
    reading = books.reading()
    assert reading.received == sum((reading.decoded, reading.skipped, reading.undecodable, reading.lost))

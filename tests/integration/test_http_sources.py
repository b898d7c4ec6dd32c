"""Cameras over HTTP, on real sockets: MJPEG in its dialects, snapshots, HLS, passwords, and every way to fail."""

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from certificates import make_certificate
from web_cameras import FPS, PASSWORD, SEGMENT_S, USER, HlsServer, Mjpeg, WebCamera, encode_segment, jpeg

from penstock.base.clock import NS_PER_MS, NS_PER_S, SystemClock
from penstock.contracts.packets import EncodedImage, EncodedPacket
from penstock.contracts.sources import Source, SourceError, SourceFault
from penstock.contracts.specs import SourceMode, StreamSpec
from penstock.contracts.times import TimeBasis
from penstock.sources.hls import ERROR_NS, HlsSession
from penstock.sources.live_file import LiveFileSession
from penstock.sources.live_session import LiveSession
from penstock.sources.lossless_file import LosslessFileSession
from penstock.sources.opening import open_source
from penstock.sources.probe import wait_probe

CLOCK = SystemClock()


def source_of(url: str, *, stall_ms: int = 3000, open_ms: int = 5000, **more: Any) -> Source:
    spec = StreamSpec("camera", url, open_timeout_ns=open_ms * NS_PER_MS, stall_timeout_ns=stall_ms * NS_PER_MS, **more)
    sessions = iter(range(1, 100))
    return open_source(spec, host_id="h", boot_id="b", run_id="r", clock=CLOCK, new_session=sessions.__next__)


def images(session: object, count: int) -> list[EncodedImage]:
    found = [session.wait_read() for _ in range(count)]  # type: ignore[attr-defined]
    assert all(isinstance(item, EncodedImage) for item in found)
    return found


@pytest.fixture
def camera() -> Iterator[WebCamera]:
    with WebCamera() as running:
        yield running


DIALECTS = {
    "by the book": Mjpeg(),
    "no Content-Length": Mjpeg(with_length=False),
    "dashes in the header's boundary": Mjpeg(boundary="--frame"),
    "quoted boundary": Mjpeg(boundary='"frame"'),
    "no boundary named": Mjpeg(content_type="multipart/x-mixed-replace"),
    "no boundary named, no length": Mjpeg(content_type="multipart/x-mixed-replace", with_length=False),
    "bare newlines": Mjpeg(newline=b"\n", with_length=False),
}


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_every_picture_comes_whole_whatever_the_dialect(camera: WebCamera, dialect: Mjpeg) -> None:
    camera.add_mjpeg("/video.mjpg", dialect)
    began_ns = CLOCK.now_ns()
    session = source_of(camera.url("/video.mjpg")).wait_open()
    found = images(session, 12)
    session.close()
    print(f"first picture after {(found[0].received_ns - began_ns) / NS_PER_MS:.0f} ms")
    assert [item.data for item in found] == [jpeg(n) for n in range(12)]
    assert [item.id.seq for item in found] == list(range(12))
    assert {(item.mime, item.capture.basis) for item in found} == {("image/jpeg", TimeBasis.ARRIVAL)}
    for item in found:
        assert item.capture.mono_ns <= item.received_ns
    assert all(after.capture.mono_ns >= before.capture.mono_ns for before, after in pairwise(found))


@pytest.mark.parametrize("auth", ["basic", "digest", "digest of 1997"])
def test_passwords(auth: str, capfd: pytest.CaptureFixture[str]) -> None:
    with WebCamera(auth=auth) as camera:
        camera.add_mjpeg("/video.mjpg", Mjpeg())
        session = source_of(camera.url("/video.mjpg?channel=1", user=USER, password=quote(PASSWORD))).wait_open()
        assert images(session, 2)
        session.close()
        for url in (camera.url("/video.mjpg"), camera.url("/video.mjpg", user=USER, password="wrong")):
            with pytest.raises(SourceError) as caught:
                source_of(url).wait_open()
            assert caught.value.fault is SourceFault.UNAUTHORIZED
            assert "wrong" not in str(caught.value)
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_a_redirection_is_followed_with_the_password_to_the_same_host_only() -> None:
    with WebCamera(auth="basic") as camera:
        camera.add_mjpeg("/video.mjpg", Mjpeg())
        camera.add_redirection("/old", "/video.mjpg")
        session = source_of(camera.url("/old", user=USER, password=quote(PASSWORD))).wait_open()
        assert images(session, 1)
        session.close()
        camera.add_redirection("/away", camera.url("/video.mjpg", host="localhost"))
        with pytest.raises(SourceError) as caught:
            source_of(camera.url("/away", user=USER, password=quote(PASSWORD))).wait_open()
        assert caught.value.fault is SourceFault.UNAUTHORIZED
        camera.add_redirection("/round", "/round")
        with pytest.raises(SourceError, match="redirects in a circle"):
            source_of(camera.url("/round", user=USER, password=quote(PASSWORD))).wait_open()


def test_a_stalled_camera_is_given_up_after_the_stall_time_out(camera: WebCamera) -> None:
    mjpeg = Mjpeg()
    camera.add_mjpeg("/video.mjpg", mjpeg)
    session = source_of(camera.url("/video.mjpg"), stall_ms=600).wait_open()
    images(session, 3)
    mjpeg.stalled.set()
    with pytest.raises(SourceError, match="nothing came for 600 ms") as caught:
        images(session, 20)
    assert caught.value.fault is SourceFault.STALLED
    session.close()


def test_the_end_of_the_answer_is_a_broken_connection(camera: WebCamera) -> None:
    camera.add_mjpeg("/video.mjpg", Mjpeg(ends_after=3))
    session = source_of(camera.url("/video.mjpg")).wait_open()
    assert len(images(session, 3)) == 3
    with pytest.raises(SourceError, match="closed the connection") as caught:
        session.wait_read()
    assert caught.value.fault is SourceFault.IO_ERROR
    session.close()


def test_answers_that_are_no_video_are_named(camera: WebCamera) -> None:
    camera.add_bytes("/page", "text/html; charset=utf-8", lambda: b"<html>log in</html>")
    camera.add_bytes("/odd", "application/octet-stream", lambda: b"nothing that anybody knows" * 100)
    camera.add_bytes("/busy", "text/plain", lambda: b"too many viewers", status=503)
    camera.add_stream("/liar", "multipart/x-mixed-replace; boundary=x", lambda: iter([b"no parts at all " * 4096]))
    cases = {
        "/page": (SourceFault.INVALID_DATA, "text/html"),
        "/odd": (SourceFault.INVALID_DATA, "no video that is known here"),
        "/busy": (SourceFault.IO_ERROR, "answers 503"),
        "/nowhere": (SourceFault.NOT_FOUND, "no such stream"),
    }
    for path, (fault, words) in cases.items():
        with pytest.raises(SourceError) as caught:
            source_of(camera.url(path)).wait_open()
        assert (caught.value.fault, words in str(caught.value)) == (fault, True), str(caught.value)
    session = source_of(camera.url("/liar")).wait_open()
    with pytest.raises(SourceError, match="no stream of pictures"):
        session.wait_read()
    session.close()


def test_interrupt_ends_a_read_that_hangs(camera: WebCamera) -> None:
    mjpeg = Mjpeg()
    camera.add_mjpeg("/video.mjpg", mjpeg)
    source = source_of(camera.url("/video.mjpg"), stall_ms=20_000)
    session = source.wait_open()
    images(session, 2)
    mjpeg.stalled.set()
    timer = threading.Timer(0.2, source.interrupt)
    timer.start()
    with pytest.raises(SourceError) as caught:
        images(session, 100)
    timer.join()
    assert caught.value.fault is SourceFault.INTERRUPTED
    session.close()
    with pytest.raises(SourceError, match="reading was stopped"):
        source.wait_open()


def test_a_snapshot_address_is_fetched_again_and_again(camera: WebCamera) -> None:
    numbers = iter(range(1000))
    camera.add_bytes("/snapshot.jpg", "image/jpeg", lambda: jpeg(next(numbers)))
    session = source_of(camera.url("/snapshot.jpg"), options={"fps": "20"}).wait_open()
    found = images(session, 4)
    session.close()
    assert [item.data for item in found] == [jpeg(n) for n in range(4)]
    span_ns = found[-1].received_ns - found[0].received_ns
    assert span_ns >= 3 * 45 * NS_PER_MS


def test_probe_understands_pictures(camera: WebCamera) -> None:
    camera.add_mjpeg("/video.mjpg", Mjpeg())
    report = wait_probe(source_of(camera.url("/video.mjpg")), CLOCK, NS_PER_S)
    assert (report.codec, report.width_px, report.height_px, report.gop_pictures) == ("jpeg", 320, 240, 1)
    assert report.measured_fps == pytest.approx(FPS, rel=0.3)


def test_hls_hands_pictures_out_at_their_own_pace(camera: WebCamera) -> None:
    server = HlsServer(camera)
    began_ns = CLOCK.now_ns()
    session = source_of(camera.url("/live/index.m3u8")).wait_open()
    assert isinstance(session, HlsSession)
    packets = [session.wait_read() for _ in range(4 * FPS)]
    session.close()
    gaps_ms = sorted((after.received_ns - before.received_ns) / NS_PER_MS for before, after in pairwise(packets))
    print(f"first picture after {(packets[0].received_ns - began_ns) / NS_PER_MS:.0f} ms, gaps {gaps_ms[-3:]} ms")
    # Four segments of a second each came in four bursts; what is handed out comes one by one.
    assert gaps_ms[len(gaps_ms) // 2] == pytest.approx(1000 / FPS, rel=0.25)
    assert gaps_ms[-1] < 500 * SEGMENT_S
    assert session.statistics().time_jumps == 0
    assert {(p.capture.basis, p.capture.error_ns) for p in packets} == {(TimeBasis.MEDIA, ERROR_NS)}
    assert server.newest >= 6


def test_hls_that_starves_moves_on_and_counts_it(camera: WebCamera) -> None:
    server = HlsServer(camera, window=3)
    session = source_of(camera.url("/live/index.m3u8")).wait_open()
    assert isinstance(session, HlsSession)
    session.wait_read()
    server.hold()
    timer = threading.Timer(5.0, server.release)
    timer.start()
    packets = [session.wait_read() for _ in range(5 * FPS)]
    timer.join()
    statistics = session.statistics()
    session.close()
    assert statistics.slips + statistics.time_jumps >= 1
    assert [packet.id.seq for packet in packets] == list(range(1, 5 * FPS + 1))


def test_a_playlist_that_is_complete_is_played_like_a_file(camera: WebCamera) -> None:
    server = HlsServer(camera, window=3, total=3)
    server.ended = True
    source = source_of(camera.url("/live/index.m3u8"), loop=False)
    session = source.wait_open()
    assert isinstance(session, LiveFileSession)
    first = session.wait_read()
    session.close()
    assert first.keyframe
    lossless = source_of(camera.url("/live/index.m3u8"), mode=SourceMode.LOSSLESS)
    assert (lossless.live, lossless.lossless) == (False, True)
    session = lossless.wait_open()
    assert isinstance(session, LosslessFileSession)
    for _ in range(3 * FPS):
        session.wait_read()
    with pytest.raises(SourceError) as caught:
        session.wait_read()
    session.close()
    assert caught.value.fault is SourceFault.ENDED


def test_a_transport_stream_is_live_and_a_live_one_is_not_lossless(camera: WebCamera) -> None:
    stop = threading.Event()

    def pieces() -> Iterator[bytes]:
        for number in range(20):
            yield encode_segment(number)
            if stop.wait(SEGMENT_S):
                return

    camera.add_stream("/live.ts", "video/mp2t", pieces)
    session = source_of(camera.url("/live.ts")).wait_open()
    assert type(session) is LiveSession
    found = [session.wait_read() for _ in range(30)]
    assert all(isinstance(item, EncodedPacket) for item in found)
    session.close()
    with pytest.raises(SourceError, match="cannot be read without loss"):
        source_of(camera.url("/live.ts"), mode=SourceMode.LOSSLESS).wait_open()
    stop.set()


def test_https_checks_the_certificate_where_an_authority_is_named(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    stranger, _ = make_certificate(other)
    with WebCamera(certificate=(certificate, key)) as camera:
        camera.add_mjpeg("/video.mjpg", Mjpeg())
        for authority in ("", str(certificate)):
            session = source_of(camera.url("/video.mjpg"), tls_ca=authority).wait_open()
            assert images(session, 2)
            session.close()
        refusals = {
            str(stranger): ("127.0.0.1", "not to be trusted"),
            str(certificate): ("localhost", "not to be trusted"),
            str(key): ("127.0.0.1", "holds no PEM certificate"),
            str(tmp_path / "none.pem"): ("127.0.0.1", "does not exist"),
        }
        for authority, (host, words) in refusals.items():
            with pytest.raises(SourceError, match=words) as caught:
                source_of(camera.url("/video.mjpg", host=host), tls_ca=authority).wait_open()
            assert caught.value.fault is SourceFault.CERTIFICATE

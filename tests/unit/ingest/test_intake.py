"""Images and raw pixels on their way into the ring and to the models, beside packets."""

import threading
from fractions import Fraction

import av
import msgspec
import numpy as np
import pytest

from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.packets import EncodedImage, EncodedPacket, RawFrame, StreamInfo
from penstock.contracts.sources import SessionStatistics, SourceError
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.ingest import raw_encoder
from penstock.ingest.intake import Intake
from penstock.ingest.raw_picture import FORMATS, frame_bytes, picture_of
from penstock.sources import image_header
from penstock.testkit.film import make_film

MS = 1_000_000
KEY = StreamKey("h", "b", "r", "door", Role.DETECT, 5)


class Nothing:
    """A session whose items come from the test."""

    session = 5

    def info(self, info_id: int) -> StreamInfo:
        return StreamInfo("h264", 64, 48, (1, 90_000), b"", fps=float(info_id))

    def wait_read(self) -> EncodedPacket:
        raise AssertionError(threading.current_thread())

    def interrupt(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def statistics(self) -> SessionStatistics:
        return SessionStatistics()


def captured(n: int) -> CaptureTime:
    return CaptureTime(1_000 * MS + n * 40 * MS, TimeBasis.ARRIVAL, MS)


def image(n: int, data: bytes, mime: str = "image/jpeg") -> EncodedImage:
    return EncodedImage(FrameId(KEY, n), mime, data, n, captured(n))


def raw(n: int, picture: np.ndarray, pixel_format: str = "bgr24") -> RawFrame:
    height, width = picture.shape[:2]
    return RawFrame(FrameId(KEY, n), pixel_format, width, height, picture.tobytes(), n, captured(n))


def png(width: int, height: int) -> bytes:
    frame = av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), "rgb24")
    context = av.CodecContext.create("png", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt, context.time_base = width, height, "rgb24", Fraction(1, 25)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def test_packets_pass_as_they_are() -> None:
    film = make_film(frames=2, width_px=64, height_px=48)
    packet = msgspec.structs.replace(film.packets[0], info_id=3)
    taken = Intake(Nothing()).take(packet)
    assert taken.packet is packet
    assert taken.info.fps == 3.0
    assert taken.picture is None


def test_jpegs_become_packets_that_need_no_other() -> None:
    film = make_film("mjpeg", 3, width_px=64, height_px=48)
    intake = Intake(Nothing())
    taken = [intake.take(image(n, packet.data)) for n, packet in enumerate(film.packets)]
    assert [t.packet.pts for t in taken if t.packet] == [0, 3600, 7200]
    assert {(t.info.codec, t.info.width_px, t.info.height_px, t.unit.info_id, t.unit.keyframe) for t in taken} == {
        ("mjpeg", 64, 48, 0, True)
    }
    larger = make_film("mjpeg", 1, width_px=96, height_px=48).packets[0].data
    changed = intake.take(image(3, larger))
    assert (changed.unit.info_id, changed.info.width_px) == (1, 96)
    assert intake.take(image(4, png(10, 6), "image/png")).info.codec == "png"
    with pytest.raises(SourceError, match="image/webp"):
        intake.take(image(5, b"RIFF", "image/webp"))


def test_raw_pixels_are_pictures_at_once_and_packets_for_clips() -> None:
    intake = Intake(Nothing())
    rng = np.random.default_rng(3)
    smooth = [np.full((49, 65, 3), 40 + 5 * n, np.uint8) for n in range(30)]
    packets, infos = [], set()
    for n, pixels in enumerate(smooth):
        taken = intake.take(raw(n, pixels))
        assert taken.packet is None
        assert taken.picture is not None
        assert np.array_equal(taken.picture.to_ndarray(format="bgr24"), pixels)
        made = intake.encoded(taken)
        assert made is not None
        packets.append(made[0])
        infos.add(made[1])
    (info,) = infos
    assert (info.codec, info.width_px, info.height_px, info.encoded_from) == ("h264", 64, 48, "bgr24")
    assert [packet.id.seq for packet in packets] == list(range(30))
    # A keyframe each second: 25 pictures of 40 ms.
    assert [packet.id.seq for packet in packets if packet.keyframe] == [0, 25]
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = info.extradata
    shown = []
    for packet in packets:
        unit = av.Packet(len(packet.data))
        unit.update(packet.data)
        shown += decoder.decode(unit)
    shown += decoder.decode(None)
    assert len(shown) == 30
    for picture, pixels in zip(shown, smooth, strict=True):
        assert abs(int(picture.to_ndarray(format="bgr24").mean()) - int(pixels.mean())) <= 3
    grown = intake.take(raw(30, rng.integers(0, 255, (120, 200, 3), np.uint8)))
    made = intake.encoded(grown)
    assert made is not None
    assert (made[0].info_id, made[0].keyframe, made[1].width_px) == (1, True, 200)


def test_pixels_that_cannot_be_encoded_cost_the_clips_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(raw_encoder, "_OPTIONS", {"preset": "no-such-preset"})
    intake = Intake(Nothing())
    for n in range(3):
        taken = intake.take(raw(n, np.zeros((48, 64, 3), np.uint8)))
        assert taken.picture is not None
        assert intake.encoded(taken) is None
    # Of ours: whether FFmpeg's own words come too depends on what ran before.
    (told,) = [record for record in caplog.records if record.name.startswith("penstock.")]
    assert "there are no clips" in told.getMessage()


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_every_format_is_laid_out_as_ffmpeg_means_it(pixel_format: str) -> None:
    size = frame_bytes(pixel_format, 50, 30)
    data = np.arange(size, dtype=np.uint64).astype(np.uint8).tobytes()
    frame = RawFrame(FrameId(KEY, 0), pixel_format, 50, 30, data, 0, captured(0))
    picture = picture_of(frame)
    packer = av.CodecContext.create("rawvideo", "w")
    assert isinstance(packer, av.VideoCodecContext)
    packer.width, packer.height, packer.pix_fmt, packer.time_base = 50, 30, pixel_format, Fraction(1, 25)
    picture.pts, picture.time_base = 0, packer.time_base
    assert b"".join(bytes(packet) for packet in packer.encode(picture)) == data


BROKEN = {
    "too few bytes": ("bgr24", 8, 8, 100, "100 bytes came"),
    "an unknown format": ("p010le", 8, 8, 100, "not known"),
    "no size": ("gray", 0, 8, 0, "no size"),
    "a size beyond all": ("gray", 20_000, 1, 20_000, "no size"),
}


@pytest.mark.parametrize(("pixel_format", "width", "height", "size", "words"), BROKEN.values(), ids=BROKEN)
def test_pixels_that_are_not_what_they_say_end_the_session(
    pixel_format: str, width: int, height: int, size: int, words: str
) -> None:
    frame = RawFrame(FrameId(KEY, 0), pixel_format, width, height, bytes(size), 0, captured(0))
    with pytest.raises(SourceError, match=words):
        Intake(Nothing()).take(frame)


def test_image_headers() -> None:
    whole = make_film("mjpeg", 1, width_px=96, height_px=48).packets[0].data
    assert image_header.size_of(whole) == (96, 48)
    assert image_header.size_of(b"\xff\xff\xff\xd8") is None
    assert image_header.size_of(whole[:20]) is None
    assert image_header.size_of(png(10, 6)) == (10, 6)
    assert image_header.is_whole(whole)
    assert image_header.is_whole(whole + bytes(5000))
    assert not image_header.is_whole(whole[: len(whole) // 2])
    assert image_header.is_whole(png(10, 6))
    assert not image_header.is_whole(png(10, 6)[:-20])

"""Clips of pictures that an MP4 cannot usefully hold, and what players need of H.265."""

from pathlib import Path

import av
import msgspec
import pytest

from penstock.evidence.encoded_parts import EncodingPartWriter
from penstock.evidence.parts import ClipFailed, PartWriter
from penstock.testkit.film import make_film


def test_mjpeg_is_encoded_at_its_own_times(tmp_path: Path) -> None:
    film = make_film("mjpeg", 60, fps=25)
    part = EncodingPartWriter(tmp_path / "clip.mp4", 1, 0, film.info)
    part.open()
    uneven = [packet for packet in film.packets if packet.id.seq % 7]
    for packet in uneven:
        part.write(packet)
    finished = part.finish()
    assert (finished.info.codec, finished.encoded_from, finished.packets) == ("h264", "mjpeg", len(uneven))
    with av.open(str(finished.temporary)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        pictures = list(container.decode(stream))
        times = [round((picture.time or 0) * 25) for picture in pictures]
        first = uneven[0].id.seq
        assert times == [packet.id.seq - first for packet in uneven]
        keys = [picture.time or 0.0 for picture in pictures if picture.key_frame]
    assert [round(time, 1) for time in keys] == pytest.approx([0.0, 1.0, 2.0], abs=0.05)


def test_pictures_that_do_not_decode_are_left_out_and_none_is_a_failure(tmp_path: Path) -> None:
    film = make_film("mjpeg", 6)
    part = EncodingPartWriter(tmp_path / "clip.mp4", 1, 0, film.info)
    part.open()
    for packet in film.packets:
        broken = packet.id.seq in (1, 4)
        part.write(msgspec.structs.replace(packet, data=b"\xff\xd8nothing") if broken else packet)
    finished = part.finish()
    assert (finished.packets, finished.left_out) == (4, 2)
    part = EncodingPartWriter(tmp_path / "other.mp4", 1, 0, film.info)
    part.open()
    part.write(msgspec.structs.replace(film.packets[0], data=b"\xff\xd8nothing"))
    with pytest.raises(ClipFailed, match="none of the mjpeg pictures can be decoded"):
        part.finish()
    part.discard()
    assert not list(tmp_path.glob(".other*"))


def test_pictures_without_a_size_are_a_named_failure(tmp_path: Path) -> None:
    info = msgspec.structs.replace(make_film("mjpeg", 1).info, width_px=0, height_px=0)
    part = EncodingPartWriter(tmp_path / "clip.mp4", 1, 0, info)
    with pytest.raises(ClipFailed, match="their size is not known"):
        part.open()


@pytest.mark.parametrize(("global_header", "tag"), [(True, "hvc1"), (False, "hev1")])
def test_h265_has_the_tag_that_most_players_take(tmp_path: Path, global_header: bool, tag: str) -> None:
    film = make_film("libx265", 12, global_header=global_header)
    part = PartWriter(tmp_path / "clip.mp4", 1, 0, film.info)
    part.open()
    for packet in film.packets:
        part.write(packet)
    finished = part.finish()
    with av.open(str(finished.temporary)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.codec_tag == tag
        assert len(list(container.decode(stream))) == 12
    assert finished.encoded_from == ""

"""Clips become films without being encoded again; what cannot be sent is refused with advice."""

from pathlib import Path

import av
import pytest
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from served_films import write_clip

from penstock.simulator.film import Film, FilmError, film_of_file

FRAME_NS = 40_000_000


def pictures(film: Film) -> list[bytes]:
    decoder = av.CodecContext.create(film.media.codec, "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    # MPEG-4 headers stand in the container; the server puts them before keyframes.
    decoder.extradata = film.media.config
    frames = [frame for unit in film.units for frame in decoder.decode(Packet(unit.data))]
    return [bytes(frame.planes[0]) for frame in [*frames, *decoder.decode(None)]]


@pytest.mark.parametrize(
    ("name", "encoder", "codec", "b_frames"),
    [
        ("a.mp4", "libx264", "h264", 0),
        ("b.mkv", "libx264", "h264", 2),
        ("c.mp4", "libx265", "hevc", 2),
        ("d.mp4", "mpeg4", "mpeg4", 2),
        ("e.ts", "libx264", "h264", 2),
    ],
)
def test_pictures_and_times_are_those_of_the_file(
    tmp_path: Path, name: str, encoder: str, codec: str, b_frames: int
) -> None:
    path = write_clip(tmp_path / name, encoder, b_frames=b_frames)
    film = film_of_file(path)
    assert (film.media.codec, film.media.width_px, film.media.height_px, film.media.fps) == (codec, 160, 96, 25.0)
    assert film.units[0].keyframe
    assert film.units[0].pts_ns == 0
    # Containers that count in milliseconds or 1/90000 s round.
    assert sorted(unit.pts_ns for unit in film.units) == pytest.approx([i * FRAME_NS for i in range(20)], abs=1_000_000)
    assert film.duration_ns == pytest.approx(20 * FRAME_NS, abs=1_000_000)
    assert (film.reorder_ns > 0) == (b_frames > 0)
    assert film.media.config.startswith(b"\x00\x00")
    with av.open(str(path)) as container:
        assert pictures(film) == [bytes(frame.planes[0]) for frame in container.decode(video=0)]


def test_a_clip_cut_in_the_middle_begins_at_its_first_keyframe(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.ts", "libx264", 30)
    cut = tmp_path / "cut.ts"
    with av.open(str(whole)) as source, av.open(str(cut), "w") as sink:
        stream = sink.add_stream_from_template(source.streams.video[0])
        for packet in list(source.demux(video=0))[4:]:
            if packet.dts is not None:
                packet.stream = stream
                sink.mux(packet)
    film = film_of_file(cut)
    assert len(film.units) == 20
    assert (film.units[0].keyframe, film.units[0].pts_ns) == (True, 0)


def test_what_cannot_be_sent_is_refused_with_advice(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    cases = {
        tmp_path / "none.mp4": "cannot be read as video",
        text: "cannot be read as video",
        write_clip(tmp_path / "other.mkv", "ffv1"): "Convert it to H.264",
        write_clip(tmp_path / "reordered.avi", "libx264", b_frames=2): "AVI file with B-frames",
        write_clip(tmp_path / "full.avi", "mjpeg", pix_fmt="yuvj444p"): "4:2:0 and 4:2:2 only",
    }
    for path, says in cases.items():
        with pytest.raises(FilmError, match=says) as caught:
            film_of_file(path)
        assert str(path) in str(caught.value)

"""A video that Penstock's simulator draws, 640×360 at 25 frames a second without B-frames: the same for everybody."""

from pathlib import Path

import av

from penstock.simulator.scene_spec import SceneSpec
from penstock.simulator.video_file import EncodingSpec, write_films

FPS = 25


def drawn_video(folder: Path, width_px: int = 640, height_px: int = 360) -> Path:
    """A loop of ten seconds of a street; a keyframe a second."""
    path = folder / f"drawn-{width_px}x{height_px}.mp4"
    scene = SceneSpec("street", 7, width_px=width_px, height_px=height_px, seconds=10.0, fps=FPS)
    write_films(scene, {path: EncodingSpec(width_px=width_px, height_px=height_px, fps=FPS, gop=FPS)})
    return path


def with_headers_in_band(video: Path) -> Path:
    """The same pictures as MPEG-TS, which repeats the decoder's parameters before every keyframe.

    An RTSP server that finds them once in the file would give them to its first client only.
    """
    path = video.with_suffix(".ts")
    with av.open(str(video)) as given, av.open(str(path), "w", format="mpegts") as made:
        stream = given.streams.video[0]
        copy = made.add_stream_from_template(stream)
        for packet in given.demux(stream):
            if packet.size:
                packet.stream = copy
                made.mux(packet)
    return path

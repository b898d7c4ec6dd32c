"""What encoding the raw pixels of a USB camera for clips costs, in processor time: `python -m bench.raw_encoder`.

A drawn street as a camera gives it (YUYV 4:2:2, 640×480, 30 pictures a second), clean and with the noise of a sensor in
the dark. Processor time over the film's time is the share of a core.
"""

import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from penstock.base.clock import NS_PER_S
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.packets import EncodedPacket
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.ingest.raw_encoder import RawEncoder
from penstock.simulator.scene_spec import SceneSpec
from penstock.simulator.video_file import EncodingSpec, write_films

WIDTH_PX, HEIGHT_PX, FPS, SECONDS, ROUNDS = 640, 480, 30, 10, 3
NOISES = (0.0, 5.0)


def pictures(film: Path, noise: float) -> list[av.VideoFrame]:
    """The film's, each with its own noise: its standard deviation in levels of 255."""
    generator = np.random.default_rng(1)
    found = []
    with av.open(str(film)) as container:
        for frame in container.decode(video=0):
            packed = frame.reformat(WIDTH_PX, HEIGHT_PX, format="yuyv422").to_ndarray()
            noisy = packed + generator.normal(0, noise, packed.shape)
            found.append(av.VideoFrame.from_ndarray(noisy.clip(0, 255).astype(np.uint8), "yuyv422"))
    return found


def units() -> Iterator[EncodedPacket]:
    key = StreamKey("", "", "", "usb", Role.RECORD, 1)
    for i in itertools.count():
        at_ns, pts = i * NS_PER_S // FPS, i * 90_000 // FPS
        captured = CaptureTime(at_ns, TimeBasis.SENDER, 0)
        yield EncodedPacket(FrameId(key, i), 0, b"", True, pts, pts, 90_000 // FPS, at_ns, captured)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "street.mp4"
        spec = EncodingSpec(width_px=WIDTH_PX, height_px=HEIGHT_PX, fps=FPS, gop=FPS, crf=10)
        write_films(SceneSpec("street", 1, seconds=float(SECONDS), fps=FPS), {film: spec})
        for noise in NOISES:
            measure(pictures(film, noise), noise)


def measure(drawn: list[av.VideoFrame], noise: float) -> None:
    encoder, stated = RawEncoder(drawn[0], 0).open(), units()
    for _ in range(ROUNDS):
        began_s, size = time.process_time(), 0
        for picture in drawn:
            encoded = encoder.encode(picture, next(stated))
            size += len(encoded[0].data) if encoded else 0
        used_s = time.process_time() - began_s
        rate = size * 8 * FPS / len(drawn) / 1000
        print(f"noise {noise:g}: {used_s * FPS / len(drawn):.3f} of a core, {rate:.0f} kbit/s")


if __name__ == "__main__":
    main()

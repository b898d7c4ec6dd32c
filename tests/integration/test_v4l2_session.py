"""What becomes of a USB camera's pictures, with FFmpeg's readers of raw video and MJPEG files in the device's place.

No device is opened here: what the kernel's driver does (stamps, time-outs, unplugging) is not tested by this.
"""

from pathlib import Path

import av
import numpy as np
import pytest
from web_cameras import jpeg

from penstock.base.clock import SystemClock
from penstock.contracts.identity import Role, StreamKey
from penstock.contracts.packets import EncodedPacket, RawFrame
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.ingest.intake import Intake
from penstock.sources import media_stream
from penstock.sources.containers import Opened
from penstock.sources.opening import open_source
from penstock.sources.v4l2 import V4l2Session

CLOCK = SystemClock()
KEY = StreamKey("h", "b", "r", "desk", Role.DETECT, 4)


def session_on(path: Path, container_format: str, **options: str) -> V4l2Session:
    container = av.open(str(path), format=container_format, options=options)
    opened = Opened(container, media_stream.choose_video(container, str(path)))
    return V4l2Session(opened, key=KEY, spec=StreamSpec("desk", "/dev/video0"), url="/dev/video0", clock=CLOCK)


@pytest.mark.parametrize(("pixel_format", "pixel_bytes"), [("yuyv422", 2.0), ("nv12", 1.5)])
def test_raw_pixels_become_frames(tmp_path: Path, pixel_format: str, pixel_bytes: float) -> None:
    path = tmp_path / "pixels"
    size = int(64 * 48 * pixel_bytes)
    pictures = [np.random.default_rng(n).integers(16, 235, size, np.uint8).tobytes() for n in range(5)]
    path.write_bytes(b"".join(pictures))
    session = session_on(path, "rawvideo", video_size="64x48", pixel_format=pixel_format, framerate="30")
    found = [session.wait_read() for _ in range(5)]
    for item, picture in zip(found, pictures, strict=True):
        assert isinstance(item, RawFrame)
        assert (item.format, item.width_px, item.height_px, item.data) == (pixel_format, 64, 48, picture)
    taken = Intake(session).take(found[0])
    assert taken.picture is not None
    assert (taken.picture.format.name, taken.picture.width) == (pixel_format, 64)
    session.close()


def test_mjpeg_devices_give_packets(tmp_path: Path) -> None:
    path = tmp_path / "pictures.mjpeg"
    path.write_bytes(b"".join(jpeg(n) for n in range(4)))
    session = session_on(path, "mjpeg", framerate="30")
    found = [session.wait_read() for _ in range(4)]
    assert [item.data for item in found] == [jpeg(n) for n in range(4)]
    assert all(isinstance(item, EncodedPacket) and item.keyframe for item in found)
    assert isinstance(found[0], EncodedPacket)
    assert session.info(found[0].info_id).codec == "mjpeg"
    session.close()


def test_a_device_that_is_not_there_is_named() -> None:
    source = open_source(
        StreamSpec("desk", "/dev/video97"), host_id="h", boot_id="b", run_id="r", clock=CLOCK, new_session=lambda: 1
    )
    with pytest.raises(SourceError, match="there is no device /dev/video97") as caught:
        source.wait_open()
    assert caught.value.fault is SourceFault.NOT_FOUND

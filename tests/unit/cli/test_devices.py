"""What `penstock devices` prints of what it found, and of nothing."""

import io
from pathlib import Path

from rich.console import Console

from penstock.cli.devices_command import devices_command, lines
from penstock.sources.v4l2_devices import DeviceFormat, DeviceSize, VideoDevice


def test_nothing_found_says_what_to_check(tmp_path: Path) -> None:
    (tmp_path / "videotape").touch()
    printed = io.StringIO()
    assert devices_command(Console(file=printed, width=200), tmp_path) == 0
    assert f"No cameras: there is no {tmp_path}/video*." in printed.getvalue()
    assert "lsmod | grep uvcvideo" in printed.getvalue()


def test_a_file_that_is_no_device_says_so(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    printed = io.StringIO()
    assert devices_command(Console(file=printed, width=200), tmp_path) == 0
    assert f"{tmp_path}/video0  cannot be asked: it answers no questions" in printed.getvalue()


def test_a_device_with_its_formats() -> None:
    sizes = (DeviceSize(640, 480, (30.0, 7.5)), DeviceSize(1280, 720, (30.0,)))
    ranged = (DeviceSize(32, 32, (), (1920, 1080)),)
    device = VideoDevice(
        "/dev/video2",
        "HD Webcam",
        "uvcvideo",
        "usb-1",
        (
            DeviceFormat("Q080", "Odd", "", ranged),
            DeviceFormat("MJPG", "Motion-JPEG", "mjpeg", sizes),
        ),
    )
    assert lines(device) == [
        "/dev/video2  HD Webcam  (driver uvcvideo, usb-1)",
        "  Q080  Odd  (not usable here)",
        "    32x32 to 1920x1080",
        "  MJPG  Motion-JPEG  (input_format: mjpeg)",
        "    640x480  30, 7.5 fps",
        "    1280x720  30 fps",
        "  try: penstock probe 'v4l2:///dev/video2?input_format=mjpeg&video_size=640x480'",
    ]

"""What a device says of itself, from answers in the kernel's own shape (linux/videodev2.h)."""

import errno
import struct

import pytest

from penstock.contracts.specs import StreamSpec
from penstock.sources import v4l2_devices as v4l2
from penstock.sources.v4l2 import device_of
from penstock.sources.v4l2_devices import DeviceFormat, DeviceSize, VideoDevice, describe

YUYV, MJPG, ODD = (int.from_bytes(code, "little") for code in (b"YUYV", b"MJPG", b"Q080"))


def padded(text: bytes, size: int) -> bytes:
    return text.ljust(size, b"\0")


class Webcam:
    """Answers as the uvcvideo driver does for a camera with two usable formats."""

    capabilities = 0x84A00001
    device_caps = 0x04200001

    def __call__(self, descriptor: int, request: int, data: bytearray) -> None:
        assert descriptor == 7
        answer = {
            v4l2.QUERYCAP: self.query,
            v4l2.ENUM_FMT: self.formats,
            v4l2.ENUM_FRAMESIZES: self.sizes,
            v4l2.ENUM_FRAMEINTERVALS: self.intervals,
        }[request](data)
        if answer is None:
            raise OSError(errno.EINVAL, "Invalid argument")
        assert len(answer) == len(data) == request >> 16 & 0x3FFF
        data[:] = answer

    def query(self, data: bytearray) -> bytes:
        names = padded(b"uvcvideo", 16) + padded(b"HD Webcam C270", 32) + padded(b"usb-0000:00:14.0-2", 32)
        return names + struct.pack("=III12x", 0x060A00, self.capabilities, self.device_caps)

    def formats(self, data: bytearray) -> bytes | None:
        index, kind = struct.unpack_from("=II", data)
        assert kind == 1
        known = [(YUYV, b"YUYV 4:2:2"), (MJPG, b"Motion-JPEG"), (ODD, b"Odd")]
        if index >= len(known):
            return None
        code, text = known[index]
        return struct.pack("=III", index, 1, 0) + padded(text, 32) + struct.pack("=II12x", code, 0)

    def sizes(self, data: bytearray) -> bytes | None:
        index, code = struct.unpack_from("=II", data)
        if code == ODD:
            return struct.pack("=III6I8x", 0, code, 3, 32, 1920, 2, 32, 1080, 2) if index == 0 else None
        sizes = [(640, 480), (1280, 720)] if code == MJPG else [(640, 480)]
        return struct.pack("=III2I16x8x", index, code, 1, *sizes[index]) if index < len(sizes) else None

    def intervals(self, data: bytearray) -> bytes | None:
        index, code, width, height = struct.unpack_from("=IIII", data)
        if (code, width) == (MJPG, 1280):
            return struct.pack("=5I6I8x", index, code, width, height, 3, 1, 60, 1, 5, 1, 1) if index == 0 else None
        rates = [(1, 30), (2, 15)]
        return struct.pack("=5I2I16x8x", index, code, width, height, 1, *rates[index]) if index < len(rates) else None


def test_a_webcam_is_described() -> None:
    assert describe("/dev/video0", 7, Webcam()) == VideoDevice(
        "/dev/video0",
        "HD Webcam C270",
        "uvcvideo",
        "usb-0000:00:14.0-2",
        (
            DeviceFormat("YUYV", "YUYV 4:2:2", "yuyv422", (DeviceSize(640, 480, (30.0, 7.5)),)),
            DeviceFormat(
                "MJPG", "Motion-JPEG", "mjpeg", (DeviceSize(640, 480, (30.0, 7.5)), DeviceSize(1280, 720, (60.0, 5.0)))
            ),
            DeviceFormat("Q080", "Odd", "", (DeviceSize(32, 32, (), (1920, 1080)),)),
        ),
    )


def test_the_metadata_node_beside_a_camera_is_no_camera() -> None:
    node = Webcam()
    node.device_caps = 0x04A00000
    assert describe("/dev/video1", 7, node) is None


def test_a_driver_without_device_caps_is_asked_for_its_capabilities() -> None:
    old = Webcam()
    old.capabilities, old.device_caps = 0x04000001, 0
    found = describe("/dev/video0", 7, old)
    assert found is not None
    assert found.driver == "uvcvideo"


def test_the_requests_are_the_kernels() -> None:
    assert [v4l2.QUERYCAP, v4l2.ENUM_FMT, v4l2.ENUM_FRAMESIZES, v4l2.ENUM_FRAMEINTERVALS] == [
        0x80685600,
        0xC0405602,
        0xC02C564A,
        0xC034564B,
    ]


ADDRESSES = {
    "/dev/video0": ("/dev/video0", {"framerate": "15"}),
    "v4l2:///dev/video2?input_format=mjpeg&framerate=30": (
        "/dev/video2",
        {"input_format": "mjpeg", "framerate": "15"},
    ),
}


@pytest.mark.parametrize(("url", "expected"), ADDRESSES.items(), ids=ADDRESSES)
def test_addresses(url: str, expected: tuple[str, dict[str, str]]) -> None:
    assert device_of(StreamSpec("cam", url, options={"framerate": "15"})) == expected

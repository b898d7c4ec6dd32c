"""Lists the cameras of this host with what they can do, by the Video4Linux ioctls (linux/videodev2.h); needs no root.

Structures are the kernel's, and the same on all 64-bit platforms. `Ioctl` is an argument, so that recorded answers can
stand for a device.
"""

import fcntl
import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

Ioctl = Callable[[int, int, bytearray], None]
"""(descriptor, request, structure to fill in); raises OSError"""

_CAPABILITY = struct.Struct("=16s32s32sIII12x")
_FORMAT = struct.Struct("=III32sII12x")
_SIZE = struct.Struct("=III24x8x")
_INTERVAL = struct.Struct("=IIIII24x8x")


def _request(direction: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | ord("V") << 8 | number


QUERYCAP = _request(2, 0, _CAPABILITY.size)
ENUM_FMT = _request(3, 2, _FORMAT.size)
ENUM_FRAMESIZES = _request(3, 74, _SIZE.size)
ENUM_FRAMEINTERVALS = _request(3, 75, _INTERVAL.size)

_DEVICE_CAPS = 0x80000000
_CAPTURE = 0x00000001
_CAPTURE_MPLANE = 0x00001000
_DISCRETE = 1
_MOST = 256
"""entries of one list; a driver that never ends its lists must not hang us"""
INPUT_FORMATS = {
    "MJPG": "mjpeg",
    "JPEG": "mjpeg",
    "YUYV": "yuyv422",
    "UYVY": "uyvy422",
    "NV12": "nv12",
    "YU12": "yuv420p",
    "H264": "h264",
    "HEVC": "hevc",
    "RGB3": "rgb24",
    "BGR3": "bgr24",
    "GREY": "gray",
}
"""what `options.input_format` calls them"""


@dataclass(frozen=True, slots=True)
class DeviceSize:
    """One size of one format; `largest` stands where any size between is possible."""

    width_px: int
    height_px: int
    rates_fps: tuple[float, ...] = ()
    """empty where the driver does not say"""
    largest: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class DeviceFormat:
    fourcc: str
    description: str
    input_format: str
    """the name for `options.input_format`; empty where it is not usable"""
    sizes: tuple[DeviceSize, ...]


@dataclass(frozen=True, slots=True)
class VideoDevice:
    """One camera."""

    path: str
    name: str
    driver: str
    bus: str
    formats: tuple[DeviceFormat, ...]
    problem: str = ""
    """why nothing is known of it; empty where it was asked"""


def list_devices(folder: Path = Path("/dev")) -> list[VideoDevice]:
    """Every /dev/video* that can capture, in order of number; one that cannot be opened says why."""
    found = sorted(
        (path for path in folder.glob("video*") if re.fullmatch(r"video\d+", path.name)),
        key=lambda path: int(path.name.removeprefix("video")),
    )
    devices = (_describe_path(str(path)) for path in found)
    return [device for device in devices if device is not None]


def describe(path: str, descriptor: int, ioctl: Ioctl) -> VideoDevice | None:
    """What the open device can do; None where it does not capture (metadata, outputs). Raises OSError."""
    data = bytearray(_CAPABILITY.size)
    ioctl(descriptor, QUERYCAP, data)
    driver, card, bus, _, capabilities, device_caps = _CAPABILITY.unpack(data)
    mask = device_caps if capabilities & _DEVICE_CAPS else capabilities
    kind = 1 if mask & _CAPTURE else 9 if mask & _CAPTURE_MPLANE else 0
    if not kind:
        return None
    return VideoDevice(path, _text(card), _text(driver), _text(bus), tuple(_formats(descriptor, ioctl, kind)))


def _formats(descriptor: int, ioctl: Ioctl, kind: int) -> Iterator[DeviceFormat]:
    for data in _enumerated(descriptor, ioctl, ENUM_FMT, lambda n: _FORMAT.pack(n, kind, 0, b"", 0, 0)):
        _, _, _, description, pixel_format, _ = _FORMAT.unpack(data)
        fourcc = (pixel_format & 0x7FFFFFFF).to_bytes(4, "little").decode("latin-1").rstrip()
        sizes = tuple(_sizes(descriptor, ioctl, pixel_format))
        yield DeviceFormat(fourcc, _text(description), INPUT_FORMATS.get(fourcc, ""), sizes)


def _sizes(descriptor: int, ioctl: Ioctl, pixel_format: int) -> Iterator[DeviceSize]:
    for data in _enumerated(descriptor, ioctl, ENUM_FRAMESIZES, lambda n: _SIZE.pack(n, pixel_format, 0)):
        if _SIZE.unpack(data)[2] == _DISCRETE:
            width_px, height_px = struct.unpack_from("=II", data, 12)
            yield DeviceSize(width_px, height_px, tuple(_rates(descriptor, ioctl, pixel_format, width_px, height_px)))
        else:
            least_w, most_w, _, least_h, most_h, _ = struct.unpack_from("=6I", data, 12)
            yield DeviceSize(least_w, least_h, (), (most_w, most_h))
            return


def _rates(descriptor: int, ioctl: Ioctl, pixel_format: int, width_px: int, height_px: int) -> Iterator[float]:
    def asked(number: int) -> bytes:
        return _INTERVAL.pack(number, pixel_format, width_px, height_px, 0)

    for data in _enumerated(descriptor, ioctl, ENUM_FRAMEINTERVALS, asked):
        if _INTERVAL.unpack(data)[4] == _DISCRETE:
            numerator, denominator = struct.unpack_from("=II", data, 20)
            yield _fps(numerator, denominator)
        else:
            # Shortest and longest interval; between them, any.
            low_n, low_d, high_n, high_d = struct.unpack_from("=4I", data, 20)
            yield _fps(low_n, low_d)
            yield _fps(high_n, high_d)
            return


def _enumerated(descriptor: int, ioctl: Ioctl, request: int, asked: Callable[[int], bytes]) -> Iterator[bytearray]:
    for number in range(_MOST):
        data = bytearray(asked(number))
        try:
            ioctl(descriptor, request, data)
        except OSError:
            # EINVAL ends a list; ENOTTY is a driver that keeps none.
            return
        yield data


def _describe_path(path: str) -> VideoDevice | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return VideoDevice(path, "", "", "", (), error.strerror or type(error).__name__)
    try:
        return describe(path, descriptor, _system_ioctl)
    except OSError as error:
        return VideoDevice(path, "", "", "", (), f"it answers no questions ({error.strerror})")
    finally:
        os.close(descriptor)


def _system_ioctl(descriptor: int, request: int, data: bytearray) -> None:
    fcntl.ioctl(descriptor, request, data, True)


def _fps(numerator: int, denominator: int) -> float:
    return round(float(Fraction(denominator, numerator)), 3) if numerator else 0.0


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "replace").strip()

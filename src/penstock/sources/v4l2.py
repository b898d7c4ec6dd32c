"""A camera at this host, `/dev/video0` or `v4l2:///dev/video0`, by Video4Linux through FFmpeg.

Compressed devices (MJPEG, H.264) give packets, others raw pixels. The kernel stamps each buffer with CLOCK_MONOTONIC
when the device has filled it, so pictures are dated by that. The `options` of the camera choose `input_format` (mjpeg,
yuyv422, h264, …), `video_size` (1280x720) and `framerate`; without, the driver's own choice holds.
"""

import errno
from urllib.parse import parse_qsl, urlsplit

from av.packet import Packet
from av.video.stream import VideoStream

from penstock.base.clock import NS_PER_MS, NS_PER_S
from penstock.contracts.packets import EncodedPacket, RawFrame, StreamInfo
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.sources import containers, media_stream
from penstock.sources.live_session import LiveSession
from penstock.sources.reopenable import ReopenableSource

FORMAT = "video4linux2"
OPTIONS = {"fpsprobesize": "0"}
STAMP_ERROR_NS = 50 * NS_PER_MS
"""exposure and transfer before the buffer was full: one interval at 20 fps"""
OLDEST_STAMP_NS = 2 * NS_PER_S
"""a stamp further from now is of another clock"""


class V4l2Session(LiveSession):
    """One opening of the device: packets as they are, raw pixels as frames."""

    def wait_read(self) -> EncodedPacket | RawFrame:  # type: ignore[override]
        """The next picture; raises SourceError where none comes within `stall_timeout_ns`."""
        packet = super().wait_read()
        info = self.info(packet.info_id)
        if info.codec != "rawvideo":
            return packet
        return RawFrame(
            packet.id,
            self._pixel_format,
            info.width_px,
            info.height_px,
            packet.data,
            packet.received_ns,
            packet.capture,
        )

    @property
    def _pixel_format(self) -> str:
        stream = self._container.streams.video[0]
        return str(stream.codec_context.pix_fmt)

    def _captured(self, packet: "Packet[VideoStream]", pts: int | None, info: StreamInfo, now_ns: int) -> CaptureTime:
        stamped_ns = media_stream.media_ns(pts, info.time_base)
        if stamped_ns is not None and now_ns - OLDEST_STAMP_NS <= stamped_ns <= now_ns:
            return CaptureTime(stamped_ns, TimeBasis.SENDER, STAMP_ERROR_NS)
        return super()._captured(packet, pts, info, now_ns)


class V4l2Source(ReopenableSource[V4l2Session]):
    """A device that can be opened again and again, also after it was unplugged; `interrupt` is final."""

    def _wait_connect(self) -> V4l2Session:
        path, options = device_of(self._spec)
        try:
            opened = containers.wait_open(
                self._spec,
                self._url,
                clock=self._clock,
                interruption=self._interruption,
                options={**OPTIONS, **options},
                container_format=FORMAT,
                address=path,
            )
        except SourceError as error:
            raise _explained(error, path, self._url) from None
        return V4l2Session(opened, key=self._next_key(), spec=self._spec, url=self._url, clock=self._clock)


def device_of(spec: StreamSpec) -> tuple[str, dict[str, str]]:
    """The device's path, and the options that its address and its configuration give; the latter win."""
    if not spec.url.lower().startswith("v4l2://"):
        return spec.url, dict(spec.options)
    parts = urlsplit(spec.url)
    return parts.path, {**dict(parse_qsl(parts.query)), **spec.options}


def _explained(error: SourceError, path: str, url: str) -> SourceError:
    """FFmpeg's errors are the system's; what they mean for a device is said here."""
    cause = device_problem(path)
    if cause is not None:
        return SourceError(cause.fault, f"{url}: {cause.what}", cause.advice)
    if error.fault is SourceFault.INTERRUPTED:
        return error
    return SourceError(
        SourceFault.UNSUPPORTED,
        f"{url}: the device does not take these settings ({error.what})",
        "`penstock devices` lists formats, sizes and rates; set options: input_format, video_size, framerate",
    )


def device_problem(path: str) -> SourceError | None:
    """Why a device cannot be opened at all; None where it can."""
    try:
        with open(path, "rb", buffering=0):
            return None
    except FileNotFoundError:
        return SourceError(
            SourceFault.NOT_FOUND,
            f"there is no device {path}",
            "Is it plugged in? `penstock devices` lists what there is",
        )
    except PermissionError:
        return SourceError(
            SourceFault.UNAUTHORIZED,
            f"{path}: permission denied",
            "Add this user to the group video (`sudo usermod -aG video $USER`) and log in again",
        )
    except OSError as error:
        if error.errno == errno.EBUSY:
            return SourceError(SourceFault.REFUSED, f"{path} is in use", "Close the other program that has the camera")
        return SourceError(SourceFault.IO_ERROR, f"{path}: {error.strerror}", "Unplug it and plug it in again")

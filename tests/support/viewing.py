"""Looking at a camera as its viewers do: by FFmpeg's own client, and by our own source."""

import itertools
from collections.abc import Callable

import av
import numpy as np
import pytest
from av.container import InputContainer

from penstock.base.clock import SystemClock
from penstock.contracts.packets import EncodedPacket
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.specs import StreamSpec, Transport
from penstock.simulator.timecode import read_timecode
from penstock.sources.opening import open_source

CLOCK = SystemClock()
BRISK = {"analyzeduration": "100000", "fpsprobesize": "0"}
"""FFmpeg's client looks at five seconds of video before it shows any, unless it is told otherwise"""


def opened(url: str, transport: str = "tcp") -> InputContainer:
    return av.open(url, options={"rtsp_transport": transport, **BRISK}, timeout=8)


def viewed(url: str, pictures: int = 10, transport: str = "tcp") -> tuple[str, list[av.VideoFrame]]:
    """The codec's name and so many pictures, by FFmpeg's own client."""
    with opened(url, transport) as container:
        codec = container.streams.video[0].codec_context.name
        return codec, list(itertools.islice(container.decode(video=0), pictures))


def numbers(pictures: list[av.VideoFrame]) -> list[int | None]:
    lumas = (np.asarray(picture.reformat(format="gray").to_ndarray(), np.uint8) for picture in pictures)
    return [read_timecode(luma, 512) for luma in lumas]


def read(url: str, *, transport: Transport = Transport.TCP, tls_ca: str = "", stall_ms: int = 3000) -> "Reading":
    spec = StreamSpec("camera", url, transport=transport, tls_ca=tls_ca, stall_timeout_ns=stall_ms * 1_000_000)
    return Reading(spec)


class Reading:
    """Our own source on a simulated camera, as a context manager."""

    def __init__(self, spec: StreamSpec) -> None:
        self._source = open_source(
            spec, host_id="h", boot_id="b", run_id="r", clock=CLOCK, new_session=iter(range(1, 99)).__next__
        )

    def __enter__(self) -> "Reading":
        self.session = self._source.wait_open()
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def until(self, ends: Callable[[EncodedPacket], bool]) -> EncodedPacket:
        """The first packet that `ends` it, at most 20 s from now."""
        until_ns = CLOCK.now_ns() + 20_000_000_000
        while CLOCK.now_ns() < until_ns:
            packet = self.session.wait_read()
            assert isinstance(packet, EncodedPacket)
            if ends(packet):
                return packet
        raise AssertionError("it did not come within 20 s")

    def wait_fault(self) -> SourceFault:
        with pytest.raises(SourceError) as caught:
            self.until(lambda packet: False)
        return caught.value.fault

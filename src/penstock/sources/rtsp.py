"""An RTSP camera, over TCP, UDP or TLS, read by FFmpeg: connects fast, never waits longer than told.

Probing is cut to the first packet: an IP camera describes itself in SDP, and what it leaves out comes with its next
keyframe. Over UDP nothing waits for a packet that was lost for longer than `REORDER_WAIT_US`; what it was part of is
marked corrupt, and decoding goes on at the next keyframe.
"""

from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.specs import StreamSpec, Transport
from penstock.sources import containers, loss_log
from penstock.sources.live_session import LiveSession
from penstock.sources.reopenable import ReopenableSource

NS_PER_US = 1_000

OPTIONS = {
    # All packets of all streams are asked for in SETUP; audio would only cost bandwidth.
    "allowed_media_types": "video",
    "analyzeduration": "100000",
    # Ends probing after the first packet: half the time to connect, measured against gst-rtsp-server.
    "probesize": "32",
    "fpsprobesize": "0",
}
REORDER_WAIT_US = 100_000
"""how long UDP packets wait for an earlier one: a local network reorders over less, and a lost one never comes"""
UDP_OPTIONS = {
    "rtsp_transport": "udp",
    "max_delay": str(REORDER_WAIT_US),
    "reorder_queue_size": "512",
    # A keyframe of 200 kB comes as 150 packets within a millisecond or two; the kernel may grant less.
    "buffer_size": str(2 * 1024 * 1024),
}


class RtspSource(ReopenableSource[LiveSession]):
    """A camera that can be connected to again and again; `interrupt` is final."""

    def _wait_connect(self) -> LiveSession:
        """Connects within `open_timeout_ns`; raises SourceError."""
        if self._spec.transport is Transport.UDP:
            loss_log.listen()
        try:
            opened = containers.wait_open(
                self._spec,
                self._url,
                clock=self._clock,
                interruption=self._interruption,
                options=options_of(self._spec),
            )
        except SourceError as error:
            raise _with_udp_advice(error, self._spec) from None
        return LiveSession(opened, key=self._next_key(), spec=self._spec, url=self._url, clock=self._clock)


def options_of(spec: StreamSpec) -> dict[str, str]:
    """What FFmpeg's RTSP demuxer is told; the camera's own `options` win."""
    return {
        **OPTIONS,
        **(UDP_OPTIONS if spec.transport is Transport.UDP else {"rtsp_transport": "tcp"}),
        **containers.tls_options(spec),
        "timeout": str(spec.open_timeout_ns // NS_PER_US),
        **spec.options,
    }


def _with_udp_advice(error: SourceError, spec: StreamSpec) -> SourceError:
    if spec.transport is not Transport.UDP or error.fault not in (SourceFault.TIMEOUT, SourceFault.IO_ERROR):
        return error
    return SourceError(
        error.fault,
        error.what,
        "The camera may not send by UDP, or a firewall keeps its packets away: use `transport: tcp`. " + error.advice,
    )

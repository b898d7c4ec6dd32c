"""The shape of RTP payload formats: how one encoded picture is cut into payloads, and what the SDP says of it."""

from typing import Protocol

from penstock.restream.media import MediaDescription

UDP_PAYLOAD_BYTES = 1400
"""fits an Ethernet frame with room for tunnels"""
DYNAMIC_PAYLOAD_TYPE = 96


class PayloadError(ValueError):
    """A picture that its payload format cannot carry: says why and what to do."""


class PayloadFormat(Protocol):
    """One codec's payload format. Pure and without state: one instance serves all streams."""

    @property
    def payload_type(self) -> int: ...

    @property
    def encoding(self) -> str:
        """The name in `a=rtpmap`, with the clock rate."""
        ...

    def parameters(self, description: MediaDescription) -> str:
        """The value of `a=fmtp` after the payload type; empty where there is nothing to say.

        Raises PayloadError where the description's `config` is not what the codec needs.
        """
        ...

    def payloads(
        self, description: MediaDescription, data: bytes, *, keyframe: bool, largest_bytes: int
    ) -> list[bytes]:
        """One picture's payloads in order, none longer than `largest_bytes`, parameter sets before every keyframe.

        Raises PayloadError for a picture that cannot be sent.
        """
        ...

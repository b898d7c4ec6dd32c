"""Where outgoing RTP packets can be lost, repeated, reordered or damaged on purpose."""

from collections.abc import Callable, Sequence
from typing import Protocol


class PacketFilter(Protocol):
    """One client's filter; it sees whole RTP packets in the order in which they were made."""

    def pass_on(self, packets: Sequence[bytes], now_ns: int) -> Sequence[bytes]:
        """What is to be sent now instead of `packets`; what it holds back it may give with a later call."""
        ...


class Unfiltered:
    """Sends everything as it is."""

    def pass_on(self, packets: Sequence[bytes], now_ns: int) -> Sequence[bytes]:  # noqa: ARG002
        return packets


FilterFactory = Callable[[int], PacketFilter]
"""makes the filter of the session with this number (counted from 0 per mount), so that a seed decides its faults"""


def unfiltered(session_number: int) -> PacketFilter:  # noqa: ARG001
    return Unfiltered()

"""What the server keeps of one RTSP session, and of one mount that sessions play."""

import enum

import msgspec

from penstock.restream import rtcp
from penstock.restream.authentication import Authentication
from penstock.restream.broadcast import Broadcast
from penstock.restream.channel import Channel, ConnectionWriter
from penstock.restream.packet_filter import FilterFactory, unfiltered
from penstock.restream.sender import Sender

SESSION_TIMEOUT_NS = 60 * 1_000_000_000


class Mount(msgspec.Struct, frozen=True):
    """One path and what it serves."""

    path: str
    broadcast: Broadcast
    cached_gop: bool = False
    """new viewers get the current GOP as a burst first, as many cameras do; else they wait for a keyframe"""
    authentication: Authentication | None = None
    """None: as the server does"""
    new_filter: FilterFactory = unfiltered


class State(enum.Enum):
    READY = "ready"
    PLAYING = "playing"


class Session:
    """One client's agreement about one mount. Over TCP it lives with its connection, over UDP by being heard of."""

    def __init__(
        self,
        session_id: str,
        mount: Mount,
        sender: Sender,
        channel: Channel,
        *,
        peer_host: str,
        connection: ConnectionWriter | None,
        opener: ConnectionWriter,
        now_ns: int,
    ) -> None:
        self.session_id = session_id
        self.mount = mount
        self.sender = sender
        self.channel = channel
        self.peer_host = peer_host
        self.connection = connection
        """None where the packets go over UDP"""
        self.opener = opener
        """the connection that asked for it"""
        self.state = State.READY
        self.heard_ns = now_ns
        self.over = False
        self.reports_heard = 0
        self.packets_lost = 0
        """as the client last reported"""
        self.rtcp_malformed = 0

    def hear_rtcp(self, data: bytes, now_ns: int) -> None:
        """Takes a datagram or frame of the client; one that is malformed is counted and keeps nothing alive."""
        try:
            packets = rtcp.parse_compound(data)
        except rtcp.RtcpError:
            self.rtcp_malformed += 1
            return
        self.heard_ns = now_ns
        for packet in packets:
            if isinstance(packet, rtcp.ReceiverReport):
                self.reports_heard += 1
                for block in packet.blocks:
                    if block.ssrc == self.sender.ssrc:
                        self.packets_lost = block.packets_lost

    def expired(self, now_ns: int, timeout_ns: int) -> bool:
        """Whether a UDP session has not been heard of for too long; TCP sessions end with their connection."""
        return self.connection is None and now_ns - self.heard_ns > timeout_ns

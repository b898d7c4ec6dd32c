"""What the server counts: for itself, per mount, per client."""

import msgspec

from penstock.restream.broadcast import BroadcastStatistics
from penstock.restream.sender import SenderStatistics


class SessionStatistics(msgspec.Struct, frozen=True):
    path: str
    peer_host: str
    over_tcp: bool
    playing: bool
    sender: SenderStatistics
    reports_heard: int
    packets_lost: int
    """as the client last reported"""
    rtcp_malformed: int


class ServerStatistics(msgspec.Struct, frozen=True):
    """Cumulative, apart from `connections`, `sessions` and `mounts`, which are of now."""

    connections: int
    accepted: int
    refused_connections: int
    """more than the bound allows"""
    requests: int
    malformed: int
    """connections closed because what came was no RTSP"""
    failed_requests: int
    """requests whose handling broke: a fault of this program, in the log"""
    unauthorized: int
    """requests whose credentials were wrong"""
    sessions_opened: int
    refused_sessions: int
    sessions_timed_out: int
    closed_slow: int
    """clients that did not read for too long"""
    closed_idle: int
    """connections that asked for nothing for too long"""
    closed_ended: int
    """sessions ended by the broadcast, or with their mount"""
    units_sent: int
    units_unsendable: int
    units_dropped: int
    """forgotten because clients did not keep up"""
    packets_sent: int
    octets_sent: int
    packets_dropped: int
    """datagrams that the kernel did not take"""
    reports_sent: int
    reports_heard: int
    mounts: dict[str, BroadcastStatistics]
    sessions: tuple[SessionStatistics, ...]

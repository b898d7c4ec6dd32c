"""The server's bounds, all in one record."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    connections: int = 256
    """further ones are closed at once, and counted"""
    connections_per_host: int = 128
    sessions: int = 256
    """further SETUPs are answered with 453"""
    write_buffer_bytes: int = 256 * 1024
    """what one client may leave unread beyond the kernel's buffers, plus one picture; then its units wait in its
    queue (2 s), and then are forgotten up to a keyframe"""
    slow_client_s: float = 10.0
    """a client that reads nothing for so long is cut off"""
    idle_s: float = 60.0
    """a connection without a session that asks for nothing for so long is closed"""
    session_timeout_s: int = 60
    """a UDP session that is not heard of (RTSP request or receiver report) ends"""
    report_interval_s: float = 5.0
    """sender reports come at least so often while pictures are sent"""
    tcp_payload_bytes: int = 8 * 1024
    """longest RTP payload within the RTSP connection; at most 60,000"""

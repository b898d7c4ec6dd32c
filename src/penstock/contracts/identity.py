"""Who a picture is: the names that stay unique across hosts, boots, restarts and reconnects."""

import enum

import msgspec


class Role(enum.StrEnum):
    """What a camera's stream is for."""

    DETECT = "detect"
    """decoded, and its newest picture offered to models"""
    RECORD = "record"
    """kept as packets, for clips and recordings"""


class StreamKey(msgspec.Struct, frozen=True, gc=False):
    """One session of one stream. Sequence numbers and media times mean nothing outside it."""

    host_id: str
    boot_id: str
    run_id: str
    camera: str
    role: Role
    """the stream's first role: `detect` for a stream that has both"""
    session: int
    """globally unique: see `base.ids.new_session_id`"""


class FrameId(msgspec.Struct, frozen=True, gc=False):
    """One access unit of one session; a decoded frame keeps the id of the access unit it came from."""

    stream: StreamKey
    seq: int
    """counts access units in order of arrival, from 0 in each session"""

"""Reading a camera's packet ring: what the recorder and the live view see of it."""

from typing import Protocol

import msgspec

from penstock.contracts.packets import EncodedPacket, StreamInfo


class RingSpan(msgspec.Struct, frozen=True, gc=False):
    """What a ring holds now: packets `first_index` to `last_index`, both included."""

    first_index: int
    last_index: int
    first_capture_ns: int
    last_capture_ns: int


class Lapped(Exception):
    """The packet asked for has been overwritten: go on at `resume_index`, the oldest keyframe still there."""

    def __init__(self, index: int, resume_index: int) -> None:
        super().__init__(f"packet {index} has left the ring; the oldest is now {resume_index}")
        self.index = index
        self.resume_index = resume_index


class PacketReader(Protocol):
    """Reads one stream's ring while one writer goes on writing; never waits, never disturbs it."""

    def span(self) -> RingSpan | None:
        """None while the ring is empty."""
        ...

    def keyframe_before(self, capture_ns: int) -> int | None:
        """Index of the last keyframe captured at or before `capture_ns`; the oldest keyframe if all are later.

        None while the ring is empty.
        """
        ...

    def read_nowait(self, index: int) -> EncodedPacket | None:
        """Packet `index`; None where it is not written yet. Raises Lapped where it has been overwritten."""
        ...

    def info(self, packet: EncodedPacket) -> StreamInfo:
        """The codec configuration of a packet read from this ring; raises LookupError once it has left."""
        ...

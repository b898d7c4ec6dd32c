"""When a picture was taken, how that is known, and how wrong it can be.

Monotonic nanoseconds are only comparable within one `clock_id` on one boot of one host. What leaves the host
or reaches a database goes through `ClockReading.utc_ns_of`.
"""

import enum

import msgspec


class TimeBasis(enum.StrEnum):
    """Where a capture time comes from."""

    ARRIVAL = "arrival"
    """estimated from when packets arrived, against the sender's media clock"""
    RTCP = "rtcp"
    """the sender's own wall clock by RTCP sender reports, where the configuration says to trust it"""
    SENDER = "sender"
    """a time that came with the picture (pushed images, Kafka)"""
    MEDIA = "media"
    """the media clock of a file: the picture's place in it, not when it was read"""


class CaptureTime(msgspec.Struct, frozen=True, gc=False):
    """Instant of capture on the monotonic clock; the true instant lies within `mono_ns` ± `error_ns`."""

    mono_ns: int
    basis: TimeBasis
    error_ns: int


class ClockReading(msgspec.Struct, frozen=True, gc=False):
    """One simultaneous reading of both clocks: ties monotonic instants to UTC."""

    clock_id: str
    mono_ns: int
    utc_ns: int

    def utc_ns_of(self, mono_ns: int) -> int:
        """UTC nanoseconds of an instant on this reading's monotonic clock."""
        return self.utc_ns + (mono_ns - self.mono_ns)

"""What a stream's thread does now, in records that other threads may read at any moment."""

from typing import NamedTuple

import msgspec

from penstock.contracts.messages import CameraState
from penstock.framebus.ring import RingStatistics
from penstock.ingest.books import UnitReading


class Phase(NamedTuple):
    """Where a stream stands: one value, so that another thread never sees half of a change."""

    state: CameraState
    session: int
    since_ns: int
    """monotonic"""
    reason: str


class StreamStatus(msgspec.Struct, frozen=True):
    """One stream at one instant; instants are monotonic."""

    camera: str
    state: CameraState
    session: int
    since_ns: int
    reason: str
    connect_ns: int
    """how long the last connection took; 0 before the first"""
    codec: str
    width_px: int
    height_px: int
    fps: float
    """pictures a second by capture time, over the last second or so; of a stream that is not decoded, units by arrival;
    0 while it is away"""
    capture_error_ns: int
    last_capture_ns: int
    basis: str
    gate_score: float
    units: UnitReading
    ring: RingStatistics

"""The bytes of trace records: one layout per kind, little-endian, at most 112 bytes."""

import struct
from collections.abc import Callable
from typing import Any

from penstock.contracts.capacity import LadderStep
from penstock.contracts.fates import Fate
from penstock.contracts.traces import (
    EventConfirmed,
    FrameAnalysed,
    FrameDecoded,
    FramesEnded,
    GrantChanged,
    Planned,
    TraceRecord,
    ViewMade,
)

DECODED, VIEW, ANALYSED, ENDED, PLANNED, GRANT, EVENT = range(1, 8)

# Sessions and call numbers are unsigned; instants may lie before the clock's zero (media time of a file).
DECODED_BODY = struct.Struct("<IQQQqqq")
VIEW_BODY = struct.Struct("<IQIqqq")
ANALYSED_BODY = struct.Struct("<IIQQQQqqqqqqqqq")
ENDED_BODY = struct.Struct("<IQQIq")
PLANNED_BODY = struct.Struct("<qqI")
GRANT_BODY = struct.Struct("<IIdq")
EVENT_BODY = struct.Struct("<IIQQq")

STEPS = list(LadderStep)


def _analysed(lane: int, late: int, *rest: Any) -> FrameAnalysed:
    return FrameAnalysed(lane, bool(late), *rest)


def _ended(lane: int, first: int, count: int, fate: int, at_ns: int) -> FramesEnded:
    return FramesEnded(lane, first, count, Fate(fate), at_ns)


def _grant(lane: int, step: int, fps: float, at_ns: int) -> GrantChanged:
    return GrantChanged(lane, STEPS[step], fps, at_ns)


_KINDS: dict[int, tuple[struct.Struct, Callable[..., TraceRecord]]] = {
    DECODED: (DECODED_BODY, FrameDecoded),
    VIEW: (VIEW_BODY, ViewMade),
    ANALYSED: (ANALYSED_BODY, _analysed),
    ENDED: (ENDED_BODY, _ended),
    PLANNED: (PLANNED_BODY, Planned),
    GRANT: (GRANT_BODY, _grant),
    EVENT: (EVENT_BODY, EventConfirmed),
}


def decode(kind: int, body: bytes) -> TraceRecord | None:
    """The record of these bytes; None where they are not of this kind."""
    known = _KINDS.get(kind)
    if known is None or len(body) != known[0].size:
        return None
    try:
        return known[1](*known[0].unpack(body))
    except (ValueError, IndexError):
        return None

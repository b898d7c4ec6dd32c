"""What goes wrong with a simulated camera, and when: said in a few words, the same in every run.

`NAME:KIND[=VALUE][@START[+LENGTH]]`, such as `yard:stall@10s+5s` or `street:loss=1%`. Without START it is so from
the beginning, without LENGTH to the end.
"""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass

from penstock.base.units import parse_duration_ns

_FORM = re.compile(
    r"(?P<camera>[A-Za-z0-9_-]+):(?P<kind>[a-z]+)(=(?P<value>[^@]+))?(@(?P<at>[^+]+)(\+(?P<lasts>.+))?)?"
)
EXAMPLE = "write NAME:KIND[=VALUE][@START[+LENGTH]], such as yard:stall@10s+5s"


class FaultKind(enum.StrEnum):
    """What a camera can be made to do."""

    STALL = "stall"
    """the connection stays open and nothing comes any more"""
    DOWN = "down"
    """its viewers are disconnected, and whoever asks is told that there is no such stream"""
    LOSS = "loss"
    """this share of RTP packets is lost, over TCP too, as by a camera that cannot send them all"""
    CORRUPT = "corrupt"
    """in this share of RTP packets a bit is turned"""
    CODEC = "codec"
    """it sends another codec"""
    SIZE = "size"
    """it sends pictures of another size"""


_SHARES = (FaultKind.LOSS, FaultKind.CORRUPT)
CODECS = ("h264", "hevc", "mpeg4", "mjpeg")


class FaultSyntaxError(ValueError):
    """A fault that cannot be read: which, why, and how it is written."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong with one camera."""

    camera: str
    kind: FaultKind
    at_ns: int = 0
    """since the simulation began"""
    lasts_ns: int | None = None
    """None lasts to the end"""
    share: float = 0.0
    """of packets, 0–1"""
    codec: str = ""
    size_px: tuple[int, int] = (0, 0)

    def holds(self, since_start_ns: int) -> bool:
        return self.at_ns <= since_start_ns and (self.lasts_ns is None or since_start_ns < self.at_ns + self.lasts_ns)


def parse_fault(text: str) -> Fault:
    """Raises FaultSyntaxError."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise FaultSyntaxError(f"{text!r} is not a fault; {EXAMPLE}")
    try:
        kind = FaultKind(match["kind"])
    except ValueError:
        raise FaultSyntaxError(
            f"{text!r}: there is no fault {match['kind']!r}; known: {', '.join(FaultKind)}"
        ) from None
    value = match["value"]
    if (value is None) != (kind in (FaultKind.STALL, FaultKind.DOWN)):
        wanted = f"{kind} takes no value" if value is not None else f"{kind} needs a value, such as {_sample(kind)}"
        raise FaultSyntaxError(f"{text!r}: {wanted}")
    try:
        at_ns = parse_duration_ns(match["at"]) if match["at"] else 0
        lasts_ns = parse_duration_ns(match["lasts"]) if match["lasts"] else None
    except ValueError as error:
        raise FaultSyntaxError(f"{text!r}: {error}; {EXAMPLE}") from None
    fault = Fault(match["camera"], kind, at_ns, lasts_ns)
    return fault if value is None else _with_value(fault, value, text)


def next_change_ns(faults: Iterable[Fault], since_start_ns: int) -> int | None:
    """When the next fault begins or ends, after `since_start_ns`; None where nothing changes any more."""
    changes = [
        instant
        for fault in faults
        for instant in (fault.at_ns, None if fault.lasts_ns is None else fault.at_ns + fault.lasts_ns)
        if instant is not None and instant > since_start_ns
    ]
    return min(changes, default=None)


def _sample(kind: FaultKind) -> str:
    return {FaultKind.CODEC: "codec=hevc", FaultKind.SIZE: "size=320x240"}.get(kind, f"{kind}=1%")


def _with_value(fault: Fault, value: str, text: str) -> Fault:
    kind = fault.kind
    if kind in _SHARES:
        share = re.fullmatch(r"(\d+(?:\.\d+)?)%", value)
        if share is None or float(share[1]) > 100:
            raise FaultSyntaxError(f"{text!r}: {value!r} is not a share; write {_sample(kind)}")
        return Fault(fault.camera, kind, fault.at_ns, fault.lasts_ns, share=float(share[1]) / 100)
    if kind is FaultKind.CODEC:
        if value not in CODECS:
            raise FaultSyntaxError(f"{text!r}: there is no codec {value!r}; known: {', '.join(CODECS)}")
        return Fault(fault.camera, kind, fault.at_ns, fault.lasts_ns, codec=value)
    size = re.fullmatch(r"(\d{2,4})x(\d{2,4})", value)
    if size is None or int(size[1]) % 2 or int(size[2]) % 2:
        raise FaultSyntaxError(f"{text!r}: {value!r} is not a size with even sides; write {_sample(kind)}")
    return Fault(fault.camera, kind, fault.at_ns, fault.lasts_ns, size_px=(int(size[1]), int(size[2])))

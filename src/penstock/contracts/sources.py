"""The shape of every kind of camera: open a session, read items with times, close."""

import enum
from typing import Protocol

import msgspec

from penstock.contracts.packets import SourceItem, StreamInfo


class SourceFault(enum.StrEnum):
    """Why a session could not be opened or went on no longer."""

    NOT_FOUND = "not_found"
    REFUSED = "refused"
    UNAUTHORIZED = "unauthorized"
    CERTIFICATE = "certificate"
    """an encrypted camera's certificate, or the authority's, is not accepted"""
    TIMEOUT = "timeout"
    STALLED = "stalled"
    INVALID_DATA = "invalid_data"
    UNSUPPORTED = "unsupported"
    ENDED = "ended"
    INTERRUPTED = "interrupted"
    IO_ERROR = "io_error"


class SourceError(Exception):
    """A named fault, what happened, and what to do; never contains credentials."""

    def __init__(self, fault: SourceFault, what: str, advice: str = "") -> None:
        super().__init__(f"{what}. {advice}" if advice else what)
        self.fault = fault
        self.what = what
        self.advice = advice


class SessionStatistics(msgspec.Struct, frozen=True, gc=False):
    """What one session has had to put up with; cumulative, 0 where a kind of source does not know it."""

    time_jumps: int = 0
    """the sender's media clock jumped: capture times were learnt anew"""
    slips: int = 0
    """playback at its own pace (HLS, files) was moved on, because pictures came or were read too late"""
    lost_packets: int = 0
    """network packets that never came (UDP); what they were part of is marked corrupt"""
    times_refused: int = 0
    """capture times that the sender stated and that cannot be: the picture was dated otherwise"""


class SourceSession(Protocol):
    """One open connection. Used by one thread; `interrupt` may come from any other."""

    @property
    def session(self) -> int: ...

    def info(self, info_id: int) -> StreamInfo:
        """The codec configuration that packets of `info_id` were made with."""
        ...

    def wait_read(self) -> SourceItem:
        """Waits for the next item, at most the source's read time-out.

        Raises SourceError: `ended` at the end of a file, `stalled` when nothing came in time, `interrupted`
        after `interrupt`, others for what went wrong. After any of them the session is only good for `statistics`
        and `close`.
        """
        ...

    def statistics(self) -> SessionStatistics: ...

    def interrupt(self) -> None:
        """Makes a `wait_read` that is under way, and all later ones, end soon with `interrupted`."""
        ...

    def close(self) -> None: ...


class Source(Protocol):
    """A camera's stream that can be opened again and again."""

    @property
    def url(self) -> str:
        """The address with credentials replaced by `***`."""
        ...

    @property
    def live(self) -> bool:
        """Pictures pass whether or not anybody reads: late ones are dropped, not waited for."""
        ...

    @property
    def lossless(self) -> bool:
        """Every picture is to be processed: the reader blocks, times are media times, nothing expires."""
        ...

    @property
    def seekable(self) -> bool: ...

    def wait_open(self) -> SourceSession:
        """Connects, waiting at most the source's open time-out; raises SourceError."""
        ...

    def interrupt(self) -> None:
        """Makes a `wait_open` under way, and a session open now, end soon with `interrupted`."""
        ...

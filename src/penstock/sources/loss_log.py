"""Tells which read of a UDP stream lost packets on the way: FFmpeg knows it, and says it nowhere but in its log.

Its depacketisers put together what arrived and pass it off as whole, and its decoders mark only some of the damage
(measured: after a lost picture, H.264 goes on without a mark; H.265 shows a cut picture without one). So the lines of
the reading thread are looked through for the count of missing packets. They are kept from everybody else: they may hold
addresses with passwords.
"""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import av.logging

_MISSED = re.compile(r"RTP: missed (-?\d+) packets")
_lock = threading.Lock()
_listening = False


def listening() -> bool:
    """Whether some stream of this process listens: FFmpeg's log must stay on then."""
    return _listening


def listen() -> None:
    """Turns FFmpeg's warnings on for this process, for captures only: nothing of them reaches a handler."""
    global _listening  # noqa: PLW0603
    with _lock:
        if _listening:
            return
        library = logging.getLogger("libav")
        library.propagate = False
        library.addHandler(logging.NullHandler())
        av.logging.set_skip_repeated(False)
        av.logging.set_level(av.logging.WARNING)
        _listening = True


class Losses:
    """RTP packets that were missing in what this thread has read."""

    def __init__(self) -> None:
        self.packets = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts what goes missing in the FFmpeg calls that this thread makes inside."""
        with av.logging.Capture() as lines:
            try:
                yield
            finally:
                for _, _, message in lines:
                    found = _MISSED.search(message)
                    if found is not None:
                        self.packets += max(1, int(found.group(1)))

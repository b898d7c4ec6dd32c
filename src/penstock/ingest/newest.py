"""A camera's newest decoded frame: one place, newer replaces older, and whoever looks gets the newest there is.

Frames that no lane is due for are held back: they are here for whoever asks, but nobody is woken for them. Each is
counted, exactly, for the engine keeps the books of every frame by the numbers of those that it hears of.
"""

import threading
from typing import NamedTuple

import av

from penstock.contracts.frames import FrameRef


class Newest(NamedTuple):
    """A decoded picture as FFmpeg gave it, with its reference."""

    ref: FrameRef
    picture: av.VideoFrame


class Look(NamedTuple):
    """What there was to see in one moment."""

    newest: Newest | None
    moved: bool
    """anything, in any frame since the last one told"""
    due: bool
    """there is a frame that is to be told, or was"""
    held_back: int
    """frames before the newest that were held back, since the last one told"""
    held_so_far: int
    """the newest included, and cumulative"""


class NewestFrame:
    """Written by the stream's thread, read by ingest's loop.

    `still_hold_ns`: after a still frame was told, further still ones are held back for so long.
    """

    def __init__(self, still_hold_ns: int = 0) -> None:
        self._still_hold_ns = still_hold_ns
        self._lock = threading.Lock()
        self._newest: Newest | None = None
        self._moved = False
        self._fresh = True
        self._resume_ns = 0
        self._still_until_ns = 0
        self._held = False
        self._held_so_far = 0
        self._held_told = 0

    def publish(self, newest: Newest, moved: bool) -> bool:
        """Whether it is to be told; otherwise it is counted as held back."""
        with self._lock:
            self._newest = newest
            self._moved = self._moved or moved
            self._held = not self._is_due(newest)
            self._held_so_far += self._held
            return not self._held

    def clear(self) -> None:
        """The session has ended: its last picture must not be taken for a new one, and the next one's first is told
        whenever it was captured."""
        with self._lock:
            self._newest = None
            self._held = False
            self._fresh = True

    def look(self) -> Look:
        with self._lock:
            held = self._held_so_far - self._held_told - self._held
            return Look(self._newest, self._moved, not self._held, held, self._held_so_far)

    def told(self, look: Look) -> None:
        """The engine knows of the newest frame of `look`, of all movement up to it and of what was held back before
        it."""
        assert look.newest is not None
        with self._lock:
            self._held_told = look.held_so_far
            newest = self._newest
            if newest is None:
                self._moved = False
            elif newest.ref.index == look.newest.ref.index:
                self._moved = self._held = self._fresh = False
            if self._still_hold_ns and not look.moved:
                self._still_until_ns = look.newest.ref.capture.mono_ns + self._still_hold_ns
            else:
                self._still_until_ns = 0

    def resume_at(self, resume_ns: int) -> bool:
        """Frames captured before `resume_ns` are held back from now on; whether the newest, held back until now, is
        thereby to be told."""
        with self._lock:
            self._resume_ns = resume_ns
            if not self._held or self._newest is None or not self._is_due(self._newest):
                return False
            self._held = False
            self._held_so_far -= 1
            return True

    def begin_again(self) -> None:
        """There is a new engine: it has heard of nothing yet, and has not said what it is due for."""
        with self._lock:
            self._resume_ns = self._still_until_ns = 0
            self._held = False
            self._held_told = self._held_so_far
            self._fresh = True

    def _is_due(self, newest: Newest) -> bool:
        captured_ns = newest.ref.capture.mono_ns
        return self._fresh or (captured_ns >= self._resume_ns and (self._moved or captured_ns >= self._still_until_ns))

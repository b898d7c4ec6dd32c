"""A camera's newest decoded frame: one place, newer replaces older, and whoever looks gets the newest there is."""

import threading
from typing import NamedTuple

import av

from penstock.contracts.frames import FrameRef


class Newest(NamedTuple):
    """A decoded picture as FFmpeg gave it, with its reference."""

    ref: FrameRef
    picture: av.VideoFrame


class NewestFrame:
    """Written by the stream's thread, read by ingest's loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest: Newest | None = None
        self._moved = False

    def publish(self, newest: Newest, moved: bool) -> None:
        with self._lock:
            self._newest = newest
            self._moved = self._moved or moved

    def clear(self) -> None:
        """The session has ended: its last picture must not be taken for a new one."""
        with self._lock:
            self._newest = None

    def look(self) -> tuple[Newest | None, bool]:
        """The newest frame, and whether anything moved since `moved_told`."""
        with self._lock:
            return self._newest, self._moved

    def moved_told(self, index: int) -> None:
        """The engine knows of all movement up to frame `index`."""
        with self._lock:
            if self._newest is None or self._newest.ref.index == index:
                self._moved = False

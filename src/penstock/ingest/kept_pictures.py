"""The last pictures that models saw whole on whose findings others wait: these ask for parts of the same frame.

Bounded: pictures are large, and belong to FFmpeg's pool. A frame that has left, or whose session has ended, is gone.
"""

from collections import OrderedDict

from penstock.ingest.held_bounds import MOST_PICTURES
from penstock.ingest.newest import Newest


class KeptPictures:
    """One camera's; used by one thread."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._kept: OrderedDict[int, Newest] = OrderedDict()

    def keep(self, newest: Newest) -> None:
        if not self._enabled:
            return
        self._kept[newest.ref.index] = newest
        self._kept.move_to_end(newest.ref.index)
        if len(self._kept) > MOST_PICTURES:
            self._kept.popitem(last=False)

    def find(self, index: int) -> Newest | None:
        return self._kept.get(index)

    def clear(self) -> None:
        """The session has ended."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

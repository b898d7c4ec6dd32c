"""The units of the current GOP that were passed over, so that decoding can catch up with the live edge at any moment.

Bounded by count and bytes: catching up takes as long as decoding what is held. Beyond the bound nothing of the GOP is
kept, and decoding resumes at the next keyframe.
"""

from penstock.contracts.packets import EncodedPacket
from penstock.ingest.held_bounds import MOST_BYTES

MOST_UNITS = 300
"""12 s of a camera at 25 fps; 0.7 s of decoding at 1920×1080 (measured: up to 2.4 ms a unit)"""


class GopBacklog:
    """One stream's; used by its thread."""

    def __init__(self) -> None:
        self._units: list[EncodedPacket] = []
        self._size_bytes = 0
        self.whole = False
        """what is held is all that was passed over since the last unit decoded, or since a keyframe"""

    def __len__(self) -> int:
        return len(self._units)

    def restart(self) -> int:
        """A keyframe begins a GOP: says how many units of the one before it are let go."""
        let_go = len(self.take())
        self.whole = True
        return let_go

    def keep(self, unit: EncodedPacket) -> int:
        """Holds `unit`; says how many are let go for lack of room, it included."""
        if not self.whole:
            return 1
        if len(self._units) >= MOST_UNITS or self._size_bytes + len(unit.data) > MOST_BYTES:
            self.whole = False
            return len(self.take()) + 1
        self._units.append(unit)
        self._size_bytes += len(unit.data)
        return 0

    def take(self) -> list[EncodedPacket]:
        """Everything held, oldest first; afterwards nothing is."""
        units, self._units = self._units, []
        self._size_bytes = 0
        return units

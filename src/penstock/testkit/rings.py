"""A packet ring in a list, with the same answers as the one in shared memory: for tests of whoever reads one.

It laps on request: whole GOPs leave from the front, as in the real ring, and readers behind get `Lapped`.
"""

from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.ring import Lapped, RingSpan


class ListRing:
    """One writer, many readers, in one process. Indices count packets from 0 and never repeat."""

    def __init__(self) -> None:
        self._packets: list[EncodedPacket] = []
        self._infos: dict[tuple[int, int], StreamInfo] = {}
        self._first = 0

    def declare(self, session: int, info_id: int, info: StreamInfo) -> None:
        """States the codec configuration of a session's packets with `info_id`."""
        self._infos[session, info_id] = info

    def append(self, packet: EncodedPacket) -> int:
        """Adds the newest packet; returns its index."""
        self._packets.append(packet)
        return self._first + len(self._packets) - 1

    def lap_to(self, index: int) -> None:
        """Drops packets before `index`, and on to the next keyframe, as a ring of whole GOPs does."""
        while self._packets and (self._first < index or not self._packets[0].keyframe):
            self._packets.pop(0)
            self._first += 1

    def span(self) -> RingSpan | None:
        if not self._packets:
            return None
        return RingSpan(
            first_index=self._first,
            last_index=self._first + len(self._packets) - 1,
            first_capture_ns=self._packets[0].capture.mono_ns,
            last_capture_ns=self._packets[-1].capture.mono_ns,
        )

    def keyframe_before(self, capture_ns: int) -> int | None:
        keyframes = [(self._first + i, p.capture.mono_ns) for i, p in enumerate(self._packets) if p.keyframe]
        before = [index for index, at_ns in keyframes if at_ns <= capture_ns]
        return before[-1] if before else (keyframes[0][0] if keyframes else None)

    def read_nowait(self, index: int) -> EncodedPacket | None:
        if index < self._first:
            raise Lapped(index, self._first)
        place = index - self._first
        return self._packets[place] if place < len(self._packets) else None

    def info(self, packet: EncodedPacket) -> StreamInfo:
        try:
            return self._infos[packet.id.stream.session, packet.info_id]
        except KeyError:
            raise LookupError(
                f"no codec configuration {packet.info_id} of session {packet.id.stream.session} in this ring"
            ) from None

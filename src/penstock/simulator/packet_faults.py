"""Loses and damages RTP packets by seed: equal seeds and equal packets end equally."""

import random
from collections.abc import Callable, Sequence

from penstock.restream.packet_filter import FilterFactory, PacketFilter

_HEADER_BYTES = 12


class PacketTrouble:
    """What happens to the packets of one camera now; 0 of both is a network without fault."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.loss = 0.0
        self.corrupt = 0.0
        self.lost = 0
        self.corrupted = 0

    @property
    def new_filter(self) -> FilterFactory:
        """For `RtspServer.add_mount`."""
        return self._new_filter

    def _new_filter(self, session_number: int) -> PacketFilter:
        return _Troubled(self, random.Random(f"{self._seed} {session_number}").random)


class _Troubled:
    def __init__(self, trouble: PacketTrouble, chance: Callable[[], float]) -> None:
        self._trouble = trouble
        self._chance = chance

    def pass_on(self, packets: Sequence[bytes], now_ns: int) -> Sequence[bytes]:  # noqa: ARG002
        trouble = self._trouble
        if not trouble.loss and not trouble.corrupt:
            return packets
        kept = []
        for packet in packets:
            if self._chance() < trouble.loss:
                trouble.lost += 1
                continue
            kept.append(self._damaged(packet) if self._chance() < trouble.corrupt else packet)
        return kept

    def _damaged(self, packet: bytes) -> bytes:
        """One bit of the payload is turned; headers stay, or the packet would only be lost."""
        bits = 8 * (len(packet) - _HEADER_BYTES)
        if bits <= 0:
            return packet
        self._trouble.corrupted += 1
        place = int(self._chance() * bits)
        damaged = bytearray(packet)
        damaged[_HEADER_BYTES + place // 8] ^= 1 << place % 8
        return bytes(damaged)

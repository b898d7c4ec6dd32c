"""The latest value of something, written by one process and read by any, that outlives its writer.

Two places are written in turn, and a count of whole values says which of them holds the last. So a reader finds a
value at any time, also while the next is being written, and after a writer that was killed in the middle of one. The
checksum covers machines that reorder stores.
"""

import struct
import zlib

_COUNT_BYTES = 8
_HEADER = struct.Struct("<QQQ")  # number of the value, length, checksum
HEADER_BYTES = _COUNT_BYTES + 2 * _HEADER.size
_ATTEMPTS = 8


def cell_bytes(capacity_bytes: int) -> int:
    """Size of the region for a cell that takes values of up to `capacity_bytes`."""
    return HEADER_BYTES + 2 * capacity_bytes


class LatestCell:
    """One value of up to `(len(memory) - HEADER_BYTES) // 2` bytes; one writer, any number of readers."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._count = memory[:_COUNT_BYTES].cast("Q")
        self.capacity_bytes = max(0, (len(memory) - HEADER_BYTES) // 2)

    def write(self, value: bytes) -> None:
        """Replaces the value; raises ValueError where it does not fit."""
        if len(value) > self.capacity_bytes:
            raise ValueError(f"a value of {len(value)} bytes does not fit into {self.capacity_bytes}")
        number = self._count[0] + 1
        at = self._place(number)
        start = at + _HEADER.size
        _HEADER.pack_into(self._memory, at, 0, 0, 0)
        self._memory[start : start + len(value)] = value
        _HEADER.pack_into(self._memory, at, number, len(value), zlib.crc32(value))
        self._count[0] = number

    def read(self) -> bytes | None:
        """The last value written whole; None where there is none yet."""
        for _ in range(_ATTEMPTS):
            number = self._count[0]
            if number == 0:
                return None
            at = self._place(number)
            found, length, checksum = _HEADER.unpack_from(self._memory, at)
            if found != number or length > self.capacity_bytes:
                continue
            start = at + _HEADER.size
            value = bytes(self._memory[start : start + length])
            if zlib.crc32(value) == checksum:
                return value
        return None

    def _place(self, number: int) -> int:
        """Where value `number` lies: odd and even ones take turns."""
        return _COUNT_BYTES + (number & 1) * (_HEADER.size + self.capacity_bytes)

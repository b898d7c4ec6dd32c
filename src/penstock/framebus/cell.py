"""The latest value of something, written by one process and read by any, that outlives its writer.

A sequence lock: odd while a value is being written. The checksum also catches a writer that was killed in the
middle, and machines that reorder stores.
"""

import struct
import zlib

_HEADER = struct.Struct("<QQQ")
HEADER_BYTES = _HEADER.size
_ATTEMPTS = 8


class LatestCell:
    """One value of up to `len(memory) - HEADER_BYTES` bytes; one writer, any number of readers."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._sequence = memory[:8].cast("Q")

    @property
    def capacity_bytes(self) -> int:
        return len(self._memory) - HEADER_BYTES

    def write(self, value: bytes) -> None:
        """Replaces the value; raises ValueError where it does not fit."""
        if len(value) > self.capacity_bytes:
            raise ValueError(f"a value of {len(value)} bytes does not fit into {self.capacity_bytes}")
        sequence = self._sequence[0] | 1
        self._sequence[0] = sequence
        _HEADER.pack_into(self._memory, 0, sequence, len(value), zlib.crc32(value))
        self._memory[HEADER_BYTES : HEADER_BYTES + len(value)] = value
        self._sequence[0] = sequence + 1

    def read(self) -> bytes | None:
        """The last value written whole; None where there is none, or a writer died in the middle of one."""
        for _ in range(_ATTEMPTS):
            before = self._sequence[0]
            if before == 0:
                return None
            if before & 1:
                continue
            _, length, checksum = _HEADER.unpack_from(self._memory, 0)
            if length > self.capacity_bytes:
                continue
            value = bytes(self._memory[HEADER_BYTES : HEADER_BYTES + length])
            if self._sequence[0] == before and zlib.crc32(value) == checksum:
                return value
        return None

"""Capacity and demand are vectors: what one thing needs of each kind, per second or at once."""

import msgspec


class Capacity(msgspec.Struct, frozen=True, gc=False):
    """Device and decode time in nanoseconds per second; memory in bytes; credits in calls at once."""

    device_ns: int = 0
    decode_ns: int = 0
    memory_bytes: int = 0
    device_memory_bytes: int = 0
    credits: int = 0

    def __add__(self, other: "Capacity") -> "Capacity":
        return Capacity(
            self.device_ns + other.device_ns,
            self.decode_ns + other.decode_ns,
            self.memory_bytes + other.memory_bytes,
            self.device_memory_bytes + other.device_memory_bytes,
            self.credits + other.credits,
        )

    def fits(self, available: "Capacity") -> bool:
        """Whether no dimension asks for more than `available` has."""
        return (
            self.device_ns <= available.device_ns
            and self.decode_ns <= available.decode_ns
            and self.memory_bytes <= available.memory_bytes
            and self.device_memory_bytes <= available.device_memory_bytes
            and self.credits <= available.credits
        )

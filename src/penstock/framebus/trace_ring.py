"""Records of fixed size that one process writes while somebody wants them, and any number of readers take.

A word in the region says until when records are wanted: a writer whom nobody reads pays for looking at it and nothing
else, and one whose reader has died stops by itself. The writer never waits for a reader. One that is lapped knows it,
counts what it missed and goes on with the newest half. A checksum per record covers machines that reorder stores.
"""

import struct
import threading
import zlib
from collections.abc import Mapping, Sequence

from penstock.contracts.traces import TraceRecord
from penstock.framebus.regions import Region
from penstock.framebus.trace_records import decode

RECORD_BYTES = 128
BODY_BYTES = RECORD_BYTES - 16
READ_AT_ONCE = 4096

_MAGIC = 0x50454E5452414301
_HEADER_BYTES = 4096
_MAGIC_WORD, _RECORDS_WORD, _HEAD_WORD, _ARMED_WORD = 0, 1, 8, 16  # a cache line for each side
_CHECKSUM = struct.Struct("<I")
_HEAD = struct.Struct("<HHQ")  # kind, length of the body, number


def trace_bytes(records: int) -> int:
    """Size of the region for a ring of `records`."""
    return _HEADER_BYTES + records * RECORD_BYTES


def format_trace(region: Region, records: int) -> None:
    """Writes the ring's header; done once, by whoever made the region."""
    words = region.memory[:_HEADER_BYTES].cast("Q")
    words[_RECORDS_WORD] = records
    words[_MAGIC_WORD] = _MAGIC


class _Layout:
    def __init__(self, region: Region) -> None:
        self.words = region.memory[:_HEADER_BYTES].cast("Q")
        if self.words[_MAGIC_WORD] != _MAGIC:
            raise ValueError(f"region {region.handle.name} holds no trace ring")
        self.records: int = self.words[_RECORDS_WORD]
        self.data = region.memory[_HEADER_BYTES : trace_bytes(self.records)]


class TraceWriter:
    """The one writing process of a ring, any of its threads. A successor goes on where the last one stopped."""

    def __init__(self, region: Region) -> None:
        layout = _Layout(region)
        self._words = layout.words
        self._records = layout.records
        self._data = layout.data
        self._lock = threading.Lock()
        self._next = layout.words[_HEAD_WORD]
        self.armed = layout.words[_ARMED_WORD : _ARMED_WORD + 1]
        """one word: records of instants from this one on are not wanted; callers look at it before they make any"""

    def write(self, kind: int, body: bytes) -> None:
        """Appends a record of at most `BODY_BYTES`, over the oldest one where the ring is full."""
        with self._lock:
            number = self._next
            value = _HEAD.pack(kind, len(body), number) + body
            at = number % self._records * RECORD_BYTES
            _CHECKSUM.pack_into(self._data, at, zlib.crc32(value))
            self._data[at + 4 : at + 4 + len(value)] = value
            self._next = number + 1
            self._words[_HEAD_WORD] = number + 1


class TraceReader:
    """One reader's place in one ring, from what is written after it was made."""

    def __init__(self, region: Region) -> None:
        layout = _Layout(region)
        self._words = layout.words
        self._records = layout.records
        self._data = layout.data
        self._next: int = self._words[_HEAD_WORD]
        self.missed = 0
        """records that had been overwritten, or were torn, when their turn came"""

    def arm(self, until_ns: int) -> None:
        """Records are wanted until then. Readers are of one process and take turns; the latest instant wins."""
        self._words[_ARMED_WORD] = max(self._words[_ARMED_WORD], until_ns)

    def read_nowait(self) -> list[TraceRecord]:
        """The next records, at most `READ_AT_ONCE`; empty where there are none."""
        head = self._words[_HEAD_WORD]
        if head - self._next > self._records - 1:
            # Right behind the writer the next record would be lost again; the newer half leaves room to catch up.
            resume = head - self._records // 2
            self.missed += resume - self._next
            self._next = resume
        first = self._next
        count = min(head - first, READ_AT_ONCE)
        copy = self._copy(first, count)
        # The record in whose place the writer may be just now is gone too.
        intact = max(first, self._words[_HEAD_WORD] - self._records + 1)
        found = []
        for number in range(first, first + count):
            record = self._record(copy, (number - first) * RECORD_BYTES, number) if number >= intact else None
            if record is None:
                self.missed += 1
            else:
                found.append(record)
        self._next = first + count
        return found

    def _copy(self, first: int, count: int) -> bytes:
        begin = first % self._records
        in_row = min(count, self._records - begin)
        copy = bytes(self._data[begin * RECORD_BYTES : (begin + in_row) * RECORD_BYTES])
        return copy + bytes(self._data[: (count - in_row) * RECORD_BYTES])

    @staticmethod
    def _record(copy: bytes, at: int, number: int) -> TraceRecord | None:
        kind, length, found = _HEAD.unpack_from(copy, at + 4)
        begin = at + 4 + _HEAD.size
        if found != number or length > BODY_BYTES:
            return None
        if zlib.crc32(copy[at + 4 : begin + length]) != _CHECKSUM.unpack_from(copy, at)[0]:
            return None
        return decode(kind, copy[begin : begin + length])


class TraceRings:
    """One tap on the rings of several processes; see `contracts.traces.TraceTap`.

    Rings of processes that write of effects come first in `regions`: they are looked at before those of the causes, and
    handed out after them, so that no record comes before the one that it follows from.
    """

    def __init__(self, regions: Mapping[str, Region]) -> None:
        """`regions` by the name of the process that writes into it."""
        self._readers = {name: TraceReader(region) for name, region in regions.items()}

    def arm(self, until_ns: int) -> None:
        for reader in self._readers.values():
            reader.arm(until_ns)

    def read_nowait(self) -> Sequence[TraceRecord]:
        parts = [reader.read_nowait() for reader in self._readers.values()]
        return [record for part in reversed(parts) for record in part]

    def missed(self) -> Mapping[str, int]:
        return {name: reader.missed for name, reader in self._readers.items()}

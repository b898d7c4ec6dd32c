"""A stream's packets, newest last, in memory that outlives the writer: whole GOPs, bounded by seconds and bytes.

One writer, many readers, no locks. The writer first moves the tail past what it is about to overwrite, then writes
bytes and entry, then moves the head. A reader copies an entry and looks at the tail again: if the tail has passed it,
the copy is worthless and the reader is told where to go on (`Lapped`). A checksum per packet covers machines that
reorder stores and writers that died halfway.
"""

import struct
import zlib
from collections import deque

import msgspec

from penstock.contracts.identity import FrameId, StreamKey
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.ring import Lapped, RingSpan
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.framebus.regions import Region

_HEADER = struct.Struct("<QQQQ")  # magic, data bytes, entries, configurations
_MAGIC = 0x50454E52494E4701
_HEAD_WORD, _TAIL_WORD, _CONFIG_WORD = 8, 9, 10
_HEADER_BYTES = 4096
_CONFIG_SLOTS = 16
# Extradata with user data (x265 writes its options there) reaches some kilobytes.
_CONFIG_BYTES = 16384
_CONFIG_HEAD = struct.Struct("<QQ")  # number, length
_ENTRY = struct.Struct("<QQIIqQIIIIqqqqqq")
_ENTRY_BYTES = 128
_KEYFRAME, _DISPOSABLE, _CORRUPT, _HAS_PTS, _HAS_DTS = 1, 2, 4, 8, 16
_BASES = list(TimeBasis)


class _Config(msgspec.Struct, frozen=True):
    """One codec configuration with the session it belongs to."""

    stream: StreamKey
    info_id: int
    info: StreamInfo


_config_decoder = msgspec.msgpack.Decoder(_Config)


class RingStatistics(msgspec.Struct, frozen=True):
    """What the ring holds now, and cumulative counts of what left it."""

    packets: int
    held_bytes: int
    held_ns: int
    written: int
    evicted: int
    refused: int
    """too large for the ring, as packet or by its configuration, or waiting for a keyframe after such a one"""


def ring_bytes(data_bytes: int, entries: int) -> int:
    """Size of the region for a ring of `data_bytes` of packets and at most `entries` of them."""
    return _HEADER_BYTES + _CONFIG_SLOTS * _CONFIG_BYTES + entries * _ENTRY_BYTES + data_bytes


def format_ring(region: Region, data_bytes: int, entries: int) -> None:
    """Writes the ring's header; done once, by whoever made the region."""
    _HEADER.pack_into(region.memory, 0, _MAGIC, data_bytes, entries, _CONFIG_SLOTS)


class _Layout:
    """Where things lie in the region."""

    def __init__(self, region: Region) -> None:
        magic, data_bytes, entries, _ = _HEADER.unpack_from(region.memory, 0)
        if magic != _MAGIC:
            raise ValueError(f"region {region.handle.name} holds no packet ring")
        self.data_bytes: int = data_bytes
        self.entries: int = entries
        self.memory = region.memory
        self.words = region.memory[:_HEADER_BYTES].cast("Q")
        self._entries_at = _HEADER_BYTES + _CONFIG_SLOTS * _CONFIG_BYTES
        data_at = self._entries_at + self.entries * _ENTRY_BYTES
        self.data = region.memory[data_at : data_at + self.data_bytes]

    def entry_at(self, index: int) -> int:
        return self._entries_at + index % self.entries * _ENTRY_BYTES

    def config_at(self, number: int) -> int:
        return _HEADER_BYTES + number % _CONFIG_SLOTS * _CONFIG_BYTES

    def read_config(self, number: int) -> _Config | None:
        at = self.config_at(number)
        found, length = _CONFIG_HEAD.unpack_from(self.memory, at)
        if found != number or length > _CONFIG_BYTES - _CONFIG_HEAD.size:
            return None
        start = at + _CONFIG_HEAD.size
        value = bytes(self.memory[start : start + length])
        if _CONFIG_HEAD.unpack_from(self.memory, at)[0] != number:
            # Its place has passed to a newer one while it was copied.
            return None
        try:
            return _config_decoder.decode(value)
        except msgspec.MsgspecError:
            return None


class RingWriter:
    """The one writer of a ring. A successor goes on where the last one stopped."""

    def __init__(self, region: Region, max_ns: int) -> None:
        self._layout = _Layout(region)
        self._max_ns = max_ns
        words = self._layout.words
        self._head = words[_HEAD_WORD]
        self._tail = words[_TAIL_WORD]
        self._config = words[_CONFIG_WORD]
        self._config_key: tuple[int, int] | None = None
        self._gops: deque[tuple[int, int, int, int]] = deque()  # index, data offset, capture, configuration
        self._next_offset = 0
        self._newest_capture_ns = 0
        self._await_keyframe = True
        self._evicted = 0
        self._refused = 0
        self._recover()

    def _recover(self) -> None:
        """Rebuilds the list of GOPs from the entries, after another writer."""
        layout = self._layout
        for index in range(self._tail, self._head):
            fields = _ENTRY.unpack_from(layout.memory, layout.entry_at(index))
            if fields[7] & _KEYFRAME:
                self._gops.append((index, fields[1], fields[14], fields[6]))
            self._next_offset = fields[1] + fields[2]
            self._newest_capture_ns = fields[14]

    def write(self, packet: EncodedPacket, info: StreamInfo) -> int | None:
        """Appends a packet; returns its index, or None, counted, where it cannot be kept.

        A ring too small for one GOP keeps nothing of it and goes on at the next keyframe.
        """
        layout = self._layout
        size = len(packet.data)
        key = (packet.id.stream.session, packet.info_id)
        new_stream = key != self._config_key
        if (self._await_keyframe or new_stream) and not packet.keyframe:
            self._await_keyframe = True
            self._refused += 1
            return None
        offset = self._next_offset
        if offset % layout.data_bytes + size > layout.data_bytes:
            offset += layout.data_bytes - offset % layout.data_bytes
        config = msgspec.msgpack.encode(_Config(packet.id.stream, packet.info_id, info)) if new_stream else b""
        describable = len(config) <= _CONFIG_BYTES - _CONFIG_HEAD.size
        if not describable or not self._make_room(packet, offset + size, size):
            self._refused += 1
            self._await_keyframe = True
            return None
        if new_stream:
            self._write_config(config)
            self._config_key = key
        at = offset % layout.data_bytes
        layout.data[at : at + size] = packet.data
        flags = (
            _KEYFRAME * packet.keyframe
            | _DISPOSABLE * packet.disposable
            | _CORRUPT * packet.corrupt
            | _HAS_PTS * (packet.pts is not None)
            | _HAS_DTS * (packet.dts is not None)
        )
        index = self._head
        _ENTRY.pack_into(
            layout.memory,
            layout.entry_at(index),
            index,
            offset,
            size,
            zlib.crc32(packet.data),
            packet.id.stream.session,
            packet.id.seq,
            self._config,
            flags,
            _BASES.index(packet.capture.basis),
            packet.info_id,
            packet.pts or 0,
            packet.dts or 0,
            packet.duration,
            packet.received_ns,
            packet.capture.mono_ns,
            packet.capture.error_ns,
        )
        if packet.keyframe:
            self._gops.append((index, offset, packet.capture.mono_ns, self._config))
        self._await_keyframe = False
        self._newest_capture_ns = packet.capture.mono_ns
        self._next_offset = offset + size
        self._head = index + 1
        layout.words[_HEAD_WORD] = self._head
        return index

    def _make_room(self, packet: EncodedPacket, end: int, size: int) -> bool:
        """Lets the oldest GOPs go until the bounds hold; False where the newest GOP alone is too large."""
        layout = self._layout
        if size > layout.data_bytes:
            return False
        oldest_config = self._config + 1 - _CONFIG_SLOTS + 1
        while self._gops:
            index, offset, _, config = self._gops[0]
            too_many = self._head + 1 - index > layout.entries
            too_large = end - offset > layout.data_bytes
            too_old = len(self._gops) > 1 and packet.capture.mono_ns - self._gops[1][2] > self._max_ns
            if not (too_many or too_large or too_old or config < oldest_config):
                return True
            if len(self._gops) == 1 and not packet.keyframe:
                self._forget_oldest()
                return False
            self._forget_oldest()
        return True

    def _forget_oldest(self) -> None:
        self._gops.popleft()
        tail = self._gops[0][0] if self._gops else self._head
        self._evicted += tail - self._tail
        self._tail = tail
        self._layout.words[_TAIL_WORD] = tail

    def _write_config(self, value: bytes) -> None:
        number = self._config + 1
        at = self._layout.config_at(number)
        _CONFIG_HEAD.pack_into(self._layout.memory, at, 0, 0)
        start = at + _CONFIG_HEAD.size
        self._layout.memory[start : start + len(value)] = value
        _CONFIG_HEAD.pack_into(self._layout.memory, at, number, len(value))
        self._config = number
        self._layout.words[_CONFIG_WORD] = number

    def statistics(self) -> RingStatistics:
        """May be called from another thread than the writer's: numbers are then a packet or two apart."""
        try:
            _, offset, capture_ns, _ = self._gops[0]
        except IndexError:
            return RingStatistics(0, 0, 0, self._head, self._evicted, self._refused)
        return RingStatistics(
            packets=self._head - self._tail,
            held_bytes=max(0, self._next_offset - offset),
            held_ns=max(0, self._newest_capture_ns - capture_ns),
            written=self._head,
            evicted=self._evicted,
            refused=self._refused,
        )


class RingReader:
    """Reads a ring that somebody else writes; see `contracts.ring.PacketReader`."""

    def __init__(self, region: Region) -> None:
        self._layout = _Layout(region)

    def _bounds(self) -> tuple[int, int]:
        words = self._layout.words
        return words[_TAIL_WORD], words[_HEAD_WORD]

    def span(self) -> RingSpan | None:
        """None while the ring is empty."""
        while True:
            tail, head = self._bounds()
            if tail == head:
                return None
            first, last = self._entry(tail), self._entry(head - 1)
            if self._layout.words[_TAIL_WORD] == tail:
                return RingSpan(tail, head - 1, first[14], last[14])

    def keyframe_before(self, capture_ns: int) -> int | None:
        """Index of the last keyframe captured at or before `capture_ns`; the oldest one if all are later."""
        tail, head = self._bounds()
        oldest: int | None = None
        for index in range(head - 1, tail - 1, -1):
            fields = self._entry(index)
            if fields[0] == index and fields[7] & _KEYFRAME:
                if fields[14] <= capture_ns:
                    return index
                oldest = index
        return oldest

    def read_nowait(self, index: int) -> EncodedPacket | None:
        """A copy of packet `index`; None where it is not written yet; raises Lapped where it has left."""
        layout = self._layout
        tail, head = self._bounds()
        if index >= head:
            return None
        if index < tail:
            raise Lapped(index, tail)
        fields = self._entry(index)
        at = fields[1] % layout.data_bytes
        data = bytes(layout.data[at : at + fields[2]])
        config = layout.read_config(fields[6])
        tail = layout.words[_TAIL_WORD]
        if index < tail or fields[0] != index or config is None or zlib.crc32(data) != fields[3]:
            raise Lapped(index, self._keyframe_from(max(tail, index + 1)))
        flags = fields[7]
        return EncodedPacket(
            id=FrameId(
                config.stream
                if config.stream.session == fields[4]
                else msgspec.structs.replace(config.stream, session=fields[4]),
                fields[5],
            ),
            info_id=fields[9],
            data=data,
            keyframe=bool(flags & _KEYFRAME),
            pts=fields[10] if flags & _HAS_PTS else None,
            dts=fields[11] if flags & _HAS_DTS else None,
            duration=fields[12],
            received_ns=fields[13],
            capture=CaptureTime(fields[14], _BASES[fields[8]], fields[15]),
            disposable=bool(flags & _DISPOSABLE),
            corrupt=bool(flags & _CORRUPT),
        )

    def info(self, packet: EncodedPacket) -> StreamInfo:
        """The codec configuration of a packet read from this ring; raises LookupError once it has left."""
        newest = self._layout.words[_CONFIG_WORD]
        for number in range(newest, max(0, newest - _CONFIG_SLOTS), -1):
            config = self._layout.read_config(number)
            if config and config.stream.session == packet.id.stream.session and config.info_id == packet.info_id:
                return config.info
        raise LookupError(
            f"the configuration of session {packet.id.stream.session} of {packet.id.stream.camera} has left the ring"
        )

    def _keyframe_from(self, index: int) -> int:
        """The first keyframe at `index` or later; the next packet to come where there is none yet."""
        head = self._layout.words[_HEAD_WORD]
        while index < head and not self._entry(index)[7] & _KEYFRAME:
            index += 1
        return index

    def _entry(self, index: int) -> tuple[int, ...]:
        return _ENTRY.unpack_from(self._layout.memory, self._layout.entry_at(index))

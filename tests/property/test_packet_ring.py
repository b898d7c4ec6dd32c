"""The packet ring against a plain list: whole GOPs, its bounds, and what readers see at every store of a write, also
when the writer is killed there and another takes over, and when it laps them in the middle of a read.
"""

import random
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.ring import Lapped
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.framebus import ring
from penstock.framebus.regions import HeapRegion, HeapRegions
from penstock.framebus.ring import RingReader, RingWriter, format_ring, ring_bytes

MS = 1_000_000
DATA_BYTES = 1_000
ENTRIES = 40
MAX_NS = 1_000 * MS


class Killed(Exception):
    """The writer was killed here."""


class Probe:
    """Called before every store of a writer; may look at the ring, and may kill the writer."""

    def __init__(self) -> None:
        self.on_store: Callable[[], None] = lambda: None
        self.fuse = -1
        self.torn = 0.0
        """how much of the store it is killed in still happens"""

    def store(self, target: memoryview, start: int, value: bytes) -> None:
        self.on_store()
        if self.fuse == 0:
            self.fuse = -1
            part = int(len(value) * self.torn)
            target[start : start + part] = value[:part]
            raise Killed
        self.fuse -= self.fuse > 0
        target[start : start + len(value)] = value


class ProbedBytes:
    """Stands for a writer's memory."""

    def __init__(self, real: memoryview, probe: Probe) -> None:
        self.real = real
        self._probe = probe

    def __setitem__(self, key: slice, value: bytes) -> None:
        self._probe.store(self.real, key.start, value)

    def __getitem__(self, key: slice) -> memoryview:
        return self.real[key]


class ProbedWords:
    """A word is stored whole or not at all."""

    def __init__(self, real: memoryview, probe: Probe) -> None:
        self._real = real
        self._probe = probe

    def __setitem__(self, key: int, value: int) -> None:
        self._probe.on_store()
        if self._probe.fuse == 0:
            self._probe.fuse = -1
            raise Killed
        self._probe.fuse -= self._probe.fuse > 0
        self._real[key] = value

    def __getitem__(self, key: int) -> int:
        return int(self._real[key])


class ProbedStruct:
    """A struct of the ring's whose writes by the writer go through the probe."""

    def __init__(self, real: struct.Struct) -> None:
        self._real = real
        self.size = real.size
        self.probe: Probe | None = None
        self.on_load: Callable[[], None] = lambda: None

    def pack_into(self, memory: Any, at: int, *values: int) -> None:
        if isinstance(memory, ProbedBytes):
            memory[at : at + self.size] = self._real.pack(*values)
        else:
            self._real.pack_into(memory, at, *values)

    def unpack_from(self, memory: Any, at: int) -> tuple[Any, ...]:
        found = self._real.unpack_from(memory.real if isinstance(memory, ProbedBytes) else memory, at)
        self.on_load()
        return found


@contextmanager
def probed() -> Iterator[tuple[ProbedStruct, ProbedStruct]]:
    with pytest.MonkeyPatch.context() as patch:
        entry, head = ProbedStruct(ring._ENTRY), ProbedStruct(ring._CONFIG_HEAD)
        patch.setattr(ring, "_ENTRY", entry)
        patch.setattr(ring, "_CONFIG_HEAD", head)
        yield entry, head


def new_region() -> HeapRegion:
    region = HeapRegions().create("ring", ring_bytes(DATA_BYTES, ENTRIES))
    format_ring(region, DATA_BYTES, ENTRIES)
    return region


def new_writer(region: HeapRegion, probe: Probe | None = None) -> RingWriter:
    writer = RingWriter(region, MAX_NS)
    if probe is not None:
        writer._layout.memory = ProbedBytes(writer._layout.memory, probe)  # type: ignore[assignment]
        writer._layout.data = ProbedBytes(writer._layout.data, probe)  # type: ignore[assignment]
        writer._layout.words = ProbedWords(writer._layout.words, probe)  # type: ignore[assignment]
    return writer


class Camera:
    """Makes packets, each unlike every other, and knows their configurations."""

    def __init__(self) -> None:
        self.session, self.info_id, self.seq, self.capture_ns = 1, 0, 0, 10**12
        self._random = random.Random(7)

    def info(self, session: int, info_id: int) -> StreamInfo:
        return StreamInfo("h264", 100 + session, 50 + info_id, (1, 90_000), bytes([session % 251, info_id]) * 20)

    def packet(self, keyframe: bool, size: int, step_ms: int) -> EncodedPacket:
        self.seq += 1
        self.capture_ns += step_ms * MS
        some = self._random.getrandbits(32)
        return EncodedPacket(
            id=FrameId(StreamKey("h", "b", "r", "cam", Role.RECORD, self.session), self.seq),
            info_id=self.info_id,
            data=self._random.randbytes(size),
            keyframe=keyframe,
            pts=self.seq * 3600 if some & 1 else None,
            dts=-self.seq if some & 2 else None,
            duration=some % 5000,
            received_ns=self.capture_ns + 5,
            capture=CaptureTime(self.capture_ns, list(TimeBasis)[some % len(TimeBasis)], some % 99),
            disposable=bool(some & 4),
            corrupt=bool(some & 8),
        )


KINDS = ["key", "key", "delta", "delta", "delta", "delta", "session", "config", "config", "kill"]


def drawn_steps(seed: int) -> Iterator[tuple[str, int, int, int, float]]:
    """What happens, the packet's size, the time since the last, the store it dies in and how much of that."""
    drawn = random.Random(seed)
    small = drawn.random() < 0.5
    sizes = [0, 1, 2, 5, 20] if small else [0, 1, 40, 90, 90, 200, 333, 990, 1_000, 1_001]
    for _ in range(80):
        yield (
            drawn.choice(KINDS),
            drawn.choice(sizes),
            drawn.choice([0, 40, 40, 400, 2_000] if drawn.random() < 0.2 else [0, 5, 40]),
            drawn.randrange(10),
            drawn.choice([0.0, 0.5, 1.0]),
        )


def check(region: HeapRegion, written: dict[int, EncodedPacket], camera: Camera) -> None:
    """Everything that a reader can see is right, whole, and within the bounds."""
    reader = RingReader(region)
    span = reader.span()
    if span is None:
        assert reader.keyframe_before(10**18) is None
        return
    held = range(span.first_index, span.last_index + 1)
    packets = [reader.read_nowait(index) for index in held]
    assert packets == [written[index] for index in held]
    kept = [packet for packet in packets if packet is not None]
    assert kept[0].keyframe, "whole GOPs: the oldest packet can be decoded"
    assert (span.first_capture_ns, span.last_capture_ns) == (kept[0].capture.mono_ns, kept[-1].capture.mono_ns)
    assert sum(len(packet.data) for packet in kept) <= DATA_BYTES
    assert len(kept) <= ENTRIES
    keys = [(index, packet) for index, packet in zip(held, kept, strict=True) if packet.keyframe]
    if len(keys) > 1:
        assert kept[-1].capture.mono_ns - keys[1][1].capture.mono_ns <= MAX_NS, "a GOP more than needed is let go"
    for packet in kept:
        assert reader.info(packet) == camera.info(packet.id.stream.session, packet.info_id)
    assert reader.read_nowait(span.last_index + 1) is None
    if span.first_index:
        with pytest.raises(Lapped) as lapped:
            reader.read_nowait(span.first_index - 1)
        assert lapped.value.resume_index == span.first_index
    for asked_ns in (0, span.first_capture_ns, kept[len(kept) // 2].capture.mono_ns, 10**18):
        before = [index for index, packet in keys if packet.capture.mono_ns <= asked_ns]
        assert reader.keyframe_before(asked_ns) == (before[-1] if before else keys[0][0])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_the_ring_holds_what_a_list_would(seed: int) -> None:
    """Readers look after every packet and before every store; the writer is killed between any two."""
    with probed():
        region, camera, probe = new_region(), Camera(), Probe()
        written: dict[int, EncodedPacket] = {}
        writer = new_writer(region, probe)
        following = False
        stores = [0]

        def look() -> None:
            stores[0] += 1
            if stores[0] % 5 == seed % 5:
                check(region, written, camera)

        probe.on_store = look
        for kind, size, step_ms, fuse, torn in drawn_steps(seed):
            if kind == "session":
                camera.session, camera.info_id = camera.session + 1, 0
            elif kind == "config":
                camera.info_id += 1
            elif kind == "kill":
                probe.fuse, probe.torn = fuse, torn
            packet = camera.packet(kind != "delta", size, step_ms)
            try:
                index = writer.write(packet, camera.info(camera.session, camera.info_id))
            except Killed:
                writer = new_writer(region, probe)
                following = False
            else:
                if packet.keyframe:
                    assert (index is not None) == (size <= DATA_BYTES), "a keyframe that fits at all is kept"
                else:
                    assert index is None or following, "nothing follows a gap but a keyframe"
                following = index is not None
                if index is not None:
                    assert index == max(written, default=-1) + 1
                    written[index] = packet
            check(region, written, camera)


@settings(max_examples=500, deadline=None)
@given(
    before=st.integers(1, 60),
    at=st.integers(0, 3),
    laps=st.sampled_from([1, 5, 30, 60]),
    asked=st.sampled_from([0, 1, 5, 20, 59]),
    sizes=st.lists(st.sampled_from([2, 10, 90, 300, 700]), min_size=1, max_size=4),
    gop=st.integers(1, 5),
    change=st.sampled_from([1, 3, 7]),
)
def test_a_reader_lapped_in_the_middle_of_a_read_is_told(
    before: int, at: int, laps: int, asked: int, sizes: list[int], gop: int, change: int
) -> None:
    """The writer goes on between two of the reader's loads."""
    with probed() as (entry, head):
        region, camera = new_region(), Camera()
        writer, reader = new_writer(region), RingReader(region)
        written: dict[int, EncodedPacket] = {}

        def write(count: int) -> None:
            for _ in range(count):
                number = camera.seq
                if number % change == 0:
                    camera.info_id += 1
                packet = camera.packet(number % gop == 0 or number % change == 0, sizes[number % len(sizes)], 40)
                index = writer.write(packet, camera.info(camera.session, camera.info_id))
                if index is not None:
                    written[index] = packet

        write(before)
        loads = [0]

        def interrupt() -> None:
            loads[0] += 1
            if loads[0] == at + 1:
                loads[0] = 1_000
                write(laps)

        index = min(asked, max(written, default=0))
        entry.on_load = head.on_load = interrupt
        packet, resume = read(reader, index)
        loads[0] = at if packet is not None else 1_000
        info = info_of(reader, packet)
        entry.on_load = head.on_load = lambda: None
        assert packet is None or packet == written[index]
        assert info is None or packet is None or info == camera.info(1, packet.info_id)
        if resume is not None:
            follower, _ = read(reader, resume)
            assert follower is None or follower == written[resume]
            assert follower is None or follower.keyframe, "a lapped reader goes on at a keyframe"


def read(reader: RingReader, index: int) -> tuple[EncodedPacket | None, int | None]:
    """A packet, or where to go on."""
    try:
        return reader.read_nowait(index), None
    except Lapped as lapped:
        return None, lapped.resume_index


def info_of(reader: RingReader, packet: EncodedPacket | None) -> StreamInfo | None:
    try:
        return None if packet is None else reader.info(packet)
    except LookupError:
        return None


def test_a_configuration_too_large_for_the_ring_costs_its_packets_and_nothing_else() -> None:
    region, camera = new_region(), Camera()
    writer, reader = new_writer(region), RingReader(region)
    first = camera.packet(True, 50, 40)
    assert writer.write(first, camera.info(1, 0)) == 0
    camera.info_id = 1
    large = StreamInfo("hevc", 10, 10, (1, 25), bytes(100_000))
    assert writer.write(camera.packet(True, 50, 40), large) is None
    assert writer.write(camera.packet(False, 50, 40), large) is None
    assert writer.statistics().refused == 2
    camera.info_id = 2
    assert writer.write(camera.packet(True, 50, 40), camera.info(1, 2)) == 1
    assert reader.read_nowait(0) == first


def test_damage_that_no_overwriting_explains_is_passed_over_to_the_next_keyframe() -> None:
    region, camera = new_region(), Camera()
    writer, reader = new_writer(region), RingReader(region)
    packets = [camera.packet(number % 3 == 0, 20, 40) for number in range(7)]
    for packet in packets:
        writer.write(packet, camera.info(1, 0))
    start = bytes(region.memory).index(packets[1].data)
    region.memory[start] ^= 1
    with pytest.raises(Lapped) as lapped:
        reader.read_nowait(1)
    assert lapped.value.resume_index == 3


def test_statistics_count_what_is_held_and_what_left() -> None:
    region, camera = new_region(), Camera()
    writer = new_writer(region)
    assert writer.statistics() == ring.RingStatistics(0, 0, 0, 0, 0, 0)
    for number in range(10):
        writer.write(camera.packet(number % 2 == 0, 200, 40), camera.info(1, 0))
    held = writer.statistics()
    assert (held.written, held.packets, held.evicted, held.refused) == (10, 4, 6, 0)
    assert held.held_bytes == 800
    assert held.held_ns == 3 * 40 * MS
    assert new_writer(region).statistics().packets == 4


def test_a_region_without_a_ring_is_refused() -> None:
    with pytest.raises(ValueError, match="region other holds no packet ring"):
        RingReader(HeapRegions().create("other", 8192))

"""The frame bus between real processes: writers that run flat out and are killed with SIGKILL, readers that keep up and
readers that do not. This file is also the program that the processes run.
"""

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.contracts.frames import Affine, FrameRef, Location, PixelFormat, Plane, View, ViewSpec
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.messages import Heartbeat, Notice, Ready, RegionHandle, ViewReady
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.ring import Lapped
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.contracts.views import LeaseLost
from penstock.framebus.cell import LatestCell, cell_bytes
from penstock.framebus.counters import CounterBlock
from penstock.framebus.links import Link, LinkClosed, link_pair
from penstock.framebus.regions import MemfdRegion, MemfdRegions
from penstock.framebus.ring import RingReader, RingWriter, format_ring, ring_bytes
from penstock.framebus.slots import LeaseBook, SlotAllocator, SlotReader, format_pool, pool_bytes

RING_BYTES, RING_ENTRIES = 200_000, 256
CELL_BYTES = 60_000
SPEC = ViewSpec(64, 64, PixelFormat.GRAY8)
MS = 1_000_000


# what the processes do


def sealed(number: int, size: int) -> bytes:
    """A payload that carries its number and its own checksum."""
    body = struct.pack("<Q", number) + random.Random(number).randbytes(size)
    return body + struct.pack("<I", zlib.crc32(body))


def number_of(payload: bytes) -> int:
    """The number of a payload; raises ValueError where it is torn."""
    if zlib.crc32(payload[:-4]) != struct.unpack("<I", payload[-4:])[0]:
        raise ValueError("torn")
    return int(struct.unpack_from("<Q", payload)[0])


def info_of(session: int, info_id: int) -> StreamInfo:
    return StreamInfo("h264", 16 + session % 5000, 16 + info_id, (1, 90_000), session.to_bytes(8, "little") * 30)


def write_ring(region: MemfdRegion, session: int) -> None:
    """Goes on from the newest number in the ring until it is killed."""
    writer, reader = RingWriter(region, 10**15), RingReader(region)
    span = reader.span()
    last = None if span is None else reader.read_nowait(span.last_index)
    number = 0 if last is None else number_of(last.data) + 1
    stream = StreamKey("h", "b", "r", "cam", Role.RECORD, session)
    drawn = random.Random(session)
    info_id, since_key = 0, 0
    while True:
        since_key += 1
        keyframe = since_key > 12 or number == 0 or writer.statistics().packets == 0
        if keyframe:
            since_key = 0
            info_id += drawn.random() < 0.2
        packet = EncodedPacket(
            FrameId(stream, number),
            info_id,
            sealed(number, drawn.randrange(20, 4_000)),
            keyframe,
            number,
            None,
            0,
            number * MS,
            CaptureTime(number * MS, TimeBasis.ARRIVAL, 0),
        )
        if writer.write(packet, info_of(session, info_id)) is None:
            since_key = 99
        number += 1


def read_ring(region: MemfdRegion, pause_every: int) -> dict[str, int]:
    """Follows the ring until its standard input ends; a reader that pauses is lapped again and again."""
    reader = RingReader(region)
    seen = {"read": 0, "lapped": 0, "torn": 0, "disorder": 0, "no_keyframe": 0, "wrong": 0, "idle": 0}
    os.set_blocking(0, False)
    index, last, want_key = 0, -1, True
    while True:
        try:
            packet = reader.read_nowait(index)
        except Lapped as lapped:
            seen["lapped"] += 1
            seen["disorder"] += lapped.resume_index < index
            index, want_key = lapped.resume_index, True
            continue
        if packet is None:
            seen["idle"] += 1
            if sys.stdin.buffer.read(1) == b"":
                return seen
            time.sleep(0.0005)
            continue
        seen["read"] += 1
        try:
            number = number_of(packet.data)
        except ValueError:
            seen["torn"] += 1
            continue
        seen["wrong"] += number != packet.id.seq or number != packet.pts or packet.received_ns != number * MS
        seen["disorder"] += number <= last
        seen["no_keyframe"] += want_key and not packet.keyframe
        try:
            seen["wrong"] += reader.info(packet) != info_of(packet.id.stream.session, packet.info_id)
        except LookupError:
            pass
        last, want_key = number, False
        index += 1
        if pause_every and seen["read"] % pause_every == 0:
            time.sleep(0.05)


def write_cell(region: MemfdRegion, start: int) -> None:
    cell, number = LatestCell(region.memory), start
    while True:
        number += 1
        cell.write(sealed(number, number * 7919 % (CELL_BYTES - 100)))


def count(region: MemfdRegion) -> None:
    """Two words that one writer raises in turn."""
    counters = CounterBlock(region.memory, 2)
    while True:
        counters.add(0)
        counters.add(1)


def view_of(lease: Any, number: int) -> View:
    capture = CaptureTime(number, TimeBasis.ARRIVAL, 0)
    frame = FrameRef(FrameId(StreamKey("h", "b", "r", "cam", Role.DETECT, 1), number), number, capture, 0, 0, 64, 64)
    plane = Plane(0, 64, 64, 64)
    return View(frame, SPEC, lease, Location.MEMFD, "cpu", (plane,), Affine(1.0, 1.0, 0.0, 0.0))


def make_views(region: MemfdRegion, link_fd: int) -> None:
    """Ingest: leases slots as fast as they come free, writes and hands them on."""
    allocator, link, number = SlotAllocator(region), Link.from_descriptor(link_fd, "engine").open(), 0
    allocator.reclaim(())
    while True:
        slot = allocator.acquire_nowait()
        if slot is None:
            time.sleep(0.0002)
            continue
        number += 1
        lease, memory = slot
        memory[: SPEC.nbytes] = bytes([number % 251]) * SPEC.nbytes
        if not link.send_nowait(ViewReady(number, (view_of(lease, number),), False)):
            allocator.abandon(lease)
            time.sleep(0.0002)


def flood(link_fd: int) -> None:
    """Sends until the link is full or gone."""
    link, number = Link.from_descriptor(link_fd, "reader").open(), 0
    while True:
        number += link.send_nowait(Heartbeat(number))


def main(role: str, fd: int, size: int, argument: int) -> None:
    if role == "flood":
        flood(fd)
    region = MemfdRegions().open(RegionHandle("shared", size, shared=True), fd)
    if role == "write-ring":
        write_ring(region, argument)
    if role == "read-ring":
        print(json.dumps(read_ring(region, argument)))
    if role == "write-cell":
        write_cell(region, argument)
    if role == "count":
        count(region)
    if role == "make-views":
        make_views(region, argument)


# the tests


class Stage:
    """Starts processes on one region and ends them all."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.region = MemfdRegions().create("shared", size)
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, role: str, argument: int = 0, fd: int | None = None) -> "subprocess.Popen[bytes]":
        passed = self.region.fd if fd is None else fd
        assert passed is not None
        child = subprocess.Popen(
            [sys.executable, str(Path(__file__)), role, str(passed), str(self.size), str(argument)],
            pass_fds=[passed, *([argument] if role == "make-views" else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._children.append(child)
        return child

    def kill(self, child: "subprocess.Popen[bytes]") -> None:
        child.send_signal(signal.SIGKILL)
        child.wait(10)

    def close(self) -> None:
        for child in self._children:
            if child.poll() is None:
                self.kill(child)
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
        self.region.close()


def wait_until(true: Any, timeout_s: float = 20.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.002)


def take_all(take: Any) -> None:
    """Until the link says that the peer is gone; a gone peer is never just silent."""
    while take():
        pass
    raise AssertionError("the link of a killed process shows nothing")


@pytest.fixture
def stages() -> Iterator[list[Stage]]:
    made: list[Stage] = []
    yield made
    for stage in made:
        stage.close()


def test_readers_of_a_ring_see_no_torn_packet_whatever_its_writers_suffer(stages: list[Stage]) -> None:
    stage = Stage(ring_bytes(RING_BYTES, RING_ENTRIES))
    stages.append(stage)
    format_ring(stage.region, RING_BYTES, RING_ENTRIES)
    readers = [stage.start("read-ring", pause) for pause in (0, 40)]
    here = RingReader(stage.region)
    drawn = random.Random(2)
    heads: list[int] = []
    for life in range(6):
        head = heads[-1] if heads else -1
        writer = stage.start("write-ring", 1_000 + life)

        def is_ahead(than: int = head) -> bool:
            span = here.span()
            return span is not None and span.last_index > than + 2_000

        wait_until(is_ahead)
        time.sleep(drawn.random() * 0.1)
        stage.kill(writer)
        span = here.span()
        assert span is not None
        heads.append(span.last_index)
        kept = [here.read_nowait(index) for index in range(span.first_index, span.last_index + 1)]
        assert kept[0] is not None
        assert kept[0].keyframe
        numbers = [number_of(packet.data) for packet in kept if packet is not None]
        assert len(numbers) == len(kept), "what a killed writer left is whole"
        assert numbers == sorted(set(numbers))
    results = []
    for reader in readers:
        out, _ = reader.communicate(timeout=20)
        results.append(json.loads(out))
    quick, slow = results
    for seen in results:
        assert {key: seen[key] for key in ("torn", "disorder", "no_keyframe", "wrong")} == {
            "torn": 0,
            "disorder": 0,
            "no_keyframe": 0,
            "wrong": 0,
        }
    assert quick["read"] > 1_000
    assert slow["read"] > 100
    assert slow["lapped"] > 0, "the slow one was lapped, and went on"
    assert quick["idle"] > 0


def test_a_cell_whose_writer_is_killed_again_and_again_never_loses_its_value(stages: list[Stage]) -> None:
    stage = Stage(cell_bytes(CELL_BYTES))
    stages.append(stage)
    cell = LatestCell(stage.region.memory)
    drawn = random.Random(3)
    last = 0
    for _ in range(8):
        writer = stage.start("write-cell", last)
        wait_until(lambda than=last: (value := cell.read()) is not None and number_of(value) > than)
        end = time.monotonic() + 0.02 + drawn.random() * 0.03
        while time.monotonic() < end:
            value = cell.read()
            if value is None:
                # Lapped in every attempt, by a writer that does nothing else. It must not be so twice in a row.
                value = cell.read()
            assert value is not None
            assert number_of(value) >= last
            last = number_of(value)
        stage.kill(writer)
        value = cell.read()
        assert value is not None, "the last value written whole outlives its writer"
        assert number_of(value) >= last
        last = number_of(value)


def test_counters_of_a_killed_writer_are_exact(stages: list[Stage]) -> None:
    stage = Stage(16)
    stages.append(stage)
    counters = CounterBlock(stage.region.memory, 2)
    for _ in range(4):
        before = counters[0]
        writer = stage.start("count")
        wait_until(lambda than=before: counters[0] > than + 1_000)
        for _ in range(5_000):
            second, first = counters[1], counters[0]
            assert first >= second, "never torn, never out of order"
        stage.kill(writer)
        assert counters[0] - counters[1] in (0, 1)
        CounterBlock(stage.region.memory, 2).set(1, counters[0])


def test_slots_of_killed_processes_are_leased_again_and_no_picture_changes_under_its_reader(
    stages: list[Stage],
) -> None:
    """The engine is here; ingest is a process that is killed while it writes, and comes back."""
    slots = 4
    stage = Stage(pool_bytes(slots, SPEC.nbytes))
    stages.append(stage)
    format_pool(stage.region, slots, SPEC.nbytes)
    reader, drawn = SlotReader(), random.Random(4)
    reader.attach(stage.region)
    for _ in range(4):
        book = LeaseBook()
        book.attach(stage.region)
        ours, theirs = link_pair()
        link = Link(ours, "ingest").open()
        ingest = stage.start("make-views", theirs.fileno())
        theirs.close()
        held: list[View] = []
        taken = 0
        end = time.monotonic() + 20
        while taken < 3_000 and time.monotonic() < end:
            received = link.receive_nowait()
            if received is None:
                if held:
                    book.give_back(held.pop(0).lease)
                continue
            assert isinstance(received[0], ViewReady)
            view = received[0].views[0]
            assert book.take(view)
            held.append(view)
            taken += 1
            for one in held:
                pixels = set(bytes(reader.pixels(one)))
                assert reader.still_leased(one)
                assert pixels == {one.frame.index % 251}
            if len(held) == slots - 1 or drawn.random() < 0.5:
                gone = held.pop(drawn.randrange(len(held)))
                book.give_back(gone.lease)
        assert taken == 3_000
        stage.kill(ingest)
        for one in held:
            assert set(bytes(reader.pixels(one))) == {one.frame.index % 251}, "a lease outlives its maker"
        link.close()
        allocator = SlotAllocator(stage.region)
        allocator.reclaim(book.held(["shared"]))
        assert allocator.statistics().leased == len(held)
        for _ in range(slots - len(held)):
            assert allocator.acquire_nowait() is not None
        assert allocator.acquire_nowait() is None
        allocator.reclaim(())
        for one in held:
            with pytest.raises(LeaseLost):
                reader.pixels(one)


def test_a_link_to_a_killed_process_gives_out_what_was_sent_and_closes(stages: list[Stage]) -> None:
    stage = Stage(4096)
    stages.append(stage)
    ours, theirs = link_pair()
    link = Link(ours, "flooder").open()
    flooder = stage.start("flood", fd=theirs.fileno())
    theirs.close()
    got: list[int] = []

    def take() -> bool:
        """One more message; False while there is none."""
        received = link.receive_nowait()
        if received is None:
            return False
        assert isinstance(received[0], Heartbeat)
        got.append(received[0].at_ns)
        return True

    for _ in range(2_000):
        wait_until(take)
    link.send_nowait(Ready())
    stage.kill(flooder)
    with pytest.raises(LinkClosed):
        take_all(take)
    assert len(got) > 2_000, "what it sent before it was killed is there yet"
    assert got == list(range(len(got))), "in order, none lost"
    assert not link.send_nowait(Notice(view_of(None, 1).frame, False))
    link.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))

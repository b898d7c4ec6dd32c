"""A cell always shows the last value written whole, at every store of the next one and after its writer was killed."""

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.framebus import cell
from penstock.framebus.cell import LatestCell, cell_bytes

CAPACITY = 64


class Killed(Exception):
    """The writer was killed here."""


class FusedMemory:
    """Memory whose writer dies in its `fuse`-th store, of which a part still happens."""

    def __init__(self, real: memoryview, check: Any) -> None:
        self.real = real
        self.fuse = -1
        self.part = 0.0
        self._check = check

    def __setitem__(self, key: slice, value: bytes) -> None:
        self._check()
        if self.fuse == 0:
            part = int(len(value) * self.part)
            self.real[key.start : key.start + part] = value[:part]
            raise Killed
        self.fuse -= self.fuse > 0
        self.real[key] = value


class FusedHeader:
    size = cell._HEADER.size

    def pack_into(self, memory: FusedMemory, at: int, *values: int) -> None:
        memory[at : at + self.size] = struct.pack("<QQQ", *values)

    def unpack_from(self, memory: memoryview, at: int) -> tuple[Any, ...]:
        found: tuple[Any, ...] = struct.unpack_from("<QQQ", memory, at)
        return found


@settings(max_examples=200, deadline=None)
@given(
    writes=st.lists(
        st.tuples(st.binary(max_size=CAPACITY), st.sampled_from([-1, -1, 0, 1, 2]), st.sampled_from([0.0, 0.5, 1.0])),
        max_size=20,
    )
)
def test_the_last_whole_value_is_there_at_any_time(writes: list[tuple[bytes, int, float]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cell, "_HEADER", FusedHeader())
        memory = memoryview(bytearray(cell_bytes(CAPACITY)))
        reader = LatestCell(memory)
        last: list[bytes | None] = [None]

        def check() -> None:
            assert reader.read() == last[0]

        for value, fuse, part in writes:
            writer = LatestCell(memory)
            fused = FusedMemory(memory, check)
            fused.fuse, fused.part = fuse, part
            writer._memory = fused  # type: ignore[assignment]
            try:
                writer.write(value)
                last[0] = value
            except Killed:
                pass
            check()


def test_a_value_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    one = LatestCell(memoryview(bytearray(cell_bytes(CAPACITY))))
    assert one.capacity_bytes == CAPACITY
    one.write(b"x" * CAPACITY)
    with pytest.raises(ValueError, match="65 bytes does not fit into 64"):
        one.write(b"y" * (CAPACITY + 1))
    assert one.read() == b"x" * CAPACITY


def test_damage_is_not_shown() -> None:
    memory = memoryview(bytearray(cell_bytes(CAPACITY)))
    one = LatestCell(memory)
    one.write(b"a value")
    memory[bytes(memory).index(b"value")] ^= 1
    assert one.read() is None

"""Memory that outlives its writer: zero at first, its size for good, found by descriptor or by name."""

import mmap
import os

import pytest

from penstock.contracts.messages import RegionHandle
from penstock.framebus.regions import HeapRegions, MemfdRegions


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_a_memfd_is_mapped_twice_and_leaves_nothing() -> None:
    before = descriptors()
    regions = MemfdRegions()
    made = regions.create("spec", 8192)
    assert made.handle == RegionHandle("spec", 8192, shared=True)
    assert bytes(made.memory) == bytes(8192)
    assert made.fd is not None
    opened = regions.open(made.handle, os.dup(made.fd))
    assert opened.fd is None, "the descriptor was taken over and is not needed any more"
    made.memory[5] = 9
    assert opened.memory[5] == 9
    opened.close()
    made.close()
    assert descriptors() == before


def test_nobody_can_cut_a_memfd_off_under_another() -> None:
    made = MemfdRegions().create("ring", 8192)
    assert made.fd is not None
    with pytest.raises(PermissionError):
        os.ftruncate(made.fd, 4096)
    with pytest.raises(PermissionError):
        os.ftruncate(made.fd, 16384)
    made.close()


def test_a_region_in_use_can_be_closed() -> None:
    made = MemfdRegions().create("pool", mmap.PAGESIZE)
    slot = made.memory[16:32]
    made.close()
    assert bytes(slot) == bytes(16), "whoever holds a part keeps it"


def test_a_shared_region_needs_its_descriptor() -> None:
    with pytest.raises(ValueError, match="region ring came without its descriptor"):
        MemfdRegions().open(RegionHandle("ring", 4096, shared=True), None)


def test_plain_memory_is_found_by_name() -> None:
    regions = HeapRegions()
    made = regions.create("pool", 4096)
    made.memory[0] = 1
    opened = regions.open(made.handle, None)
    assert opened.memory[0] == 1
    assert opened.fd is None
    assert made.handle == RegionHandle("pool", 4096, shared=False)
    opened.close()
    assert made.memory[0] == 1
    with pytest.raises(KeyError):
        regions.open(RegionHandle("another", 4096, shared=False), None)

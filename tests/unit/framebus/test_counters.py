"""Counters are words in memory that outlives their writer."""

from penstock.framebus.counters import WORD_BYTES, CounterBlock
from penstock.framebus.regions import HeapRegions, MemfdRegions


def test_a_successor_goes_on_where_the_last_writer_stopped() -> None:
    region = HeapRegions().create("units", 4 * WORD_BYTES)
    first = CounterBlock(region.memory, 4)
    first.add(1)
    first.add(1, 2**40)
    first.set(3, 2**64 - 1)
    second = CounterBlock(region.memory, 4)
    second.add(1)
    assert second.values() == first.values() == [0, 2**40 + 2, 0, 2**64 - 1]
    assert len(second) == 4
    assert second[1] == 2**40 + 2


def test_both_sides_of_shared_memory_see_the_same_words() -> None:
    import os

    regions = MemfdRegions()
    ours = regions.create("units", 2 * WORD_BYTES)
    assert ours.fd is not None
    theirs = regions.open(ours.handle, os.dup(ours.fd))
    CounterBlock(ours.memory, 2).add(0, 7)
    assert CounterBlock(theirs.memory, 2)[0] == 7
    theirs.close()
    ours.close()
    assert ours.fd is None

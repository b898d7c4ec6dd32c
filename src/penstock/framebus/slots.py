"""Frame slots leased from a pool: one allocator writes pixels, one holder gives them back, readers check.

Each slot has two words. `leased` is written only by the allocator (ingest) and counts the leases of the slot;
`returned` names the last lease given back. It is written by the holder (the engine), and by the allocator only for
leases that no living holder has: never handed on, or a dead holder's. The slot is free when both are equal: no lock,
no atomics, and a dead process on either side costs its leases and nothing more, because its successor can tell from
the two words, and from what the other side still holds, which slots are free.
"""

import struct
from collections.abc import Iterable

import msgspec

from penstock.contracts.frames import Lease, View
from penstock.contracts.messages import RegionHandle
from penstock.contracts.views import LeaseLost
from penstock.framebus.regions import Region

_HEADER = struct.Struct("<QQ")
_HEADER_BYTES = 64
_ALIGNMENT = 4096


def pool_bytes(slots: int, slot_bytes: int) -> int:
    """Size of the region that a pool of `slots` slots needs; untouched pages cost nothing."""
    return _data_offset(slots) + slots * _aligned(slot_bytes)


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _data_offset(slots: int) -> int:
    return _aligned(_HEADER_BYTES + 16 * slots)


def format_pool(region: Region, slots: int, slot_bytes: int) -> None:
    """Writes the pool's header; done once, by whoever made the region."""
    _HEADER.pack_into(region.memory, 0, slots, _aligned(slot_bytes))


class _Pool:
    """The words and bytes of a pool, shared by its three users."""

    def __init__(self, region: Region) -> None:
        self.name = region.handle.name
        slots, slot_bytes = _HEADER.unpack_from(region.memory, 0)
        self.slots: int = slots
        self.slot_bytes: int = slot_bytes
        words = region.memory[_HEADER_BYTES : _HEADER_BYTES + 16 * self.slots].cast("Q")
        self.words = words
        self._memory = region.memory
        self._offset = _data_offset(self.slots)

    def bytes_of(self, slot: int) -> memoryview:
        start = self._offset + slot * self.slot_bytes
        return self._memory[start : start + self.slot_bytes]

    def is_leased(self, lease: Lease) -> bool:
        if not 0 <= lease.slot < self.slots:
            return False
        leased, returned = self.words[2 * lease.slot], self.words[2 * lease.slot + 1]
        return leased == lease.generation and returned != lease.generation


class PoolStatistics(msgspec.Struct, frozen=True):
    """Cumulative, but for `leased`, which is now."""

    slots: int
    leased: int
    granted: int
    refused: int
    reclaimed: int


class SlotAllocator:
    """Ingest's side: takes free slots, and takes back those of holders that died."""

    def __init__(self, region: Region) -> None:
        self._pool = _Pool(region)
        self._next = 0
        self._granted = 0
        self._refused = 0
        self._reclaimed = 0

    @property
    def slot_bytes(self) -> int:
        return self._pool.slot_bytes

    def acquire_nowait(self) -> tuple[Lease, memoryview] | None:
        """A lease and its writable bytes; None, counted as refused, where every slot is leased."""
        pool = self._pool
        for step in range(pool.slots):
            slot = (self._next + step) % pool.slots
            leased = pool.words[2 * slot]
            if pool.words[2 * slot + 1] == leased:
                self._next = (slot + 1) % pool.slots
                pool.words[2 * slot] = leased + 1
                self._granted += 1
                return Lease(pool.name, slot, leased + 1), pool.bytes_of(slot)
        self._refused += 1
        return None

    def is_leased(self, lease: Lease) -> bool:
        """Whether a lease handed on earlier is still out, so that its pixels may serve another consumer."""
        return self._pool.is_leased(lease)

    def abandon(self, lease: Lease) -> None:
        """Takes back a lease that was never handed on."""
        if self._pool.is_leased(lease):
            self._pool.words[2 * lease.slot + 1] = lease.generation

    def reclaim(self, held: Iterable[Lease]) -> int:
        """Frees every slot but those in `held`; returns how many. For a holder, or a self, that died."""
        pool = self._pool
        kept = {lease.slot for lease in held if lease.pool == pool.name and pool.is_leased(lease)}
        freed = 0
        for slot in range(pool.slots):
            if slot not in kept and pool.words[2 * slot + 1] != pool.words[2 * slot]:
                pool.words[2 * slot + 1] = pool.words[2 * slot]
                freed += 1
        self._reclaimed += freed
        return freed

    def statistics(self) -> PoolStatistics:
        pool = self._pool
        leased = sum(pool.words[2 * slot] != pool.words[2 * slot + 1] for slot in range(pool.slots))
        return PoolStatistics(pool.slots, leased, self._granted, self._refused, self._reclaimed)


class LeaseBook:
    """The engine's side: which leases it holds, over all pools, and giving them back."""

    def __init__(self) -> None:
        self._pools: dict[str, _Pool] = {}
        self._held: dict[tuple[str, int], tuple[Lease, int]] = {}

    def attach(self, region: Region) -> None:
        self._pools[region.handle.name] = _Pool(region)

    def take(self, view: View) -> bool:
        """Notes a lease that arrived; False where it has been returned or reclaimed in the meantime.

        A view that serves several lanes comes once for each: it is returned when the last has done with it.
        """
        lease = view.lease
        pool = self._pools.get(lease.pool)
        if pool is None or not pool.is_leased(lease):
            return False
        held = self._held.get((lease.pool, lease.slot))
        users = held[1] if held is not None and held[0] == lease else 0
        self._held[lease.pool, lease.slot] = (lease, users + 1)
        return True

    def give_back(self, lease: Lease) -> None:
        """One user less; the last returns the lease. One that is no longer held is left alone."""
        held = self._held.get((lease.pool, lease.slot))
        if held is None or held[0] != lease:
            return
        if held[1] > 1:
            self._held[lease.pool, lease.slot] = (lease, held[1] - 1)
            return
        del self._held[lease.pool, lease.slot]
        pool = self._pools[lease.pool]
        if pool.is_leased(lease):
            pool.words[2 * lease.slot + 1] = lease.generation

    def held(self, pools: Iterable[str]) -> tuple[Lease, ...]:
        wanted = set(pools)
        return tuple(lease for lease, _ in self._held.values() if lease.pool in wanted)

    def __len__(self) -> int:
        return len(self._held)


class SlotReader:
    """An executor's side: reads leased pixels, and can tell when a lease is gone."""

    def __init__(self) -> None:
        self._pools: dict[str, _Pool] = {}

    def attach(self, region: Region) -> None:
        self._pools[region.handle.name] = _Pool(region)

    def knows(self, handle: RegionHandle) -> bool:
        return handle.name in self._pools

    def pixels(self, view: View) -> memoryview:
        """The first plane's bytes, read-only, without a copy; raises LeaseLost."""
        pool = self._pools.get(view.lease.pool)
        if pool is None or not pool.is_leased(view.lease):
            raise LeaseLost(f"slot {view.lease.slot} of {view.lease.pool} is no longer leased for this frame")
        plane = view.planes[0]
        end = plane.offset_bytes + plane.stride_bytes * plane.height_px
        return pool.bytes_of(view.lease.slot)[plane.offset_bytes : end].toreadonly()

    def still_leased(self, view: View) -> bool:
        pool = self._pools.get(view.lease.pool)
        return pool is not None and pool.is_leased(view.lease)

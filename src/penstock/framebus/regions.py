"""Memory that outlives the process that writes it: memfd between processes, heap within one.

memfd is passed by descriptor: it needs no `/dev/shm` space, leaves no name behind, and is freed when its last
holder ends. (`multiprocessing.shared_memory` on 3.11 is unlinked by any reader that exits.) Pages cost memory only
once they are touched, so regions may be sized generously.
"""

import fcntl
import mmap
import os
from typing import Protocol

from penstock.contracts.messages import RegionHandle


class Region(Protocol):
    """A writable block of bytes, zero at first."""

    @property
    def handle(self) -> RegionHandle: ...

    @property
    def memory(self) -> memoryview: ...

    @property
    def fd(self) -> int | None:
        """The descriptor to hand to another process; None where the region stays in this one."""
        ...

    def close(self) -> None: ...


class Regions(Protocol):
    """Makes regions, and opens those that somebody else made."""

    def create(self, name: str, size_bytes: int) -> Region: ...

    def open(self, handle: RegionHandle, fd: int | None) -> Region:
        """Maps a region lent by its owner; takes over `fd`."""
        ...


class MemfdRegion:
    """A memfd mapped into this process; its size is sealed, so no holder can truncate it under another."""

    def __init__(self, handle: RegionHandle, fd: int | None, mapping: mmap.mmap) -> None:
        self.handle = handle
        self.fd = fd
        self._mapping = mapping
        self.memory = memoryview(mapping)

    def close(self) -> None:
        self.memory.release()
        try:
            self._mapping.close()
        except BufferError:
            # Somebody still holds a view of a slot; the mapping goes when that view does.
            pass
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


class MemfdRegions:
    """Regions in shared memory, for processes."""

    def create(self, name: str, size_bytes: int) -> MemfdRegion:
        fd = os.memfd_create(f"penstock:{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, size_bytes)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        return MemfdRegion(RegionHandle(name, size_bytes, shared=True), fd, mmap.mmap(fd, size_bytes))

    def open(self, handle: RegionHandle, fd: int | None) -> MemfdRegion:
        if fd is None:
            raise ValueError(f"region {handle.name} came without its descriptor")
        mapping = mmap.mmap(fd, handle.size_bytes)
        os.close(fd)
        return MemfdRegion(handle, None, mapping)


class HeapRegion:
    """Plain memory with the same shape."""

    fd: int | None = None

    def __init__(self, handle: RegionHandle, block: mmap.mmap) -> None:
        self.handle = handle
        self.memory = memoryview(block)

    def close(self) -> None:
        """Nothing to give back: the block goes with its last holder."""


class HeapRegions:
    """Regions within one process, found by name: for threads, tests and embedding."""

    def __init__(self) -> None:
        self._blocks: dict[str, mmap.mmap] = {}

    def create(self, name: str, size_bytes: int) -> HeapRegion:
        # An anonymous private mapping: zeroed lazily, as a memfd is, where a bytearray would touch every page.
        self._blocks[name] = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        return self.open(RegionHandle(name, size_bytes, shared=False), None)

    def open(self, handle: RegionHandle, fd: int | None) -> HeapRegion:
        del fd
        return HeapRegion(handle, self._blocks[handle.name])

"""Counting in memory that may outlive the counter."""

from typing import Protocol


class Counters(Protocol):
    """A row of unsigned 64-bit numbers with one writer."""

    def add(self, index: int, amount: int = 1) -> None: ...

    def set(self, index: int, value: int) -> None: ...

    def __getitem__(self, index: int) -> int: ...

    def __len__(self) -> int: ...

"""A queue between two threads whose bound is mandatory and whose overflow is counted.

The bound is an argument without a default: an unbounded queue turns overload into latency (after trio's
channels). Overflow refuses the new item; what that means is the caller's decision, named in the bounds table.
"""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """What a queue has seen: cumulative counts and the present length."""

    accepted: int
    refused: int
    length: int
    bound: int


class BoundedQueue(Generic[T]):
    """First in, first out, at most `bound` items; safe between threads."""

    def __init__(self, bound: int) -> None:
        if bound < 1:
            raise ValueError(f"bound must be at least 1, not {bound}")
        self._bound = bound
        self._items: deque[T] = deque()
        self._ready = threading.Condition()
        self._accepted = 0
        self._refused = 0
        self._closed = False

    def put_nowait(self, item: T) -> bool:
        """Appends `item`; returns False, and counts it as refused, where the queue is full or closed."""
        with self._ready:
            if self._closed or len(self._items) >= self._bound:
                self._refused += 1
                return False
            self._items.append(item)
            self._accepted += 1
            self._ready.notify()
            return True

    def wait_get(self, timeout_s: float) -> T | None:
        """Waits up to `timeout_s` for the oldest item; None when none came or the queue is closed and empty."""
        with self._ready:
            self._ready.wait_for(lambda: self._items or self._closed, timeout_s)
            return self._items.popleft() if self._items else None

    def get_nowait(self) -> T | None:
        """The oldest item, or None."""
        with self._ready:
            return self._items.popleft() if self._items else None

    def close(self) -> None:
        """Refuses new items and wakes whoever waits; what is queued can still be taken."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def statistics(self) -> QueueStatistics:
        with self._ready:
            return QueueStatistics(self._accepted, self._refused, len(self._items), self._bound)

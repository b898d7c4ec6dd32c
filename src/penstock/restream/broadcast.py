"""One publisher, many subscribers: nobody waits for anybody, and who cannot keep up goes on at a keyframe.

Safe between threads: a subscriber's `wake` is called in the publisher's thread and must not block. Each subscriber's
queue holds at most `QUEUE_NS` of media; on overflow it forgets up to the next keyframe and counts what it forgot.

A new description takes effect for the units after it. While the codec stays the same subscribers go on, since
parameter sets and JPEG headers travel with every keyframe; with another codec their subscriptions end, because what
was agreed with the client (payload type, SDP) no longer holds.
"""

import threading
from collections import deque
from collections.abc import Callable

import msgspec

from penstock.restream.media import MediaDescription, MediaUnit

QUEUE_NS = 2_000_000_000
"""media that a subscriber's queue may hold"""
QUEUE_UNITS = 512
"""bound where media time stands still"""
CACHE_UNITS = 2048
CACHE_BYTES = 32 * 1024 * 1024
"""a GOP larger than this is not kept"""


class BroadcastStatistics(msgspec.Struct, frozen=True):
    """Cumulative, apart from `subscribers` and `cached_*`."""

    published: int
    subscribers: int
    dropped: int
    """units that subscribers forgot, all together"""
    skips: int
    """how often a subscriber skipped to a keyframe"""
    descriptions: int
    cached_units: int
    cached_bytes: int
    uncached_gops: int
    """GOPs too large to be kept"""


class SubscriptionStatistics(msgspec.Struct, frozen=True):
    taken: int
    dropped: int
    skips: int
    queued: int


class Subscription:
    """One subscriber's bounded queue; made by `Broadcast.subscribe`."""

    def __init__(self, wake: Callable[[], None], lock: threading.Lock) -> None:
        self._wake = wake
        self._lock = lock
        self._burst: deque[tuple[MediaDescription, MediaUnit]] = deque()
        self._queue: deque[tuple[MediaDescription, MediaUnit]] = deque()
        self._started = False
        self._taken = 0
        self._dropped = 0
        self._skips = 0
        self._ended = ""

    @property
    def ended(self) -> str:
        """Why nothing more will come; empty while it goes on."""
        return self._ended

    def take_nowait(self) -> tuple[MediaDescription, MediaUnit] | None:
        """The oldest unit with the description that holds for it; None where there is none."""
        with self._lock:
            queue = self._burst or self._queue
            if not queue:
                return None
            self._taken += 1
            return queue.popleft()

    def peek_nowait(self) -> MediaUnit | None:
        """The unit that `take_nowait` would give."""
        with self._lock:
            queue = self._burst or self._queue
            return queue[0][1] if queue else None

    def statistics(self) -> SubscriptionStatistics:
        with self._lock:
            return SubscriptionStatistics(self._taken, self._dropped, self._skips, len(self._burst) + len(self._queue))

    def _start_with(self, gop: list[tuple[MediaDescription, MediaUnit]]) -> None:
        self._burst.extend(gop)
        self._started = bool(gop)

    def _await_keyframe(self) -> None:
        self._started = False

    def _offer(self, description: MediaDescription, unit: MediaUnit) -> tuple[int, int]:
        """Queues a unit; (units forgotten, skips made). The lock is held."""
        if not self._started:
            if not unit.keyframe:
                return 0, 0
            self._started = True
        self._queue.append((description, unit))
        if unit.pts_ns - self._queue[0][1].pts_ns <= QUEUE_NS and len(self._queue) <= QUEUE_UNITS:
            return 0, 0
        forgotten = len(self._burst)
        self._burst.clear()
        while self._queue:
            self._queue.popleft()
            forgotten += 1
            if self._queue and self._queue[0][1].keyframe:
                break
        self._started = bool(self._queue)
        self._dropped += forgotten
        self._skips += 1
        return forgotten, 1

    def _end(self, reason: str) -> None:
        self._ended = self._ended or reason
        self._burst.clear()
        self._queue.clear()


class Broadcast:
    """Hands each published unit to all subscribers and keeps the current GOP for those who come late."""

    def __init__(self, description: MediaDescription | None = None) -> None:
        self._lock = threading.Lock()
        self._description = description
        self._subscriptions: list[Subscription] = []
        self._gop: list[tuple[MediaDescription, MediaUnit]] = []
        self._gop_bytes = 0
        self._gop_kept = False
        self._published = 0
        self._dropped = 0
        self._skips = 0
        self._descriptions = 1 if description is not None else 0
        self._uncached_gops = 0

    @property
    def description(self) -> MediaDescription | None:
        """The one that holds for what is published next; None before the first."""
        return self._description

    def publish_nowait(self, item: MediaUnit | MediaDescription) -> None:
        """Hands a unit to every subscriber, or lets a new description hold from here on.

        Raises ValueError for a unit before any description.
        """
        with self._lock:
            if isinstance(item, MediaDescription):
                woken = self._describe(item)
            else:
                if self._description is None:
                    raise ValueError("a unit was published before its description: publish a MediaDescription first")
                woken = self._hand_out(self._description, item)
        for subscription in woken:
            subscription._wake()

    def subscribe(self, wake: Callable[[], None], *, cached_gop: bool = False) -> Subscription:
        """A queue that begins with the current GOP (`cached_gop`) or else with the next keyframe.

        `wake` is called after each unit and at the end, in the publisher's thread; it is not called for the burst.
        """
        with self._lock:
            subscription = Subscription(wake, self._lock)
            if cached_gop and self._gop_kept:
                subscription._start_with(self._gop)
            self._subscriptions.append(subscription)
            return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)
            subscription._end("unsubscribed")

    def statistics(self) -> BroadcastStatistics:
        with self._lock:
            return BroadcastStatistics(
                published=self._published,
                subscribers=len(self._subscriptions),
                dropped=self._dropped,
                skips=self._skips,
                descriptions=self._descriptions,
                cached_units=len(self._gop),
                cached_bytes=self._gop_bytes,
                uncached_gops=self._uncached_gops,
            )

    def _describe(self, description: MediaDescription) -> list[Subscription]:
        before, self._description = self._description, description
        if before == description:
            return []
        self._descriptions += 1
        self._forget_gop()
        if before is None or before.codec == description.codec:
            for subscription in self._subscriptions:
                subscription._await_keyframe()
            return []
        ended, self._subscriptions = self._subscriptions, []
        for subscription in ended:
            subscription._end(f"the codec changed from {before.codec} to {description.codec}")
        return ended

    def _hand_out(self, description: MediaDescription, unit: MediaUnit) -> list[Subscription]:
        self._published += 1
        if unit.keyframe:
            self._forget_gop()
            self._gop_kept = True
        if self._gop_kept:
            self._gop.append((description, unit))
            self._gop_bytes += len(unit.data)
            if self._gop_bytes > CACHE_BYTES or len(self._gop) > CACHE_UNITS:
                self._forget_gop()
                self._uncached_gops += 1
        for subscription in self._subscriptions:
            dropped, skips = subscription._offer(description, unit)
            self._dropped += dropped
            self._skips += skips
        return list(self._subscriptions)

    def _forget_gop(self) -> None:
        self._gop = []
        self._gop_bytes = 0
        self._gop_kept = False

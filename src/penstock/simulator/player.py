"""Plays a film into a broadcast as a live camera would: paced, round and round, with times that go on.

A picture is published when a real encoder could have it: when the last picture that it had to wait for was captured.
So B-frames cost their true delay, and the time of capture is that of the picture, not of its packet.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec

from penstock.base.clock import NS_PER_S, Clock
from penstock.restream.broadcast import Broadcast
from penstock.restream.media import MediaUnit
from penstock.simulator.film import Film

LATEST_NS = 2 * NS_PER_S
"""a player that is later than this goes on at a keyframe, as a camera that was held up would"""
_LONGEST_SLEEP_S = 0.5


class DueUnit(msgspec.Struct, frozen=True):
    due_ns: int
    unit: MediaUnit


class FilmTimeline:
    """Which unit is due when, counted over all loops; pure and without drift."""

    def __init__(self, film: Film, epoch_ns: int) -> None:
        self._film = film
        self._epoch_ns = epoch_ns
        self._reorder_ns = film.reorder_ns

    def unit(self, number: int) -> DueUnit:
        """The `number`th unit since the start, from 0."""
        loop, index = divmod(number, len(self._film.units))
        of = self._film.units[index]
        begin_ns = loop * self._film.duration_ns
        return DueUnit(
            self._epoch_ns + begin_ns + of.dts_ns + self._reorder_ns,
            MediaUnit(of.data, of.keyframe, begin_ns + of.pts_ns, self._epoch_ns + begin_ns + of.pts_ns),
        )


class PlayerStatistics(msgspec.Struct, frozen=True):
    published: int
    skipped: int
    """units passed over because the player was held up"""
    loops: int


class FilmPlayer:
    """One film, one broadcast, one task in the running loop. `start` and `wait_stopped` bracket it.

    The film's first picture is captured at `epoch_ns`; None means the instant of `start`.
    """

    def __init__(
        self,
        film: Film,
        broadcast: Broadcast,
        clock: Clock,
        *,
        epoch_ns: int | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._film = film
        self._broadcast = broadcast
        self._clock = clock
        self._epoch_ns = epoch_ns
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None
        self._number = 0
        self._published = 0
        self._skipped = 0

    @property
    def playing(self) -> bool:
        return self._task is not None

    def start(self) -> None:
        """Begins to play in the running loop; does nothing where it plays already."""
        if self._task is not None:
            return
        epoch_ns = self._clock.now_ns() if self._epoch_ns is None else self._epoch_ns
        self._broadcast.publish_nowait(self._film.media)
        self._number = 0
        self._task = asyncio.get_running_loop().create_task(self._play(FilmTimeline(self._film, epoch_ns)))

    async def wait_stopped(self) -> None:
        """Publishes nothing more from here on, and waits until the task has ended. A failure of it is raised."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def statistics(self) -> PlayerStatistics:
        return PlayerStatistics(self._published, self._skipped, self._number // len(self._film.units))

    async def _play(self, timeline: FilmTimeline) -> None:
        while True:
            due = timeline.unit(self._number)
            wait_ns = due.due_ns - self._clock.now_ns()
            if wait_ns > 0:
                await self._sleep(min(wait_ns / NS_PER_S, _LONGEST_SLEEP_S))
                continue
            if wait_ns < -LATEST_NS:
                self._skip_to_keyframe(timeline)
                # Also where everything is late: others get their turn.
                await self._sleep(0)
                continue
            self._broadcast.publish_nowait(due.unit)
            self._published += 1
            self._number += 1

    def _skip_to_keyframe(self, timeline: FilmTimeline) -> None:
        """Passes over what is too late, and then up to the next keyframe."""
        now_ns = self._clock.now_ns()
        while True:
            self._number += 1
            self._skipped += 1
            due = timeline.unit(self._number)
            if due.unit.keyframe and due.due_ns >= now_ns - LATEST_NS:
                return

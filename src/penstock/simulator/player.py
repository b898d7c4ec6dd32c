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

    def keyframe_from(self, number: int, begun_ns: int, wanted: Callable[[DueUnit], bool]) -> int:
        """The first keyframe that is `wanted`, not before `number` nor the loop that was under way at `begun_ns`.

        Takes as long after a year of playing as after a minute.
        """
        begun = (begun_ns - self._epoch_ns - self._reorder_ns) // self._film.duration_ns
        number = max(number, begun * len(self._film.units))
        while not ((due := self.unit(number)).unit.keyframe and wanted(due)):
            number += 1
        return number


class PlayerStatistics(msgspec.Struct, frozen=True):
    published: int
    skipped: int
    """units passed over because the player was held up"""
    loops: int


class FilmPlayer:
    """One film, one broadcast, one task in the running loop. `start` and `wait_stopped` bracket it.

    The film's first picture is captured at `epoch_ns`; None means the instant of `start`. Where another film was
    played into the broadcast before, nothing is published that was captured until `after_ns`: time never runs back.
    """

    def __init__(
        self,
        film: Film,
        broadcast: Broadcast,
        clock: Clock,
        *,
        epoch_ns: int | None = None,
        after_ns: int | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._film = film
        self._broadcast = broadcast
        self._clock = clock
        self._epoch_ns = epoch_ns
        self._after_ns = after_ns
        self._sleep = sleep
        self._task: asyncio.Task[None] | None = None
        self._number = 0
        self._published = 0
        self._skipped = 0

    @property
    def captured_ns(self) -> int | None:
        """When the latest of the published pictures was captured, those of `after_ns` included; None before any."""
        return self._after_ns

    @property
    def playing(self) -> bool:
        return self._task is not None

    def start(self) -> None:
        """Begins to play in the running loop; does nothing where it plays already."""
        if self._task is not None:
            return
        epoch_ns = self._clock.now_ns() if self._epoch_ns is None else self._epoch_ns
        self._broadcast.publish_nowait(self._film.media)
        timeline, after_ns = FilmTimeline(self._film, epoch_ns), self._after_ns
        self._number = 0
        if after_ns is not None:
            self._number = timeline.keyframe_from(0, after_ns, lambda due: due.unit.captured_ns > after_ns)
        self._task = asyncio.get_running_loop().create_task(self._play(timeline))

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
            self._after_ns = max(due.unit.captured_ns, self._after_ns or 0)
            self._published += 1
            self._number += 1

    def _skip_to_keyframe(self, timeline: FilmTimeline) -> None:
        """Passes over what is too late, and then up to the next keyframe."""
        oldest_ns = self._clock.now_ns() - LATEST_NS
        number = timeline.keyframe_from(self._number + 1, oldest_ns, lambda due: due.due_ns >= oldest_ns)
        self._skipped += number - self._number
        self._number = number

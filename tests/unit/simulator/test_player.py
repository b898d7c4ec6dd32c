"""When a film's pictures are published, to the nanosecond, on simulated time."""

import asyncio

from penstock.base.clock import NS_PER_S, SimulatedClock
from penstock.restream.broadcast import Broadcast
from penstock.restream.media import MediaDescription, MediaUnit
from penstock.simulator.film import Film, FilmUnit
from penstock.simulator.player import FilmPlayer, FilmTimeline

MS = 1_000_000
MEDIA = MediaDescription("h264", 16, 16, 25.0)
# I B P as shown 0 40 80, in decode order I P B: the encoder has P, and so B, only at 80.
FILM = Film(
    MEDIA,
    (
        FilmUnit(b"I", True, 0, -40 * MS),
        FilmUnit(b"P", False, 80 * MS, 0),
        FilmUnit(b"B", False, 40 * MS, 40 * MS),
    ),
    120 * MS,
)


def test_units_fall_due_when_an_encoder_could_have_them_and_times_go_on_across_loops() -> None:
    timeline = FilmTimeline(FILM, 1000 * MS)
    seen = [timeline.unit(number) for number in range(7)]
    assert FILM.reorder_ns == 80 * MS
    assert [one.due_ns // MS for one in seen] == [1040, 1080, 1120, 1160, 1200, 1240, 1280]
    assert [one.unit.pts_ns // MS for one in seen] == [0, 80, 40, 120, 200, 160, 240]
    assert [one.unit.captured_ns // MS for one in seen] == [1000, 1080, 1040, 1120, 1200, 1160, 1240]
    assert all(one.due_ns >= one.unit.captured_ns for one in seen)
    assert [one.unit.keyframe for one in seen] == [True, False, False] * 2 + [True]


class Watched(Broadcast):
    """Notes the instant of every publication, and ends the play after some."""

    def __init__(self, clock: SimulatedClock, stop_after: int) -> None:
        super().__init__()
        self._clock = clock
        self._stop_after = stop_after
        self.published: list[tuple[int, int]] = []
        self.enough = asyncio.Event()

    def publish_nowait(self, item: MediaUnit | MediaDescription) -> None:
        super().publish_nowait(item)
        if isinstance(item, MediaUnit):
            self.published.append((self._clock.now_ns() // MS, item.pts_ns // MS))
            if len(self.published) == self._stop_after:
                self.enough.set()


def played(clock: SimulatedClock, stop_after: int, held_up_s: float = 0.0) -> tuple[Watched, FilmPlayer]:
    async def run() -> tuple[Watched, FilmPlayer]:
        held_up = held_up_s

        async def sleep(seconds: float) -> None:
            nonlocal held_up
            clock.advance(round(seconds * NS_PER_S))
            if len(broadcast.published) == 3:
                clock.advance(round(held_up * NS_PER_S))
                held_up = 0
            await asyncio.sleep(0)

        broadcast = Watched(clock, stop_after)
        player = FilmPlayer(FILM, broadcast, clock, sleep=sleep)
        player.start()
        before = player.playing
        await broadcast.enough.wait()
        await player.wait_stopped()
        assert (before, player.playing) == (True, False)
        return broadcast, player

    return asyncio.run(run())


def test_the_player_publishes_at_exactly_these_instants() -> None:
    clock = SimulatedClock(1000 * MS)
    broadcast, player = played(clock, 7)
    assert broadcast.published[:7] == [
        (1040, 0), (1080, 80), (1120, 40), (1160, 120), (1200, 200), (1240, 160), (1280, 240),
    ]  # fmt: skip
    assert player.statistics().skipped == 0
    assert broadcast.description == MEDIA


def test_a_player_that_was_held_up_catches_up_or_goes_on_at_a_keyframe() -> None:
    little, player = played(SimulatedClock(0), 12, held_up_s=1.0)
    assert player.statistics().skipped == 0
    assert [at for at, _ in little.published[3:8]] == [1160] * 5

    much, player = played(SimulatedClock(0), 12, held_up_s=60.0)
    assert player.statistics().skipped > 0
    at_ms, pts_ms = much.published[3]
    # No more than two seconds late, at a keyframe, and on the same time line as before.
    assert (at_ms, pts_ms % 120) == (60_160, 0)
    assert 0 <= at_ms - (pts_ms + 40) <= 2000

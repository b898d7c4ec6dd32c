"""Holds grants and decode policies against small and short changes of what is computed: down at once, up after a time.

A grant that is too high means queues and late results, so it falls as soon as it is clearly too high; one that is too
low only means less, so it rises when there has been room for a while. What is clearly, and how long, are settings. When
a grant does move, it goes all the way to what is computed then: there are no steps in between to be seen.

Lanes of one priority that are short of the same thing share a level. Each lane decides by itself, from its own grant
and its own computed one; equal lanes therefore move together. A lane that is new among them takes their level rather
than the computed one, and lanes that came together from different levels are put on one as soon as none of them waits.
"""

from collections.abc import Iterable, Mapping

from penstock.contracts.specs import DecodePolicy
from penstock.scheduling.allocation import LaneShare
from penstock.scheduling.decode_ladder import Ladder
from penstock.scheduling.picture import LaneDemand
from penstock.scheduling.planner_settings import PlannerSettings
from penstock.scheduling.shares import INFINITE


class _Held:
    """What one lane has, and since when more has been computed for it."""

    __slots__ = ("level", "rising_ns", "share", "wanted_fps")

    def __init__(self, share: LaneShare, wanted_fps: float) -> None:
        self.share = share
        self.level = share.level
        self.rising_ns: int | None = None
        self.wanted_fps = wanted_fps


class LaneHold:
    """The grants of all lanes between one plan and the next."""

    def __init__(self, settings: PlannerSettings) -> None:
        self._settings = settings
        self._held: dict[str, _Held] = {}

    def update(
        self, lanes: Iterable[LaneDemand], computed: Mapping[str, LaneShare], now_ns: int
    ) -> dict[str, LaneShare]:
        """The grants to hold from now on. Lanes that are not named any more are forgotten."""
        held: dict[str, _Held] = {}
        groups: dict[tuple[bool, int, str, float], list[LaneDemand]] = {}
        new = set()
        for lane in lanes:
            share = computed[lane.lane]
            one = self._held.get(lane.lane)
            if one is None:
                one = _Held(share, lane.wanted_fps)
                new.add(lane.lane)
            else:
                self._decide(one, share, lane, now_ns)
            held[lane.lane] = one
            if 0 < share.fps < lane.wanted_fps:
                groups.setdefault((lane.shadow, lane.priority, share.limited_by, share.level), []).append(lane)
        for (_, _, resource, level), members in groups.items():
            self._agree(members, held, new, resource, level)
        self._held = held
        return {lane: one.share for lane, one in held.items()}

    def _decide(self, one: _Held, share: LaneShare, lane: LaneDemand, now_ns: int) -> None:
        had = one.share.fps
        if lane.wanted_fps != one.wanted_fps:
            # Configured anew: that is no change of load.
            one.share, one.level, one.rising_ns, one.wanted_fps = share, share.level, None, lane.wanted_fps
        elif share.fps < had * (1 - self._settings.down_band) or 0 < had < lane.floor_fps <= share.fps:
            one.share, one.level, one.rising_ns = share, share.level, None
        elif share.fps > had * (1 + self._settings.up_band) or had < share.fps >= lane.wanted_fps:
            if one.rising_ns is None:
                one.rising_ns = now_ns
            if now_ns - one.rising_ns >= self._settings.hold_ns:
                one.share, one.level, one.rising_ns = share, share.level, None
        else:
            one.rising_ns = None

    @staticmethod
    def _agree(
        members: list[LaneDemand], held: Mapping[str, _Held], new: set[str], resource: str, level: float
    ) -> None:
        """Puts the lanes of one computed level on one level, that of those who were there before where they agree."""
        levels = {
            one.level for lane in members if lane.lane not in new and 0 < (one := held[lane.lane]).level < INFINITE
        }
        if len(levels) == 1:
            level = levels.pop()
        elif not levels or any(held[lane.lane].rising_ns is not None for lane in members):
            return
        for lane in members:
            one = held[lane.lane]
            # Those at infinity have all they want, within the band.
            if one.level in (level, 0.0, INFINITE) or one.rising_ns is not None:
                continue
            fps = min(max(lane.weight * level, lane.floor_fps), lane.wanted_fps)
            one.share, one.level = LaneShare(fps, resource if fps < lane.wanted_fps else "", level), level


class DecodeHold:
    """The decode policies of all cameras between one plan and the next: a higher one is taken after the hold."""

    def __init__(self, settings: PlannerSettings) -> None:
        self._settings = settings
        self._held: dict[str, DecodePolicy] = {}
        self._rising_ns: dict[str, int] = {}

    @property
    def held(self) -> dict[str, DecodePolicy]:
        return self._held

    def update(
        self, computed: Mapping[str, DecodePolicy], ladders: Mapping[str, Ladder], now_ns: int
    ) -> dict[str, DecodePolicy]:
        """The policies to hold from now on."""
        held = {}
        rising_ns = {}
        for camera, policy in computed.items():
            had = self._held.get(camera, policy)
            one = ladders[camera]
            if one.index(policy) < one.index(had):
                since_ns = self._rising_ns.get(camera, now_ns)
                if now_ns - since_ns < self._settings.hold_ns:
                    rising_ns[camera] = since_ns
                    policy = had  # noqa: PLW2901
            held[camera] = policy
        self._held, self._rising_ns = held, rising_ns
        return held

"""Gives every packet a decode time below its presentation time, whatever the camera said, and keeps true durations.

A muxer needs decode times that strictly increase and never exceed presentation times. Over RTSP the first
presentation times and all decode times may be missing, equal, or jump. So decode times are made anew, from the
presentation times alone, with a look-ahead of more pictures than any decoder may reorder (16 in H.264 and HEVC,
ITU-T H.264 table A-1 and H.265 A.4):

- the regular choice is the sorted presentation times, delayed by the reordering seen or declared, as an encoder does;
- it is bounded by `min over the next packets j of pts[j] − (j − i)`, the largest sequence that strictly increases and
  stays at or below every presentation time to come; so a stream that reorders more than it declared stays playable.

The first picture shown is at 0. With reordering the first decode times are below it, as the muxer expects: it turns
them into an edit list, and no player shows a delay.

Presentation times that contradict the capture times (a wrap, a reset clock) are re-anchored: the picture goes where
its capture time puts it.
"""

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

LOOK_AHEAD = 17
_FINE_TICKS_PER_S = 10_000
_FALLBACK_FPS = 25.0


@dataclass(frozen=True, slots=True)
class Timing:
    """What a packet says of its times: `pts`, `dts`, `duration` in stream ticks (0: unknown), capture in ns."""

    pts: int | None
    dts: int | None
    duration: int
    capture_ns: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """Times for the muxer, in ticks of `Timeline.time_base`."""

    pts: int
    dts: int
    duration: int


def fine_time_base(time_base: tuple[int, int]) -> Fraction:
    """`time_base`, divided until a tick is at most 0.1 ms: decode times need room between two pictures."""
    base = Fraction(*time_base) if time_base[0] > 0 and time_base[1] > 0 else Fraction(1, 90_000)
    return base / max(1, -(-_FINE_TICKS_PER_S * base.numerator // base.denominator))


class Timeline:
    """Stamps the packets of one part, in decode order, as they come; `LOOK_AHEAD` packets behind."""

    def __init__(self, time_base: tuple[int, int], reorder_frames: int = 0, fps: float = 0.0) -> None:
        self.time_base = fine_time_base(time_base)
        self.repaired = 0
        """packets whose presentation time could not be kept"""
        self.end_pts = 0
        """when the last picture shown so far ends; the first is at 0"""
        given = Fraction(*time_base) if time_base[0] > 0 and time_base[1] > 0 else self.time_base
        self._scale = int(given / self.time_base)
        self._declared = min(max(reorder_frames, 0), LOOK_AHEAD - 1)
        self._frame = max(1, round(1 / (self.time_base * Fraction(fps if fps > 0 else _FALLBACK_FPS))))
        self._previous: tuple[int, int] | None = None
        self._offset: int | None = None
        self._waiting: deque[tuple[int, int]] = deque()
        self._sorted: list[int] = []
        self._recent: deque[int] = deque(maxlen=2 * LOOK_AHEAD)
        self._delay: int | None = None
        self._before: deque[int] = deque()
        self._last_dts: int | None = None
        self._first_dts = 0
        self._start = 0

    def push(self, timing: Timing) -> list[Stamp]:
        """Takes the next packet; returns the stamps it settles: none while the look-ahead fills, then one."""
        pts = self._presentation(timing)
        duration = timing.duration * self._scale
        self._waiting.append((pts, duration if duration > 0 else 0))
        heapq.heappush(self._sorted, pts)
        if len(self._waiting) <= LOOK_AHEAD:
            return []
        return [self._settle()]

    def flush(self) -> list[Stamp]:
        """No packet follows: the stamps of all that wait.

        The last one's duration makes decode times span as long as presentation times: a muxer takes a track's length
        from decode times, and pictures missing at the end (the clip was cut among B-frames) would shorten it.
        """
        stamps = [self._settle() for _ in range(len(self._waiting))]
        if stamps:
            last = stamps[-1]
            stamps[-1] = Stamp(last.pts, last.dts, max(last.duration, self.end_pts + self._first_dts - last.dts))
        return stamps

    def _ticks(self, ns: int) -> int:
        return round(Fraction(ns, 1_000_000_000) / self.time_base)

    def _presentation(self, timing: Timing) -> int:
        given = timing.pts if timing.pts is not None else timing.dts
        elapsed = 0
        if self._previous is None:
            predicted = 0
        else:
            elapsed = self._ticks(timing.capture_ns - self._previous[1])
            predicted = self._previous[0] + (elapsed if elapsed > 0 else self._frame)
        if given is None:
            pts = predicted
        elif self._offset is None or self._previous is None:
            pts = predicted
            self._offset = predicted - given * self._scale
        else:
            pts = given * self._scale + self._offset
            tolerated = max(self._ticks(1_000_000_000), (LOOK_AHEAD + 1) * self._frame)
            if abs(pts - self._previous[0] - elapsed) > tolerated:
                self.repaired += 1
                self._offset += predicted - pts
                pts = predicted
        while pts in self._recent:
            pts += 1
            self.repaired += 1
        self._recent.append(pts)
        self._previous = (pts, timing.capture_ns)
        return pts

    def _begin(self) -> int:
        """Chooses the delay of decode times from the first pictures, and the shift by which the first shown is at 0."""
        order = sorted(pts for pts, _ in self._waiting)
        rank = {pts: i for i, pts in enumerate(order)}
        seen = max((i - rank[pts] for i, (pts, _) in enumerate(self._waiting)), default=0)
        delay = min(max(self._declared, seen), LOOK_AHEAD - 1)
        steps = sorted(b - a for a, b in pairwise(order))
        step = steps[len(steps) // 2] if steps else self._frame
        self._frame = step
        first = order[0]
        self._before.extend(first - (delay - i) * step for i in range(delay))
        self._start = -first
        return delay

    def _settle(self) -> Stamp:
        if self._delay is None:
            self._delay = self._begin()
        bound = min(pts - j for j, (pts, _) in enumerate(self._waiting))
        pts, duration = self._waiting.popleft()
        regular = self._before.popleft() if self._before else heapq.heappop(self._sorted)
        dts = min(regular, bound) + self._start
        if self._last_dts is not None:
            dts = max(self._last_dts + 1, dts)
        shifted = pts + self._start
        if shifted < max(dts, 0):
            shifted = max(dts, 0)
            self.repaired += 1
        if self._last_dts is None:
            self._first_dts = dts
        self._last_dts = dts
        self.end_pts = max(self.end_pts, shifted + (duration or self._frame))
        return Stamp(shifted, dts, duration or self._frame)


def stamp_all(
    timings: Iterable[Timing], time_base: tuple[int, int], reorder_frames: int = 0, fps: float = 0.0
) -> list[Stamp]:
    """Stamps of a whole part at once: for every packet dts ≤ pts and 0 ≤ pts, and dts strictly increasing."""
    timeline = Timeline(time_base, reorder_frames, fps)
    stamps = [stamp for timing in timings for stamp in timeline.push(timing)]
    return stamps + timeline.flush()

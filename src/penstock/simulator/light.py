"""How bright a scene is at each instant of its loop: a slow drift, a cloud that passes, a lamp that goes out.

All of it is the same at the loop's end as at its beginning, and rests there.
"""

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Light:
    """Gains by instant; 1 is as painted."""

    seconds: float
    exposure: float
    """gain where nothing changes"""
    drift: float
    clouds: tuple[tuple[float, float, float], ...]
    """begin, end, depth"""
    lamp_out: tuple[float, float] | None
    lamp_depth: float

    def gain(self, at_s: float) -> float:
        """Of the whole picture."""
        gain = self.exposure + self.drift * 0.5 * (1.0 - math.cos(math.tau * at_s / self.seconds))
        for begin, end, depth in self.clouds:
            gain -= depth * _spell(at_s, begin, end, 3.5)
        return gain

    def lamp(self, at_s: float) -> float:
        """What is added to the gain where the lamp shines, 0 or less."""
        if self.lamp_out is None:
            return 0.0
        return -self.lamp_depth * _spell(at_s, *self.lamp_out, 1.2)


def some_light(chance: random.Random, seconds: float, outdoors: bool) -> Light:
    """A light by seed: clouds outdoors, a lamp indoors."""
    clouds = []
    lamp_out = None
    if outdoors:
        for part in range(int(seconds // 20)):
            begin = part * 20 + chance.uniform(3.0, 6.0)
            clouds.append((begin, begin + chance.uniform(9.0, 12.0), chance.uniform(0.05, 0.16)))
    elif chance.random() < 0.7 and seconds >= 20:
        begin = chance.uniform(4.0, seconds - 12.0)
        lamp_out = (begin, begin + chance.uniform(5.0, 8.0))
    return Light(
        seconds,
        chance.uniform(0.9, 1.22),
        chance.choice((-1, 1)) * chance.uniform(0.02, 0.06),
        tuple(clouds),
        lamp_out,
        chance.uniform(0.08, 0.15),
    )


def _spell(at_s: float, begin: float, end: float, ramp_s: float) -> float:
    """0 outside, 1 within, with smooth ramps of `ramp_s` inside the spell."""
    share = min(max(min(at_s - begin, end - at_s) / ramp_s, 0.0), 1.0)
    return share * share * (3.0 - 2.0 * share)

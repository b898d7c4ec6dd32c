"""How vehicles differ: by seed kind, size and paint."""

import random
from dataclasses import dataclass

from penstock.simulator.raster import Colour

KINDS = ("saloon", "hatchback", "estate", "van", "pickup", "lorry")
_PAINT: tuple[Colour, ...] = (
    (206, 208, 208),
    (150, 154, 158),
    (58, 60, 64),
    (34, 36, 40),
    (160, 36, 36),
    (40, 72, 134),
    (38, 92, 74),
    (190, 160, 60),
    (110, 66, 44),
    (120, 150, 170),
    (226, 224, 214),
    (200, 98, 40),
)


@dataclass(frozen=True, slots=True)
class Vehicle:
    """How one vehicle looks; metres."""

    kind: str
    length: float
    width: float
    roof: float
    belt: float
    """height of the body below the windows"""
    nose: float
    """height of the body at its very front"""
    cabin: tuple[float, float, float, float]
    """where windows and roof begin and end, as shares of the length from the tail: belt tail, roof tail, roof front,
    belt front"""
    wheel: float
    paint: Colour
    box: Colour | None
    """paint of a lorry's box or a pickup's bed"""
    panes: int
    """windows on a side"""
    shade: float


def a_vehicle(chance: random.Random, kind: str, light: float) -> Vehicle:
    """One more vehicle of `kind`, one of KINDS; raises KeyError for another."""
    length, width, roof, belt, nose, cabin, wheel, panes = {
        "saloon": (4.55, 1.8, 1.44, 0.92, 0.66, (0.1, 0.27, 0.56, 0.76), 0.33, 2),
        "hatchback": (3.9, 1.74, 1.5, 0.93, 0.7, (0.01, 0.1, 0.55, 0.77), 0.32, 2),
        "estate": (4.65, 1.85, 1.62, 1.0, 0.78, (0.0, 0.06, 0.58, 0.77), 0.36, 3),
        "van": (5.2, 2.0, 2.3, 1.2, 0.95, (0.0, 0.0, 0.73, 0.88), 0.35, 1),
        "pickup": (5.1, 1.88, 1.75, 1.02, 0.85, (0.38, 0.42, 0.6, 0.75), 0.39, 2),
        "lorry": (6.4, 2.2, 2.35, 1.3, 1.2, (0.7, 0.7, 0.93, 1.0), 0.43, 1),
    }[kind]
    grown = chance.uniform(0.94, 1.07)
    white = kind in ("van", "lorry") and chance.random() < 0.45
    paint = _varied(chance, (222, 222, 218) if white else chance.choice(_PAINT))
    return Vehicle(
        kind,
        length * grown,
        width * chance.uniform(0.97, 1.04),
        roof * chance.uniform(0.96, 1.05),
        belt,
        nose,
        cabin,
        wheel,
        paint,
        _varied(chance, chance.choice(((214, 212, 206), (190, 190, 188), *_PAINT))) if kind == "lorry" else None,
        panes,
        light * chance.uniform(0.3, 0.6),
    )


def _varied(chance: random.Random, colour: Colour) -> Colour:
    light = chance.uniform(0.88, 1.1)
    red, green, blue = (min(max(value * light + chance.uniform(-10, 10), 14), 238) for value in colour)
    return red, green, blue

"""What a setting gives to whoever draws it."""

from dataclasses import dataclass, field

from penstock.simulator.backdrop import Backdrop, Spot
from penstock.simulator.choreography import Choreography


@dataclass(slots=True)
class Screen:
    """Something fixed that hides whoever stands farther away than it: convex polygons of the picture."""

    away: float
    polygons: list[list[Spot]]


@dataclass(slots=True)
class Stage:
    """One setting by one seed."""

    choreography: Choreography
    backdrop: Backdrop
    outdoors: bool
    light: float
    """where it comes from: shading of figures, negative from the right"""
    screens: list[Screen] = field(default_factory=list)
    lamp: tuple[float, float, float] | None = None
    """middle (x, y) and radius, fractions of the picture, of the part that a lamp lights, where there is one"""

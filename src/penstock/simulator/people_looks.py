"""How people differ: by seed their build, clothes and what they carry."""

import random
from dataclasses import dataclass

from penstock.simulator.raster import Colour

_SKIN: tuple[Colour, ...] = (
    (232, 196, 172),
    (214, 170, 140),
    (188, 140, 108),
    (150, 105, 78),
    (105, 72, 55),
    (78, 54, 42),
)
_HAIR: tuple[Colour, ...] = ((38, 30, 26), (62, 44, 32), (96, 68, 42), (158, 124, 78), (128, 126, 124), (120, 58, 32))
_TROUSERS: tuple[Colour, ...] = (
    (40, 44, 60),
    (52, 70, 104),
    (60, 60, 62),
    (96, 86, 70),
    (140, 126, 100),
    (36, 36, 38),
    (84, 92, 88),
)
_SHIRTS: tuple[Colour, ...] = (
    (190, 52, 46),
    (208, 120, 44),
    (214, 186, 66),
    (66, 128, 74),
    (54, 108, 158),
    (92, 70, 130),
    (204, 204, 200),
    (150, 152, 156),
    (54, 56, 62),
    (120, 86, 62),
    (206, 128, 150),
    (88, 160, 168),
    (36, 48, 84),
    (228, 222, 204),
)
_BAGS: tuple[Colour, ...] = ((46, 42, 40), (110, 70, 44), (140, 40, 50), (50, 72, 100), (70, 90, 60))


@dataclass(frozen=True, slots=True)
class Person:
    """How one person looks."""

    tall_m: float
    broad: float
    """1 is usual"""
    skin: Colour
    hair: Colour
    shirt: Colour
    sleeves: Colour
    trousers: Colour
    shoes: Colour
    outfit: str
    """`jacket`, `coat` or `skirt`"""
    stripes: bool
    hair_long: bool
    hat: Colour | None
    backpack: Colour | None
    handbag: Colour | None
    umbrella: Colour | None
    phone: bool
    gait: float
    """width of the swing of legs and arms; 1 is usual"""
    shade: float
    """darkening to the right, negative to the left: where the light comes from"""


def a_person(chance: random.Random, outdoors: bool, light: float) -> Person:
    """One more person; `light` is the scene's shading, see Person."""
    shirt = _varied(chance, chance.choice(_SHIRTS))
    short = chance.random() < (0.25 if outdoors else 0.35)
    skin = _varied(chance, chance.choice(_SKIN), 6)
    return Person(
        tall_m=chance.gauss(1.72, 0.09) if chance.random() > 0.08 else chance.uniform(1.2, 1.45),
        broad=chance.uniform(0.88, 1.25),
        skin=skin,
        hair=_varied(chance, chance.choice(_HAIR), 8),
        shirt=shirt,
        sleeves=skin if short else shirt,
        trousers=_varied(chance, chance.choice(_TROUSERS)),
        shoes=_varied(chance, chance.choice(((34, 32, 32), (70, 50, 40), (200, 200, 196))), 8),
        outfit=chance.choices(("jacket", "coat", "skirt"), (6, 2, 2))[0],
        stripes=chance.random() < 0.15,
        hair_long=chance.random() < 0.4,
        hat=_varied(chance, chance.choice(_SHIRTS)) if chance.random() < (0.22 if outdoors else 0.06) else None,
        backpack=_varied(chance, chance.choice(_BAGS)) if chance.random() < 0.22 else None,
        handbag=_varied(chance, chance.choice(_BAGS)) if chance.random() < 0.25 else None,
        umbrella=_varied(chance, chance.choice(_SHIRTS)) if outdoors and chance.random() < 0.09 else None,
        phone=chance.random() < 0.4,
        gait=chance.uniform(0.8, 1.15),
        shade=light * chance.uniform(0.7, 1.2),
    )


def _varied(chance: random.Random, colour: Colour, by: float = 16) -> Colour:
    light = chance.uniform(0.85, 1.12)
    red, green, blue = (min(max(value * light + chance.uniform(-by, by), 14), 238) for value in colour)
    return red, green, blue

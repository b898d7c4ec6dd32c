"""People who walk and stand: by phase of the step their limbs, painted as they are dressed.

A skeleton in metres (forward, left, up) is turned to its heading, seen from the camera, and painted limb by limb,
farthest first. Angles of hip, knee and elbow follow sines of the phase, roughly as in walking at 1.3 m/s.
"""

import math

from penstock.simulator.people_looks import Person
from penstock.simulator.raster import Colour, Painter, Sprite

PHASES = 16
YAWS = 16

Joint = tuple[float, float, float]


class PersonView:
    """One person in one pose, seen from one side; metres on the picture plane (right, up)."""

    def __init__(self, person: Person, yaw: float, phase: float | None, slant: float, drop: float) -> None:
        """`phase` None stands; `slant` and `drop` are how far right and how far down the camera looks, as tangents."""
        self._person = person
        self._cos, self._sin = math.cos(yaw), math.sin(yaw)
        # Torso and head are flat: a part of the slope joins limbs to them better than all of it.
        self._slant, self._drop = slant, 0.4 * drop
        self._size = person.tall_m / 1.76
        self._legs, self._arms, self._rise = self._limbs(phase)

    def extent(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top of the body, without umbrella and handbag."""
        broad = self._person.broad
        spots = [(self._seen(joint), 0.055 * broad) for limb in (*self._legs, *self._arms) for joint in limb]
        spots.append((self._seen((0.0, 0.0, 1.63 + self._rise)), 0.115))
        half = self._half_width()
        spots.append((self._seen((0.0, 0.0, 1.3 + self._rise)), half / self._size))
        xs = [x - r * self._size for (x, _), r in spots] + [x + r * self._size for (x, _), r in spots]
        low = min(self._seen(limb[-1])[1] for limb in self._legs) - 0.035 * self._size
        top = self._seen((0.0, 0.0, 1.76 + self._rise + (0.035 if self._person.hat else 0.0)))[1]
        return min(xs), low, max(xs), top

    def sprite(self, scale_px: float) -> Sprite:
        person, size = self._person, self._size
        painter = Painter(-0.85 * size, -0.3 * size, 0.85 * size, 2.35 * size, scale_px)
        painter.ellipse((-0.1 * math.copysign(1, person.shade), 0.0), 0.36 * size, 0.1 * size, (8, 8, 12), 0, 0.5, 0.6)
        near_left = self._cos * 1.0 < 0  # the left side (−sin, cos) is nearer where it points to the camera
        legs = self._legs if not near_left else self._legs[::-1]
        arms = self._arms if not near_left else self._arms[::-1]
        away = self._sin > 0.3
        if person.backpack and not away:
            self._backpack(painter, person.backpack)
        self._arm(painter, arms[0], 0.82)
        if person.hair_long and not away:
            x, y = self._seen((0.03, 0.0, 1.63 + self._rise))
            painter.ellipse((x - 0.03 * self._cos * size, y - 0.06 * size), 0.11 * size, 0.18 * size, person.hair)
        for leg, dim in zip(legs, (0.8, 1.0), strict=True):
            self._leg(painter, leg, dim)
        self._torso(painter)
        self._head(painter, away)
        self._arm(painter, arms[1], 1.0)
        if person.backpack and away:
            self._backpack(painter, person.backpack)
        if person.handbag:
            self._handbag(painter, arms[1][-1], person.handbag)
        if person.umbrella:
            self._umbrella(painter, person.umbrella)
        return painter.finished()

    def _seen(self, joint: Joint) -> tuple[float, float]:
        forward, left, up = (value * self._size for value in joint)
        right = forward * self._cos - left * self._sin
        away = forward * self._sin + left * self._cos
        return right - self._slant * away, up + self._drop * away

    def _limbs(self, phase: float | None) -> tuple[list[list[Joint]], list[list[Joint]], float]:
        """Legs (hip, knee, ankle, toe) and arms (shoulder, elbow, hand), farthest for heading right first; the rise."""
        person = self._person
        swing = 0.0 if phase is None else 0.44 * person.gait
        legs, arms = [], []
        for side in (1.0, -1.0):
            angle = 0.0 if phase is None else phase + (0.0 if side > 0 else math.pi)
            thigh = swing * math.sin(angle) + 0.06 * (phase is not None)
            bend = 0.06 if phase is None else 0.12 + 0.85 * max(0.0, math.cos(angle + 0.35)) * person.gait
            hip: Joint = (0.0, 0.085 * side * person.broad, 0.92)
            knee = (hip[0] + 0.44 * math.sin(thigh), hip[1], hip[2] - 0.44 * math.cos(thigh))
            shin = thigh - bend
            ankle = (knee[0] + 0.43 * math.sin(shin), knee[1], knee[2] - 0.43 * math.cos(shin))
            foot = shin * 0.7
            toe = (ankle[0] + 0.17 * math.cos(foot), ankle[1] + 0.02 * side, ankle[2] + 0.17 * math.sin(foot) - 0.02)
            legs.append([hip, knee, ankle, toe])
            arm = -0.75 * swing * math.sin(angle) * 1.1
            elbow_bend = 0.2 if phase is None else 0.35
            if phase is None and person.phone and side < 0:
                arm, elbow_bend = 0.15, 2.0
            shoulder: Joint = (0.0, 0.195 * side * person.broad, 1.42)
            elbow = (shoulder[0] + 0.29 * math.sin(arm), shoulder[1] + 0.035 * side, shoulder[2] - 0.29 * math.cos(arm))
            fore = arm + elbow_bend
            hand = (elbow[0] + 0.27 * math.sin(fore), elbow[1] - 0.01 * side, elbow[2] - 0.27 * math.cos(fore))
            arms.append([shoulder, elbow, hand])
        if person.umbrella:
            arms[1][1:] = [(0.06, -0.22, 1.18), (0.2, -0.14, 1.28)]
        lowest = min(min(leg[2][2] - 0.05, leg[3][2] - 0.035) for leg in legs)
        raised = [[(f, s, u - lowest) for f, s, u in limb] for limb in legs]
        return raised, [[(f, s, u - lowest) for f, s, u in limb] for limb in arms], -lowest

    def _half_width(self) -> float:
        """Of the torso as seen: shoulders across, chest lengthwise."""
        return self._size * self._person.broad * (0.2 * abs(self._sin) + 0.135 * abs(self._cos))

    def _leg(self, painter: Painter, leg: list[Joint], dim: float) -> None:
        person, size = self._person, self._size
        hip, knee, ankle, toe = (self._seen(joint) for joint in leg)
        broad = size * (0.4 + 0.6 * person.broad)
        colour = _dimmed(person.trousers if person.outfit != "skirt" else person.skin, dim)
        painter.capsule(ankle, toe, 0.05 * size, 0.04 * size, _dimmed(person.shoes, dim), 0.1)
        painter.capsule(knee, ankle, 0.064 * broad, 0.048 * broad, colour, person.shade)
        painter.capsule(hip, knee, 0.092 * broad, 0.066 * broad, colour, person.shade)

    def _arm(self, painter: Painter, arm: list[Joint], dim: float) -> None:
        person, size = self._person, self._size
        shoulder, elbow, hand = (self._seen(joint) for joint in arm)
        broad = size * (0.5 + 0.5 * person.broad)
        painter.capsule(elbow, hand, 0.044 * broad, 0.036 * broad, _dimmed(person.sleeves, dim * 0.96), person.shade)
        painter.ellipse(hand, 0.042 * size, 0.047 * size, _dimmed(person.skin, dim))
        painter.capsule(shoulder, elbow, 0.06 * broad, 0.047 * broad, _dimmed(person.shirt, dim * 0.96), person.shade)

    def _torso(self, painter: Painter) -> None:
        person, size, rise = self._person, self._size, self._rise
        half = self._half_width()
        chest, waist, pelvis = (self._seen((0.0, 0.0, up + rise)) for up in (1.37, 1.1, 0.94))
        if person.outfit == "coat":
            low = self._seen((0.0, 0.0, 0.58 + rise))
            painter.capsule(waist, pelvis, half * 0.8, half * 0.84, person.shirt, person.shade)
            skirt = [(waist[0] - half * 0.74, waist[1]), (waist[0] + half * 0.74, waist[1])]
            painter.polygon(
                [*skirt, (low[0] + half * 1.02, low[1]), (low[0] - half * 1.02, low[1])], person.shirt, 0.12
            )
        painter.capsule(chest, waist, half * 0.84, half * 0.76, person.shirt, person.shade)
        painter.capsule(
            (chest[0] - half * 0.55, chest[1] + 0.04 * size),
            (chest[0] + half * 0.55, chest[1] + 0.04 * size),
            half * 0.4,
            half * 0.4,
            person.shirt,
            0.0,
        )
        if person.outfit == "skirt":
            wide, low = half * 1.15, self._seen((0.0, 0.0, 0.52 + rise))
            corners = [(waist[0] - half * 0.72, waist[1]), (waist[0] + half * 0.72, waist[1])]
            corners += [(low[0] + wide, low[1]), (low[0] - wide, low[1])]
            painter.polygon(corners, person.trousers, 0.1)
        if person.outfit == "jacket":
            seat = (pelvis[0], pelvis[1] + 0.02 * size)
            painter.capsule(seat, pelvis, half * 0.79, half * 0.8, person.trousers, person.shade)
        if person.outfit != "skirt":
            hem = waist[1] - 0.1 * size
            above = waist[1] + 0.07 * size
            corners = [(waist[0] - half * 0.76, above), (waist[0] + half * 0.76, above)]
            painter.polygon([*corners, (pelvis[0] + half * 0.78, hem), (pelvis[0] - half * 0.78, hem)], person.shirt)
        if person.stripes:
            for level in (1.18, 1.27, 1.36):
                x, y = self._seen((0.0, 0.0, level + rise))
                stripe = half * 0.74
                painter.capsule(
                    (x - stripe, y), (x + stripe, y), 0.017 * size, 0.017 * size, _dimmed(person.shirt, 0.55)
                )

    def _head(self, painter: Painter, away: bool) -> None:
        person, size, rise = self._person, self._size, self._rise
        neck, centre = self._seen((0.01, 0.0, 1.5 + rise)), self._seen((0.03, 0.0, 1.63 + rise))
        x, y = centre
        facing = self._cos
        painter.capsule(neck, (x, y - 0.03 * size), 0.055 * size, 0.055 * size, _dimmed(person.skin, 0.85))
        painter.ellipse((x, y), 0.095 * size, 0.125 * size, person.skin, person.shade * 0.8)
        if away:
            painter.ellipse((x, y + 0.012 * size), 0.104 * size, 0.13 * size, person.hair, person.shade * 0.6)
            if person.hair_long:
                painter.ellipse((x, y - 0.09 * size), 0.1 * size, 0.15 * size, person.hair, person.shade * 0.6)
        else:
            painter.ellipse((x - 0.035 * facing * size, y + 0.07 * size), 0.1 * size, 0.07 * size, person.hair)
            painter.ellipse(
                (x - 0.075 * facing * size, y + 0.02 * size), 0.05 * size, 0.1 * size * abs(facing), person.hair
            )
        if person.hat:
            brim = (x + 0.04 * facing * size, y + 0.065 * size)
            painter.ellipse((x, y + 0.095 * size), 0.105 * size, 0.07 * size, person.hat, person.shade)
            painter.ellipse(brim, 0.145 * size, 0.026 * size, _dimmed(person.hat, 0.8))

    def _backpack(self, painter: Painter, colour: Colour) -> None:
        top, low = (self._seen((-0.19, 0.0, up + self._rise)) for up in (1.36, 1.08))
        half = self._size * (0.13 * abs(self._sin) + 0.08 * abs(self._cos))
        painter.capsule(top, low, half, half * 1.1, colour, self._person.shade)

    def _handbag(self, painter: Painter, hand: Joint, colour: Colour) -> None:
        x, y = self._seen(hand)
        size = self._size
        half = size * (0.07 + 0.09 * abs(self._cos))
        painter.capsule((x, y), (x, y - 0.12 * size), 0.01 * size, 0.01 * size, _dimmed(colour, 0.7))
        low, high = y - 0.36 * size, y - 0.12 * size
        painter.polygon(
            [(x - half, high), (x + half, high), (x + half * 1.1, low), (x - half * 1.1, low)], colour, 0.12
        )

    def _umbrella(self, painter: Painter, colour: Colour) -> None:
        size, rise = self._size, self._rise
        hand, top = self._seen((0.2, -0.14, 1.2 + rise)), self._seen((0.1, -0.05, 2.1 + rise))
        painter.capsule(hand, top, 0.012 * size, 0.012 * size, (60, 60, 60))
        x, y = top
        rim = [(x + 0.56 * size * math.cos(a), y - 0.28 * size + 0.34 * size * math.sin(a)) for a in _ARC]
        painter.polygon(rim, colour, 0.25)
        for share in (-0.5, 0.5):
            painter.capsule(
                (x + share * 0.62 * size, y - 0.26 * size),
                (x, y + 0.05 * size),
                0.008 * size,
                0.008 * size,
                _dimmed(colour, 0.7),
            )


_ARC = [math.pi * step / 10 for step in range(11)]


def _dimmed(colour: Colour, by: float) -> Colour:
    return colour[0] * by, colour[1] * by, colour[2] * by

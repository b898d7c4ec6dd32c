"""Vehicles as small solids with lamps, windows and wheels on them.

Each is a few prisms in metres (forward, left, up), seen in true perspective from the camera's side, faces that look
away left out, the rest painted in an order that suits convex parts standing beside and on each other.
"""

import math

from penstock.simulator.raster import Colour, Painter, Sprite
from penstock.simulator.vehicle_looks import Vehicle

_TYRE, _GLASS, _DARK = (26.0, 26.0, 28.0), (44.0, 54.0, 62.0), (36.0, 37.0, 40.0)
_CIRCLE = [(math.cos(math.tau * step / 14), math.sin(math.tau * step / 14)) for step in range(14)]

Spot = tuple[float, float, float]


class VehicleView:
    """One vehicle at one heading and distance; metres on the picture plane (right, up) at its middle's distance."""

    def __init__(self, vehicle: Vehicle, yaw: float, slant: float, away: float, camera_m: float) -> None:
        self._vehicle = vehicle
        self._cos, self._sin = math.cos(yaw), math.sin(yaw)
        self._slant, self._away, self._camera = slant, away, camera_m

    def extent(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top, wheels included."""
        vehicle = self._vehicle
        front, side = vehicle.length / 2, vehicle.width / 2
        tail_roof, front_roof = self._along(vehicle.cabin[1]), self._along(vehicle.cabin[2])
        if vehicle.kind == "lorry":
            tail_roof = -front
        ring = [(f, s, u) for f in (-front, front) for s in (-side, side) for u in (0.24, vehicle.nose)]
        ring += [(f, s * 0.92, vehicle.roof) for f in (tail_roof, front_roof) for s in (-side, side)]
        ring += [(f * 0.7, s, 0.0) for f in (-front, front) for s in (-side, side)]
        if vehicle.kind == "lorry":
            ring += [(f, s, vehicle.roof * 1.22) for f in (-front, front * 0.36) for s in (-side, side)]
        seen = [self._seen(spot) for spot in ring]
        return min(x for x, _ in seen), min(y for _, y in seen), max(x for x, _ in seen), max(y for _, y in seen)

    def sprite(self, scale_px: float) -> Sprite:
        left, bottom, right, top = self.extent()
        self._painter = Painter(left - 0.5, bottom - 0.35, right + 0.5, top + 0.15, scale_px)
        self._shadow()
        self._body()
        if self._vehicle.kind == "lorry":
            self._box()
        else:
            self._cabin()
        return self._painter.finished()

    def _along(self, share: float) -> float:
        return (share - 0.5) * self._vehicle.length

    def _seen(self, spot: Spot) -> tuple[float, float]:
        forward, left, up = spot
        right = forward * self._cos - left * self._sin
        away = forward * self._sin + left * self._cos
        grow = self._away / (self._away + away)
        centre = self._slant * self._away
        return (right + centre) * grow - centre, self._camera - (self._camera - up) * grow

    def _faces_us(self, spots: list[Spot]) -> bool:
        """Whether a face, its corners anticlockwise from outside, looks to the camera."""
        seen = [self._seen(spot) for spot in spots]
        return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(seen, seen[1:] + seen[:1], strict=True)) > 1e-6

    def _face(self, spots: list[Spot], colour: Colour, light: float = 1.0, shade: float = 0.0) -> bool:
        if not self._faces_us(spots):
            return False
        lit = (colour[0] * light, colour[1] * light, colour[2] * light)
        self._painter.polygon([self._seen(spot) for spot in spots], lit, shade)
        return True

    def _shadow(self) -> None:
        front, side = self._vehicle.length / 2, self._vehicle.width / 2
        for grown, opacity in ((1.1, 0.22), (1.04, 0.3), (0.98, 0.35)):
            ring = [
                (front * grown * f, (side * grown + 0.03) * s, 0.0) for f, s in ((1, 1), (-1, 1), (-1, -1), (1, -1))
            ]
            self._painter.polygon([self._seen(spot) for spot in ring], (8.0, 8.0, 12.0), 0.0, opacity)

    def _light(self, left: float, forward: float) -> float:
        """How bright an upright face is whose normal is (forward, left)."""
        right = forward * self._cos - left * self._sin
        return 0.88 - self._vehicle.shade * right

    def _body(self) -> None:
        vehicle = self._vehicle
        front, side = vehicle.length / 2, vehicle.width / 2
        low = 0.24 if vehicle.kind != "lorry" else 0.5
        hood = self._along(vehicle.cabin[3])
        boot = self._along(vehicle.cabin[0])
        belt, nose = vehicle.belt, vehicle.nose
        tail = belt * (0.97 if vehicle.kind in ("saloon", "pickup") else 1.0)
        paint, light = vehicle.paint, self._light
        # Wheels on the far side show below the body.
        for forward in (-0.31, 0.32):
            for sign in (1.0, -1.0):
                self._wheel(vehicle.length * forward, sign, far=True)
        outline = [(-front, low), (front, low), (front, nose), (hood, belt), (boot, belt), (-front, tail)]
        for sign in (1.0, -1.0):
            ring = [(f, side * sign, u) for f, u in (outline if sign < 0 else outline[::-1])]
            if self._face(ring, paint, light(sign, 0.0), 0.14):
                self._side_trim(sign, low)
        ends = ((1.0, front, nose), (-1.0, -front, tail))
        for sign, at, high in ends:
            ring = [(at, -side * sign, low), (at, side * sign, low), (at, side * sign, high), (at, -side * sign, high)]
            if self._face(ring, paint, light(0.0, sign), 0.12):
                self._end_trim(sign, at, high, low)
        self._face([(hood, -side, belt), (front, -side, nose), (front, side, nose), (hood, side, belt)], paint, 1.08)
        if vehicle.kind == "pickup":
            inner = side * 0.86
            bed = (
                (-front + 0.08, -inner, belt),
                (boot - 0.05, -inner, belt),
                (boot - 0.05, inner, belt),
                (-front + 0.08, inner, belt),
            )
            self._face(
                [(-front, -side, belt), (boot, -side, belt), (boot, side, belt), (-front, side, belt)], paint, 1.05
            )
            self._face(list(bed), _DARK, 1.3)
        else:
            self._face(
                [(-front, -side, tail), (boot, -side, belt), (boot, side, belt), (-front, side, tail)], paint, 1.08
            )

    def _side_trim(self, sign: float, low: float) -> None:
        vehicle = self._vehicle
        front, side = vehicle.length / 2, vehicle.width / 2 * sign
        order = 1 if sign < 0 else -1
        sill = [
            (-front * 0.98, side, low),
            (front * 0.98, side, low),
            (front * 0.98, side, low + 0.12),
            (-front * 0.98, side, low + 0.12),
        ]
        self._face(sill[::order], _DARK, 1.2)
        if vehicle.kind != "lorry":
            for share in (0.36, 0.58, 0.75) if vehicle.panes > 1 else (0.45, 0.73):
                f = self._along(share)
                line = [
                    (f - 0.015, side, low + 0.1),
                    (f + 0.015, side, low + 0.1),
                    (f + 0.015, side, vehicle.belt),
                    (f - 0.015, side, vehicle.belt),
                ]
                self._face(line[::order], vehicle.paint, 0.55)
        for forward in (-0.31, 0.32):
            self._wheel(vehicle.length * forward, sign, far=False)

    def _wheel(self, forward: float, sign: float, far: bool) -> None:
        vehicle = self._vehicle
        side, radius = vehicle.width / 2 * sign, vehicle.wheel
        rings = ((1.0, _TYRE), (0.6, (150.0, 152.0, 156.0)), (0.22, (70.0, 70.0, 72.0)))
        if not far:
            arch = [self._seen((forward + 1.18 * radius * c, side, radius + 1.18 * radius * s)) for c, s in _CIRCLE]
            self._painter.polygon(arch, _DARK)
        for share, colour in rings[:1] if far else rings:
            spots = [self._seen((forward + share * radius * c, side, radius + share * radius * s)) for c, s in _CIRCLE]
            self._painter.polygon(spots, colour)

    def _end_trim(self, sign: float, at: float, high: float, low: float) -> None:
        vehicle = self._vehicle
        side = vehicle.width / 2
        at += 0.01 * sign

        def plate(left: float, right: float, bottom: float, top: float) -> list[Spot]:
            ring = [
                (at, left * side, bottom),
                (at, right * side, bottom),
                (at, right * side, top),
                (at, left * side, top),
            ]
            return ring if sign > 0 else ring[::-1]

        self._face(plate(-1.0, 1.0, low, low + 0.2), _DARK, 1.15)
        lamp: Colour = (236.0, 234.0, 220.0) if sign > 0 else (176.0, 26.0, 26.0)
        tall = 0.16 if sign > 0 or vehicle.kind in ("saloon", "pickup") else 0.34
        for edge in (-0.94, 0.56):
            self._face(plate(edge, edge + 0.38, high - 0.06 - tall, high - 0.06), lamp)
        if sign > 0:
            self._face(plate(-0.5, 0.5, high - 0.26, high - 0.1), _DARK)
        self._face(plate(-0.3, 0.3, low + 0.12, low + 0.24), (214.0, 212.0, 190.0))

    def _cabin(self) -> None:
        vehicle = self._vehicle
        tail, roof_tail, roof_front, windscreen = (self._along(share) for share in vehicle.cabin)
        side, upper = vehicle.width / 2, vehicle.width / 2 * (0.84 if vehicle.kind != "van" else 0.93)
        belt, roof, paint, light = vehicle.belt, vehicle.roof, vehicle.paint, self._light
        for sign in (1.0, -1.0):
            ring = [
                (tail, side * sign, belt),
                (windscreen, side * sign, belt),
                (roof_front, upper * sign, roof),
                (roof_tail, upper * sign, roof),
            ]
            if self._face(ring[:: 1 if sign < 0 else -1], paint, light(sign, 0.0)):
                self._panes(sign, side, upper)
        for sign, at, high in ((1.0, windscreen, roof_front), (-1.0, tail, roof_tail)):
            ring = [
                (at, -side * sign, belt),
                (at, side * sign, belt),
                (high, upper * sign, roof),
                (high, -upper * sign, roof),
            ]
            if self._face(ring, paint, light(0.0, sign)):
                inset = _inset(ring, 0.08, 0.1)
                self._face(inset, _GLASS, 1.15 if sign > 0 else 1.0, 0.35)
        self._face(
            [
                (roof_tail, -upper, roof),
                (roof_front, -upper, roof),
                (roof_front, upper, roof),
                (roof_tail, upper, roof),
            ],
            paint,
            1.12,
        )

    def _panes(self, sign: float, side: float, upper: float) -> None:
        """Glass on one side, a pillar between any two panes; a van has it beside the driver only."""
        vehicle = self._vehicle
        tail, roof_tail, roof_front, windscreen = (self._along(share) for share in vehicle.cabin)
        low, high = 0.07, 0.9
        begin = 0.0 if vehicle.kind != "van" else 0.78

        def spot(share: float, level: float) -> Spot:
            base = tail + (windscreen - tail) * share
            top = roof_tail + (roof_front - roof_tail) * share
            across = side + (upper - side) * level
            return (
                base + (top - base) * level,
                across * sign * 1.005,
                vehicle.belt + (vehicle.roof - vehicle.belt) * level,
            )

        if vehicle.kind == "van":
            high = 0.62
        step = (0.97 - begin - 0.03) / vehicle.panes
        for pane in range(vehicle.panes):
            first, last = begin + 0.03 + step * pane, begin + 0.03 + step * (pane + 1) - 0.025
            ring = [spot(first, low), spot(last, low), spot(last, high), spot(first, high)]
            self._face(ring[:: 1 if sign < 0 else -1], _GLASS, 1.0, 0.3)

    def _box(self) -> None:
        """A lorry's cab and the box behind it; whichever is farther first."""
        vehicle = self._vehicle
        front, side = vehicle.length / 2, vehicle.width / 2
        gap = self._along(0.68)
        parts = [
            lambda: self._prism(-front, gap, side, 0.75, vehicle.roof * 1.22, vehicle.box or vehicle.paint),
            self._cab,
        ]
        for part in parts if self._sin < 0 or abs(self._sin) < 0.2 else parts[::-1]:
            part()

    def _cab(self) -> None:
        vehicle = self._vehicle
        side, start, end = vehicle.width / 2 * 0.97, self._along(0.71), vehicle.length / 2
        low, high = vehicle.belt * 0.8, vehicle.roof
        self._prism(start, end, side, low, high, vehicle.paint)
        glass_low, glass_high = low + (high - low) * 0.35, low + (high - low) * 0.88
        windscreen = [(end + 0.01, -side * 0.9, glass_low), (end + 0.01, side * 0.9, glass_low)]
        self._face(
            [*windscreen, (end + 0.01, side * 0.9, glass_high), (end + 0.01, -side * 0.9, glass_high)], _GLASS, 1.1, 0.3
        )
        for sign in (1.0, -1.0):
            ring = [
                (f, side * sign * 1.005, u)
                for f, u in (
                    (start + 0.3, glass_low),
                    (end - 0.2, glass_low),
                    (end - 0.2, glass_high),
                    (start + 0.3, glass_high),
                )
            ]
            self._face(ring[:: 1 if sign < 0 else -1], _GLASS, 1.0, 0.3)

    def _prism(self, tail: float, front: float, side: float, low: float, high: float, colour: Colour) -> None:
        for sign in (1.0, -1.0):
            ring = [
                (tail, side * sign, low),
                (front, side * sign, low),
                (front, side * sign, high),
                (tail, side * sign, high),
            ]
            self._face(ring[:: 1 if sign < 0 else -1], colour, self._light(sign, 0.0), 0.08)
            at = front if sign > 0 else tail
            ring = [(at, -side * sign, low), (at, side * sign, low), (at, side * sign, high), (at, -side * sign, high)]
            self._face(ring, colour, self._light(0.0, sign), 0.08)
        self._face([(tail, -side, high), (front, -side, high), (front, side, high), (tail, side, high)], colour, 1.12)


def _inset(ring: list[Spot], across: float, upward: float) -> list[Spot]:
    """A smaller quadrilateral within one: left and right by `across`, up and down by `upward`, as shares."""
    low_left, low_right, high_right, high_left = ring

    def spot(x: float, y: float) -> Spot:
        low = [a + (b - a) * x for a, b in zip(low_left, low_right, strict=True)]
        high = [a + (b - a) * x for a, b in zip(high_left, high_right, strict=True)]
        forward, left, up = (a + (b - a) * y for a, b in zip(low, high, strict=True))
        return forward, left, up

    return [spot(across, upward), spot(1 - across, upward), spot(1 - across, 1 - upward), spot(across, 1 - upward)]

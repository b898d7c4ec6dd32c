"""A street: people on two pavements, cars and vans in two lanes, some of which stop at the near kerb.

Zones: `kerb`, the strip of the near lane along the pavement; `crossing_point`, a part of the far pavement. What
drives through `kerb` is out of it within a second or so, what stops there stays for at least seven.
"""

import math
import random

from penstock.simulator.backdrop import Backdrop
from penstock.simulator.choreography import SEAM_S, Choreography, some_kind
from penstock.simulator.perspective import View
from penstock.simulator.raster import Colour
from penstock.simulator.scene_spec import SceneSpec
from penstock.simulator.settings.stage import Stage

_FRONTS: tuple[Colour, ...] = (
    (150, 96, 78),
    (168, 150, 122),
    (128, 128, 132),
    (176, 168, 152),
    (112, 122, 130),
    (140, 110, 92),
)
_FAR_PAVEMENT, _FAR_KERB, _NEAR_KERB = 0.395, 0.47, 0.775


def build(spec: SceneSpec, chance: random.Random) -> Stage:
    view = View(
        spec.width_px, spec.height_px, chance.uniform(0.02, 0.1), chance.uniform(3.7, 4.3), chance.uniform(0.82, 0.95)
    )
    play = Choreography(view, spec.seconds)
    play.zones["kerb"] = ((0.22, 0.69), (0.78, 0.69), (0.78, 0.88), (0.22, 0.88))
    play.zones["far_pavement"] = ((0.0, 0.37), (1.0, 0.37), (1.0, 0.48), (0.0, 0.48))
    _stops(play, chance)
    _traffic(play, chance, spec.busy)
    _walkers(play, chance, spec.busy)
    return Stage(play, _paint(view, spec, chance), True, chance.choice((-1, 1)) * chance.uniform(0.12, 0.3))


def _stops(play: Choreography, chance: random.Random) -> None:
    """Vehicles that stop at the kerb, one after the other, and one that only slows down."""
    now = SEAM_S + chance.uniform(0.2, 1.0)
    for turn in range(40):
        lane = chance.uniform(0.735, 0.75)
        spot = chance.uniform(0.42, 0.58)
        kind = chance.choice(("saloon", "hatchback", "estate", "van"))
        path = play.vehicle(kind, now, -0.35, lane, 6.5).drive((spot, lane), end=0.0)
        stopped = path.now_s
        stays = chance.uniform(6.5, 8.5)
        path.wait(stays).drive((1.4, lane), start=0.0)
        left = stopped + stays
        if not play.keep(path):
            return
        play.happens("stops_at_kerb", stopped, left, path, zone="kerb")
        if turn % 2 == 0:
            # Out on the far side, hidden but for the head, and round the tail.
            door = play.person(stopped + 1.0, spot, 0.69, 1.4, math.pi).walk((spot - 0.33, 0.69), (spot - 0.34, 0.81))
            door.walk((chance.choice((-0.12, 1.12)), chance.uniform(0.85, 0.93)))
            if play.keep(door):
                play.happens("gets_out", stopped + 1.0, stopped + 4.0, door, path)
        now = path.now_s + chance.uniform(4.0, 6.0)
        by = play.vehicle(some_kind(chance), now - 3.0, -0.45, lane, chance.uniform(8.0, 9.5)).drive((1.5, lane))
        if not play.keep(by):
            return
        play.happens("drives_past", now - 3.0, by.now_s, by)
        now = max(now, by.now_s) + chance.uniform(0.3, 1.0)


def _traffic(play: Choreography, chance: random.Random, busy: float) -> None:
    """The far lane, from right to left."""
    now = SEAM_S
    while busy > 0:
        now += chance.uniform(2.5, 9.0) / busy
        lane = chance.uniform(0.555, 0.575)
        path = play.vehicle(some_kind(chance), now, 1.35, lane, chance.uniform(6.5, 9.0), math.pi).drive((-0.4, lane))
        if not play.keep(path):
            return
        play.happens("drives_past", now, path.now_s, path)


def _walkers(play: Choreography, chance: random.Random, busy: float) -> None:
    for number in range(round(9 * busy * play.seconds / 40)):
        near = number % 3 != 2
        y = chance.uniform(0.83, 0.97) if near else chance.uniform(_FAR_PAVEMENT + 0.02, _FAR_KERB - 0.01)
        side = chance.choice((0, 1))
        start, end = ((-0.1, 1.1), (1.1, -0.1))[side]
        at_s = chance.uniform(SEAM_S, max(play.last_s - 9.0, SEAM_S + 1.0))
        path = play.person(at_s, start, y, chance.uniform(1.1, 1.6), math.pi * side)
        kind = chance.choices(("passes", "stops", "turns_back"), (6, 2, 2))[0]
        middle = (chance.uniform(0.25, 0.75), y + chance.uniform(-0.02, 0.02))
        if kind == "passes":
            path.walk((end, y + chance.uniform(-0.02, 0.02)))
            begins, ends = at_s, path.now_s
        elif kind == "stops":
            path.walk(middle)
            begins = path.now_s
            path.wait(chance.uniform(3.0, 7.0), chance.uniform(-math.pi, 0))
            ends = path.now_s
            path.walk((end, y))
        else:
            path.walk(middle)
            begins = path.now_s
            path.wait(chance.uniform(0.4, 1.5)).walk((start, y))
            ends = path.now_s
        company = []
        if kind == "passes" and chance.random() < 0.35:
            company.append(play.person(at_s + 0.3, start, y + 0.035, path.speed, math.pi * side).walk((end, y + 0.035)))
        if play.keep(path, *company):
            play.happens(kind, begins, ends, path, *company)


def _paint(view: View, spec: SceneSpec, chance: random.Random) -> Backdrop:
    backdrop = Backdrop(view, spec.seed)
    foot = _FAR_PAVEMENT
    scale = view.scale_px(view.ground(0.5, foot)[1])
    left = 0.0
    while left < 1.0:
        right = left + chance.uniform(0.16, 0.34)
        front = chance.choice(_FRONTS)
        backdrop.wall(
            [(left, 0), (right, 0), (right, foot), (left, foot)],
            front,
            scale_px=scale,
            joints_m=(0.5, 0.18) if chance.random() < 0.5 else None,
            joint=0.93,
        )
        _shop(backdrop, chance, left, right, foot, scale)
        left = right
    grey = chance.uniform(128, 160)
    backdrop.strip(foot, _FAR_KERB, (grey, grey * 0.98, grey * 0.94), joints_m=(0.9, 0.9))
    tar = chance.uniform(78, 104)
    backdrop.strip(_FAR_KERB, _NEAR_KERB, (tar, tar, tar * 1.03), rough=6.0)
    backdrop.box(0, _FAR_KERB - 0.008, 1, _FAR_KERB + 0.004, (176, 174, 168), 0.9)
    middle = view.ground(0.5, 0.628)[1]
    for step in range(-8, 8):
        backdrop.line((step * 3.0, middle), (step * 3.0 + 1.5, middle), 0.14, (206, 206, 200), 0.75)
    backdrop.strip(_NEAR_KERB, 1.0, (grey * 0.96, grey * 0.95, grey * 0.9), joints_m=(0.6, 0.6))
    backdrop.box(0, _NEAR_KERB - 0.004, 1, _NEAR_KERB + 0.018, (180, 178, 172), 0.95)
    backdrop.box(0, _NEAR_KERB - 0.012, 1, _NEAR_KERB - 0.004, (54, 54, 56), 0.6)
    for _ in range(chance.randint(1, 3)):
        x = chance.uniform(0.03, 0.97)
        backdrop.flat([(x - 0.02, 0.66), (x + 0.025, 0.66), (x + 0.03, 0.683), (x - 0.025, 0.683)], (50, 50, 52), 0.8)
    return backdrop


def _shop(backdrop: Backdrop, chance: random.Random, left: float, right: float, foot: float, scale: float) -> None:
    """Windows, a door, perhaps an awning."""
    high = scale / backdrop.view.height_px
    width = right - left
    sill = foot - 2.5 * high
    glass = (chance.uniform(44, 70), chance.uniform(54, 78), chance.uniform(64, 88))
    backdrop.box(left + 0.02, sill, left + width * 0.62, foot - 0.5 * high, glass)
    backdrop.box(
        left + 0.03,
        sill + 0.01,
        left + width * 0.3,
        foot - 0.6 * high,
        (glass[0] * 1.5, glass[1] * 1.5, glass[2] * 1.4),
        0.5,
    )
    door = (chance.uniform(50, 110), chance.uniform(40, 80), chance.uniform(36, 80))
    backdrop.box(
        left + width * 0.7, foot - 2.2 * high, left + width * 0.7 + 1.0 * scale / backdrop.view.width_px, foot, door
    )
    if chance.random() < 0.6:
        band: Colour = (chance.uniform(60, 190), chance.uniform(50, 130), chance.uniform(50, 130))
        backdrop.box(left + 0.01, sill - 0.5 * high, right - 0.02, sill - 0.05 * high, band)
    rows = int((sill - 0.6 * high) / (2.6 * high)) + 1
    for row in range(rows):
        top = sill - (0.9 + 2.6 * row + 1.5) * high
        count = max(int(width * 6), 1) + 1
        for column in range(count):
            x = left + width * (column + 0.3) / count
            backdrop.box(x, top, x + width * 0.42 / count, top + 1.4 * high, (58, 66, 76), 0.95)
            backdrop.box(x, top + 1.4 * high, x + width * 0.44 / count, top + 1.55 * high, (190, 186, 178), 0.8)

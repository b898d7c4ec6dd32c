"""Points and boxes against polygons, by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.contracts.specs import ZoneSpec
from penstock.rules.zones import Zone

SHAPES = {
    "square": ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)),
    "triangle": ((0.1, 0.9), (0.9, 0.9), (0.5, 0.1)),
    "notched": ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5), (0.0, 1.0)),
    "bow tie": ((0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)),
    "doubled corner": ((0.2, 0.2), (0.2, 0.2), (0.8, 0.2), (0.8, 0.8)),
}

POINTS = {
    "middle": ("square", 0.5, 0.5, True),
    "left of it": ("square", 0.1, 0.5, False),
    "above it": ("square", 0.5, 0.1, False),
    "a hair outside": ("square", 0.2 - 1e-6, 0.5, False),
    "on the left edge": ("square", 0.2, 0.5, True),
    "on the right edge": ("square", 0.8, 0.5, True),
    "on the upper edge": ("square", 0.5, 0.2, True),
    "on the lower edge": ("square", 0.5, 0.8, True),
    "on a corner": ("square", 0.8, 0.8, True),
    "in line with an edge, beyond it": ("square", 0.9, 0.8, False),
    "on a slope": ("triangle", 0.3, 0.5, True),
    "on a slope that binary fractions miss": ("triangle", 0.7, 0.5, True),
    "beside a slope": ("triangle", 0.29, 0.5, False),
    "level with the apex": ("triangle", 0.6, 0.1, False),
    "in the notch": ("notched", 0.5, 0.75, False),
    "beside the notch": ("notched", 0.1, 0.75, True),
    "at the notch's tip": ("notched", 0.5, 0.5, True),
    "level with the notch's tip": ("notched", 0.1, 0.5, True),
    "left wing": ("bow tie", 0.1, 0.5, True),
    "right wing": ("bow tie", 0.9, 0.5, True),
    "between the wings": ("bow tie", 0.5, 0.2, False),
    "at the knot": ("bow tie", 0.5, 0.5, True),
    "with a corner given twice": ("doubled corner", 0.7, 0.3, True),
    "outside, with a corner given twice": ("doubled corner", 0.3, 0.7, False),
}


@pytest.mark.parametrize(("shape", "x", "y", "inside"), POINTS.values(), ids=POINTS.keys())
@pytest.mark.parametrize("backwards", [False, True])
def test_points(shape: str, x: float, y: float, inside: bool, backwards: bool) -> None:
    points = SHAPES[shape][::-1] if backwards else SHAPES[shape]
    assert Zone(ZoneSpec(shape, points)).holds(x, y) is inside


# Frame of 100 × 200 pixels; the zone is its lower half.
BOXES = {
    "feet in the zone, head above": ((40, 50, 60, 150), True),
    "box mostly over the zone's edge, feet above it": ((40, 20, 60, 99), False),
    "feet on the border": ((40, 20, 60, 100), True),
    "cut off by the lower edge": ((40, 150, 60, 230), True),
    "cut off by the left edge": ((-30, 150, 10, 180), True),
    "wide box, its centre counts": ((0, 0, 30, 110), True),
}


@pytest.mark.parametrize(("xyxy", "inside"), BOXES.values(), ids=BOXES.keys())
def test_boxes_stand_on_their_bottom_centre(xyxy: tuple[float, float, float, float], inside: bool) -> None:
    zone = Zone(ZoneSpec("lower", ((0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0))))
    assert zone.holds_box(xyxy, 100, 200) is inside


def test_only_the_centre_of_a_wide_box_counts() -> None:
    left = Zone(ZoneSpec("left", ((0.0, 0.0), (0.2, 0.0), (0.2, 1.0), (0.0, 1.0))))
    assert left.holds_box((0, 0, 40, 50), 100, 100)
    assert not left.holds_box((0, 0, 42, 50), 100, 100)


def test_without_the_size_of_the_frame_nothing_is_inside() -> None:
    everywhere = Zone(ZoneSpec("all", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))))
    assert not everywhere.holds_box((0, 0, 10, 10), 0, 0)


def test_two_points_are_no_zone() -> None:
    with pytest.raises(ValueError, match="zone 'line' has 2 points; a polygon needs at least 3"):
        Zone(ZoneSpec("line", ((0.0, 0.0), (1.0, 1.0))))


coordinates = st.integers(0, 16).map(lambda n: n / 16)


@given(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=3), coordinates, coordinates)
def test_triangles_against_signed_areas(corners: list[tuple[float, float]], x: float, y: float) -> None:
    """Brute force by another method: inside exactly if the point is on no other side of two edges."""
    sides = [
        (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True)
    ]
    # Three corners and the point on one line: inside where it lies between them.
    flat = all(side == 0 for side in sides)
    expected = min(corners) <= (x, y) <= max(corners) if flat else min(sides) >= 0 or max(sides) <= 0
    assert Zone(ZoneSpec("triangle", tuple(corners))).holds(x, y) is expected

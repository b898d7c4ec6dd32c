"""Whether a box stands in a zone: its bottom-centre point, in fractions of the picture, within a polygon.

Where something stands on the ground is what a zone on a camera's picture means, hence the bottom centre. The
point is moved to the nearest one in the picture first: a person cut off by the lower edge has a box that ends
outside, and still stands in a zone that reaches that edge. Points on the border are inside. Even-odd rule: where
a polygon crosses itself, what is enclosed twice is outside (M. Shimrat, Algorithm 112: Position of point relative
to polygon, CACM 1962).
"""

from penstock.contracts.specs import ZoneSpec

BORDER_TOLERANCE = 1e-9
"""In fractions of the picture: far below a pixel, far above the rounding of the arithmetic."""


class Zone:
    """A polygon made ready for many questions; raises ValueError for fewer than three points."""

    __slots__ = ("_edges", "_max_x", "_max_y", "_min_x", "_min_y", "name")

    def __init__(self, spec: ZoneSpec) -> None:
        points = spec.points
        if len(points) < 3:
            raise ValueError(f"zone {spec.name!r} has {len(points)} points; a polygon needs at least 3")
        self.name = spec.name
        self._edges = tuple(
            (x1, y1, x2, y2, *_reach(x1, x2), *_reach(y1, y2))
            for (x1, y1), (x2, y2) in zip(points, (*points[1:], points[0]), strict=True)
        )
        self._min_x = min(x for x, _ in points) - BORDER_TOLERANCE
        self._max_x = max(x for x, _ in points) + BORDER_TOLERANCE
        self._min_y = min(y for _, y in points) - BORDER_TOLERANCE
        self._max_y = max(y for _, y in points) + BORDER_TOLERANCE

    def holds_box(self, xyxy: tuple[float, float, float, float], width_px: int, height_px: int) -> bool:
        """Whether the bottom centre of a box, in pixels of a `width_px` × `height_px` frame, is in the zone.

        False where the frame's size is not known (0).
        """
        if width_px <= 0 or height_px <= 0:
            return False
        x = (xyxy[0] + xyxy[2]) / 2 / width_px
        y = xyxy[3] / height_px
        return self.holds(min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0))

    def holds(self, x: float, y: float) -> bool:
        """Whether the point is inside or on the border."""
        if not (self._min_x <= x <= self._max_x and self._min_y <= y <= self._max_y):
            return False
        inside = False
        for x1, y1, x2, y2, min_x, max_x, min_y, max_y in self._edges:
            if min_x <= x <= max_x and min_y <= y <= max_y and _on_edge(x, y, x1, y1, x2, y2):
                return True
            if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
                inside = not inside
        return inside


def _reach(a: float, b: float) -> tuple[float, float]:
    return min(a, b) - BORDER_TOLERANCE, max(a, b) + BORDER_TOLERANCE


def _on_edge(x: float, y: float, x1: float, y1: float, x2: float, y2: float) -> bool:
    dx, dy = x2 - x1, y2 - y1
    length_squared = dx * dx + dy * dy
    along = 0.0 if length_squared == 0.0 else min(max(((x - x1) * dx + (y - y1) * dy) / length_squared, 0.0), 1.0)
    off_x, off_y = x - (x1 + along * dx), y - (y1 + along * dy)
    return off_x * off_x + off_y * off_y <= BORDER_TOLERANCE * BORDER_TOLERANCE

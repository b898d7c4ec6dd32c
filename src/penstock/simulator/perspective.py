"""A fixed camera above level ground: between fractions of the picture and metres on the ground, both ways.

A pinhole camera whose picture plane stands upright (a shift lens, so that walls stay upright too): a point X metres
to the right, Y up and Z away appears at x = centre + f·X/Z and y = horizon + f·(height − Y)/Z.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class View:
    """Where the camera hangs and what it shows."""

    width_px: int
    height_px: int
    horizon: float
    """fraction of the picture's height; negative above its upper edge"""
    camera_m: float
    """height above ground"""
    focal: float
    """focal length in widths of the picture"""

    @property
    def focal_px(self) -> float:
        return self.focal * self.width_px

    def ground(self, x: float, y: float) -> tuple[float, float]:
        """Metres (to the right, away) of the ground shown at (x, y), fractions of the picture below the horizon."""
        away = self.focal_px * self.camera_m / ((y - self.horizon) * self.height_px)
        return (x - 0.5) * self.width_px * away / self.focal_px, away

    def fraction(self, right: float, away: float, up: float = 0.0) -> tuple[float, float]:
        """Fractions of the picture where a point appears."""
        scale = self.focal_px / away
        return 0.5 + right * scale / self.width_px, self.horizon + (self.camera_m - up) * scale / self.height_px

    def pixels(self, right: float, away: float, up: float = 0.0) -> tuple[float, float]:
        """Pixels where a point appears."""
        x, y = self.fraction(right, away, up)
        return x * self.width_px, y * self.height_px

    def scale_px(self, away: float) -> float:
        """Pixels that a metre takes up at that distance."""
        return self.focal_px / away

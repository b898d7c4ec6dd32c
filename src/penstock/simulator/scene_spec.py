"""What a drawn scene depends on, and nothing else: equal specifications draw equal pictures.

Apart from the drawing, so that whoever only names a scene loads no NumPy.
"""

import math
from dataclasses import dataclass

SETTINGS = ("street", "yard", "corridor", "car_park")
LABELS = ("person", "vehicle")
RECIPE_VERSION = 3
"""Raised whenever the same specification comes to draw something else."""
SHORTEST_S = 10.0
LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """A loop of `seconds` at `fps`; raises ValueError, saying what is allowed, for one that cannot be drawn."""

    setting: str
    """one of SETTINGS"""
    seed: int
    width_px: int = 640
    height_px: int = 360
    fps: int = 25
    seconds: float = 40.0
    timecode: bool = False
    """whether each picture carries its number, see `timecode`"""
    busy: float = 1.0
    """how much happens beside the situations: 0 nothing, 1 usual, 3 at most"""

    def __post_init__(self) -> None:
        if self.setting not in SETTINGS:
            raise ValueError(f"setting {self.setting!r} is not known; there are {', '.join(SETTINGS)}")
        if self.seed < 0:
            raise ValueError(f"seed {self.seed} is negative")
        if not SHORTEST_S <= self.seconds <= LONGEST_S:
            raise ValueError(f"a loop lasts {SHORTEST_S:g} to {LONGEST_S:g} s, not {self.seconds:g}")
        if not 1 <= self.fps <= 120:
            raise ValueError(f"a scene has 1 to 120 pictures a second, not {self.fps}")
        if not math.isclose(self.seconds * self.fps, round(self.seconds * self.fps)):
            raise ValueError(f"{self.seconds:g} s at {self.fps} pictures a second is no whole number of pictures")
        if not (64 <= self.width_px <= 3840 and 36 <= self.height_px <= 2160):
            raise ValueError(f"a picture has 64×36 to 3840×2160 pixels, not {self.width_px}×{self.height_px}")
        if not 0.0 <= self.busy <= 3.0:
            raise ValueError(f"busy lies between 0 and 3, not {self.busy:g}")
        if self.timecode and (self.width_px < 512 or self.height_px < 96):
            raise ValueError(f"a timecode needs 512×96 pixels, not {self.width_px}×{self.height_px}")

    @property
    def frames(self) -> int:
        """Pictures in one loop."""
        return round(self.seconds * self.fps)

    @property
    def recipe(self) -> str:
        """Names everything that the pictures depend on, this program's way of drawing included."""
        return (
            f"penstock scene {RECIPE_VERSION}: setting={self.setting} seed={self.seed} "
            f"size={self.width_px}x{self.height_px} seconds={self.seconds:g} fps={self.fps} "
            f"timecode={int(self.timecode)} busy={self.busy:g}"
        )

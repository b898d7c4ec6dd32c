"""What moves in a picture, by comparing it with a running average of those before it.

The average is a first-order filter per pixel, as in Piccardi, "Background subtraction techniques: a review", IEEE
SMC 2004, with three additions: the median difference is taken off first, so that clouds and exposure steps are
no motion; where something moves the average follows more slowly, so that somebody who stands still for a moment
stays; and the threshold rises with the noise that the picture shows. What covers more than half of the picture
cannot be told from a change of light.
"""

import math
import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.models.regions import connected_regions

WIDTH_PX, HEIGHT_PX = 320, 180

_CELL_PX = 10
_ROWS = HEIGHT_PX // _CELL_PX
_SAMPLE = 8
"""every eighth pixel of every eighth row is enough for a median"""
_MAD_TO_SIGMA = 1.4826
_CALM = 0.25
"""where fewer cells than this move, the picture's spread of differences is its noise"""
_SATURATION = 4.0
"""a region that differs by this many thresholds has confidence 1"""
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class MotionOptions:
    """Options of `ModelSpec.options`; all are numbers greater than 0."""

    threshold: float = 16.0
    """least difference, in levels of 255, that counts as changed"""
    noise_factor: float = 6.0
    """the threshold is at least this many standard deviations of the picture's noise"""
    cell_fraction: float = 0.2
    """share of a 10×10 px cell that must have changed"""
    min_area: float = 0.002
    """smallest region: changed pixels as a share of the picture's"""
    light_fraction: float = 0.7
    """where more cells than this change at once, it is the light or the camera itself"""
    average_s: float = 4.0
    """time constant of the average where nothing moves"""
    moving_average_s: float = 30.0
    """the same where something moves"""
    reset_after_s: float = 30.0
    """after a longer gap the average is started anew"""


@dataclass(frozen=True, slots=True)
class Seen:
    """Regions in view pixels (float32 N×4) with their confidence, and the share of the picture that moves."""

    xyxy: NDArray[np.float32]
    confidence: NDArray[np.float32]
    fraction: float
    relearnt: bool = False
    known: bool = True
    """False for the first picture: there is nothing to compare it with, so that it says neither yes nor no"""


_NOTHING = Seen(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.0)
_UNKNOWN = Seen(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), 0.0, known=False)


class Background:
    """The running average of one camera's pictures of one `scene`; its user holds `lock` while it compares."""

    def __init__(self, scene: tuple[int, int, int], options: MotionOptions) -> None:
        self.scene = scene
        self.lock = threading.Lock()
        self._options = options
        self._average: NDArray[np.float32] | None = None
        self._noise: float | None = None
        """standard deviation of what does not move, in levels"""
        self._pictures = 0
        self._first_ns = 0
        self._last_ns = 0

    def is_stale(self, now_ns: int) -> bool:
        return self._pictures > 0 and now_ns - self._last_ns > self._options.reset_after_s * _NS_PER_S

    def compare(self, pixels: NDArray[np.uint8], now_ns: int) -> Seen:
        """Compares uint8 180×320, then learns; a picture older than the last one only compares."""
        if self._average is None:
            self._learn_anew(pixels, now_ns)
            return _UNKNOWN
        difference = pixels.astype(np.float32)
        difference -= self._average
        sample = difference[::_SAMPLE, ::_SAMPLE]
        light = _median(sample)
        noise = _MAD_TO_SIGMA * _median(np.abs(sample - np.float32(light)))
        if self._noise is None:
            self._noise = noise
        # Of the pictures before, not of this one: something large would raise it, and hide itself.
        threshold = max(self._options.threshold, self._options.noise_factor * self._noise)
        strength = difference - np.float32(light)
        np.abs(strength, out=strength)
        changed = strength > threshold
        # Rows first: sums along whole rows are several times faster than sums over each cell.
        columns = changed.view(np.uint8).reshape(_ROWS, _CELL_PX, WIDTH_PX).sum(axis=1, dtype=np.uint8)
        cells = columns.reshape(_ROWS, WIDTH_PX // _CELL_PX, _CELL_PX).sum(axis=2)
        active = cells >= self._options.cell_fraction * _CELL_PX * _CELL_PX
        if active.mean() > self._options.light_fraction:
            self._learn_anew(pixels, now_ns)
            return Seen(_NOTHING.xyxy, _NOTHING.confidence, 0.0, relearnt=True)
        if now_ns > self._last_ns:
            self._learn(difference, active, noise, now_ns)
        return self._regions(active, changed, strength, threshold, int(cells[active].sum()))

    def _regions(
        self,
        active: NDArray[np.bool_],
        changed: NDArray[np.bool_],
        strength: NDArray[np.float32],
        threshold: float,
        moving_px: int,
    ) -> Seen:
        boxes: list[tuple[int, int, int, int]] = []
        confidences: list[float] = []
        for region in connected_regions(active):
            top, left = region.top * _CELL_PX, region.left * _CELL_PX
            inside = changed[top : region.bottom * _CELL_PX, left : region.right * _CELL_PX]
            area_px = int(np.count_nonzero(inside))
            if area_px < self._options.min_area * WIDTH_PX * HEIGHT_PX:
                moving_px -= area_px
                continue
            rows = np.flatnonzero(inside.any(axis=1))
            columns = np.flatnonzero(inside.any(axis=0))
            mean = float(strength[top : top + inside.shape[0], left : left + inside.shape[1]][inside].mean())
            boxes.append((left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1))
            confidences.append(min(1.0, mean / (_SATURATION * threshold)))
        if not boxes:
            return _NOTHING
        return Seen(np.array(boxes, np.float32), np.array(confidences, np.float32), max(0, moving_px) / changed.size)

    def _learn(self, difference: NDArray[np.float32], active: NDArray[np.bool_], noise: float, now_ns: int) -> None:
        assert self._average is not None
        assert self._noise is not None
        self._pictures += 1
        elapsed_s = (now_ns - self._last_ns) / _NS_PER_S
        quick = 1 - math.exp(-elapsed_s / self._options.average_s)
        slow = 1 - math.exp(-elapsed_s / self._options.moving_average_s)
        self._last_ns = now_ns
        self._noise += (noise - self._noise) * (quick if active.mean() < _CALM else slow)
        if now_ns - self._first_ns < self._options.average_s * _NS_PER_S:
            # At first a plain mean, moving or not: what stood in the first picture must not haunt the average.
            np.multiply(difference, np.float32(max(quick, 1 / self._pictures)), out=difference)
        else:
            rates = np.where(active, np.float32(slow), np.float32(quick)).repeat(_CELL_PX, axis=1)
            bands = difference.reshape(_ROWS, _CELL_PX, WIDTH_PX)
            np.multiply(bands, rates[:, None, :], out=bands)
        self._average += difference

    def _learn_anew(self, pixels: NDArray[np.uint8], now_ns: int) -> None:
        self._average = pixels.astype(np.float32)
        self._noise = None
        self._pictures = 1
        self._first_ns = self._last_ns = now_ns


def _median(values: NDArray[np.float32]) -> float:
    """The upper of the two middle values: three times faster than the mean of both, and as good here."""
    middle = values.size // 2
    return float(np.partition(values, middle, axis=None)[middle])

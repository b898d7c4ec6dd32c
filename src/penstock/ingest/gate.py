"""Has anything moved? Luma against a running average, cheap enough for every frame of every camera.

The picture is compared at 320×180 in blocks of 20×20: a person far away moves one block and hardly the picture's mean.
The median over the blocks is subtracted, so that sensor noise and light that changes everywhere do not count.
Pixel-wise background models (MOG2) cost 25 times as much for the same yes or no.
"""

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from penstock.contracts.specs import GateSpec

WIDTH_PX, HEIGHT_PX, BLOCK_PX = 320, 180, 20
_LEARNING_RATE = 0.08
# Sums of BLOCK_PX rows times this are the means of the blocks: a fifth of the time of a mean over two axes.
_COLUMN_MEANS = np.kron(np.eye(WIDTH_PX // BLOCK_PX), np.full((BLOCK_PX, 1), BLOCK_PX**-2.0)).astype(np.float32)


class Gate:
    """State of one camera; used by its thread."""

    def __init__(self, spec: GateSpec) -> None:
        self._spec = spec
        self._reformatter = VideoReformatter()
        self._average: npt.NDArray[np.float32] | None = None
        self._scratch = np.empty((HEIGHT_PX, WIDTH_PX), np.float32)
        self.score = 0.0
        """how much the most changed block differs beyond the median block, in levels of 0–255"""

    def reset(self) -> None:
        """Forgets the scene: a new session may show another."""
        self._average = None

    def moved(self, frame: av.VideoFrame) -> bool:
        """Whether `frame` differs from what was there; True for the first, and always where the gate is off."""
        if not self._spec.enabled:
            return True
        small = self._reformatter.reformat(
            frame,
            WIDTH_PX,
            HEIGHT_PX,
            "gray",
            # One matrix on both sides leaves luma as it is; a BT.709 picture would be converted, four times slower.
            src_colorspace=Colorspace.ITU601,
            dst_colorspace=Colorspace.ITU601,
            interpolation=Interpolation.FAST_BILINEAR,
            threads=1,
        )
        plane = small.planes[0]
        luma = np.frombuffer(memoryview(plane), np.uint8).reshape(HEIGHT_PX, plane.line_size)[:, :WIDTH_PX]
        if self._average is None:
            self._average = luma.astype(np.float32)
            return True
        difference = np.subtract(luma, self._average, out=self._scratch)
        self._average += _LEARNING_RATE * difference
        np.abs(difference, out=difference)
        blocks = difference.reshape(-1, BLOCK_PX, WIDTH_PX).sum(axis=1) @ _COLUMN_MEANS
        self.score = float(blocks.max() - np.median(blocks))
        return self.score > self._spec.threshold

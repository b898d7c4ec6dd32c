"""Classifiers: one number per class of the whole picture.

Pictures are prepared as for ImageNet (Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", IJCV
2015), the way most published networks were trained: the shorter side to 256 for a network of 224, the middle cut out,
red-green-blue, less the mean of all training pictures, over their standard deviation. Exports whose metadata gives
`task: classify` (Ultralytics) take the middle of the whole picture, divided by 255.

Whether a network ends in a softmax is seen from its numbers: probabilities lie between 0 and 1 and add up to 1.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.models.backends.backend import Normalisation, PictureInput, TensorInfo
from penstock.models.errors import load_error
from penstock.models.heads.export_metadata import check_task, names_from
from penstock.models.heads.head import (
    HeadSpec,
    Outputs,
    check_probabilities,
    colour_picture,
    finite_output,
    the_output,
)

IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)
"""red, green, blue, in levels of 255"""

_CROP_FROM, _CROP_TO = 256, 224
_SUM_TOLERANCE = 0.02
"""of probabilities that were quantised"""


class ClassificationHead:
    """Networks with one output 1×classes."""

    name = "classification"
    options = ("logits", "mean", "divisor", "bgr", "crop_from")
    expects = "one output 1×classes"

    def recognise(
        self,
        picture: PictureInput,
        outputs: tuple[TensorInfo, ...],
        metadata: Mapping[str, str],
        options: Mapping[str, float],
    ) -> HeadSpec:
        colour_picture(picture, "a classifier")
        check_task(metadata, "classify", "gives classes of the whole picture")
        output = the_output(outputs, "a classifier")
        shape = output.shape
        count = shape[1] if len(shape) in (2, 4) else None
        if count is None or count < 2 or shape[0] not in (1, None) or any(side != 1 for side in shape[2:]):
            raise load_error(f"a classifier gives 1×classes, not {output}")
        plain = metadata.get("task") == "classify"
        side_px = max(picture.width_px, picture.height_px)
        crop_px = round(options.get("crop_from", side_px if plain else side_px * _CROP_FROM / _CROP_TO))
        if crop_px < side_px:
            raise load_error(
                f"option crop_from is {crop_px}, and the network takes {picture.width_px}×{picture.height_px}",
                f"Give {side_px} or more: the length that a picture's shorter side is scaled to",
            )
        return HeadSpec(
            head=self.name,
            view=ViewSpec(
                picture.width_px,
                picture.height_px,
                PixelFormat.BGR24 if options.get("bgr", 0) else PixelFormat.RGB24,
                Fit.CENTRE_CROP,
                crop_from_px=crop_px,
            ),
            normalisation=_normalisation(plain, options),
            class_count=count,
            class_names=names_from(metadata, count),
            decoder=SoftmaxDecoder(output.name, count, shape[2:], options.get("logits")),
        )


class SoftmaxDecoder:
    """Probabilities as they are, logits through a softmax."""

    def __init__(self, output: str, classes: int, tail: tuple[int | None, ...], logits: float | None) -> None:
        self._output = output
        self._shape = (classes, *(1 for _ in tail))
        self._logits = None if logits is None else bool(logits)

    def probabilities(self, outputs: Outputs) -> NDArray[np.float32]:
        values = finite_output(outputs, self._output, self._shape).reshape(-1)
        if self._logits is None:
            within = values.min() >= 0 and values.max() <= 1 and abs(float(values.sum()) - 1) <= _SUM_TOLERANCE
            logits = not within
        else:
            logits = self._logits
        if logits:
            powers = np.exp(values - values.max())
            return np.asarray(powers / powers.sum(), np.float32)
        check_probabilities(float(values.max()), "classifier")
        return np.clip(values, 0, 1)


def _normalisation(plain: bool, options: Mapping[str, float]) -> Normalisation:
    if "mean" in options or "divisor" in options:
        return Normalisation(float(options.get("mean", 0.0)), float(options.get("divisor", 1.0)))
    if plain:
        return Normalisation(divisor=255.0)
    if options.get("bgr", 0):
        return Normalisation(IMAGENET_MEAN[::-1], IMAGENET_STD[::-1])
    return Normalisation(IMAGENET_MEAN, IMAGENET_STD)

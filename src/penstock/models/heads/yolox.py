"""YOLOX: one row per place of three grids, boxes relative to the place, an objectness beside the class scores.

Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv 2107.08430; the export without decoding: centre =
(out + place)·stride, size = exp(out)·stride, confidence = objectness·class, both already through a sigmoid.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.models.backends.backend import Normalisation, PictureInput, TensorInfo
from penstock.models.errors import load_error, output_error
from penstock.models.heads.head import (
    Candidates,
    HeadSpec,
    Outputs,
    check_probabilities,
    colour_picture,
    finite_output,
    grid,
    sigmoid,
    the_output,
)

_STRIDES_PX = (8, 16, 32)
_BOX_AND_OBJECTNESS = 5


class YoloxHead:
    """Networks with one output 1×N×(5+classes), N the places of grids with strides 8, 16 and 32."""

    name = "yolox"
    options = ("logits",)
    expects = "one output 1×N×(5+classes), N = the places of grids with strides 8, 16 and 32"

    def recognise(
        self,
        picture: PictureInput,
        outputs: tuple[TensorInfo, ...],
        metadata: Mapping[str, str],  # noqa: ARG002  YOLOX writes none
        options: Mapping[str, float],
    ) -> HeadSpec:
        colour_picture(picture, "YOLOX")
        output = the_output(outputs, "YOLOX")
        name, shape = output.name, output.shape
        places, strides = _grid(picture.width_px, picture.height_px)
        rows = len(places)
        if len(shape) != 3 or shape[0] != 1 or shape[1] != rows or shape[2] is None or shape[2] <= _BOX_AND_OBJECTNESS:
            raise load_error(
                f"YOLOX for {picture.width_px}×{picture.height_px} gives 1×{rows}×(5+classes), not {outputs[0]}"
            )
        return HeadSpec(
            head=self.name,
            view=ViewSpec(picture.width_px, picture.height_px, PixelFormat.BGR24, Fit.LETTERBOX_TOP_LEFT, pad=114),
            normalisation=Normalisation(),
            class_count=shape[2] - _BOX_AND_OBJECTNESS,
            class_names=(),
            decoder=YoloxDecoder(name, places, strides, shape[2], logits=bool(options.get("logits", 0))),
        )


class YoloxDecoder:
    """Rows whose objectness is too low are dropped before anything else is computed: confidence cannot exceed it."""

    def __init__(
        self, output: str, places: NDArray[np.float32], strides: NDArray[np.float32], columns: int, logits: bool
    ) -> None:
        self._output = output
        self._places = places
        self._strides = strides
        self._columns = columns
        self._logits = logits

    def candidates(self, outputs: Outputs, floor: float) -> Candidates:
        values = finite_output(outputs, self._output, (len(self._places), self._columns))
        objectness = sigmoid(values[:, 4]) if self._logits else values[:, 4]
        check_probabilities(float(objectness.max()), "YOLOX")
        rows = np.flatnonzero(objectness > floor)
        classes = values[rows, _BOX_AND_OBJECTNESS:]
        class_id = classes.argmax(axis=1)
        score = classes[np.arange(len(rows)), class_id]
        if self._logits:
            score = sigmoid(score)
        elif len(score):
            check_probabilities(float(score.max()), "YOLOX")
        confidence = objectness[rows] * score
        passing = confidence > floor
        rows = rows[passing]
        boxes = values[rows, :4]
        strides = self._strides[rows]
        centre = (boxes[:, :2] + self._places[rows]) * strides
        with np.errstate(over="ignore"):
            half = np.exp(boxes[:, 2:]) * (strides * np.float32(0.5))
        if not np.isfinite(half).all():
            raise output_error("YOLOX: a box is larger than any number")
        return Candidates(
            np.concatenate([centre - half, centre + half], axis=1),
            confidence[passing],
            class_id[passing].astype(np.int32),
        )


def _grid(width_px: int, height_px: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """N×2 places (column, row) and N×1 strides, grids in order of stride, places row by row."""
    places = [grid(width_px, height_px, stride) for stride in _STRIDES_PX]
    strides = [np.full((len(part), 1), stride, np.float32) for part, stride in zip(places, _STRIDES_PX, strict=True)]
    return np.concatenate(places), np.concatenate(strides)

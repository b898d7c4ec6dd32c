"""FastestDet: one grid of places, for processors without much to spare.

X. Ma, FastestDet, 2022: 1×(5+classes)×rows×columns, each place with an objectness, a box and one probability per
class. Confidence = objectness^0.6 · class^0.4; centre = (place + tanh(out)) / places, sides = sigmoid(out), both as
shares of the picture.
"""

from collections.abc import Mapping

import numpy as np

from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.models.backends.backend import Normalisation, PictureInput, TensorInfo
from penstock.models.errors import load_error
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

_STRIDE_PX = 16
_BOX_AND_OBJECTNESS = 5
_OBJECTNESS_POWER, _CLASS_POWER = np.float32(0.6), np.float32(0.4)


class FastestDetHead:
    """Networks with one output 1×(5+classes)×(height/16)×(width/16)."""

    name = "fastestdet"
    options = ()
    expects = "one output 1×(5+classes)×(height/16)×(width/16)"

    def recognise(
        self,
        picture: PictureInput,
        outputs: tuple[TensorInfo, ...],
        metadata: Mapping[str, str],  # noqa: ARG002  FastestDet writes none
        options: Mapping[str, float],  # noqa: ARG002  it has none
    ) -> HeadSpec:
        colour_picture(picture, "FastestDet")
        output = the_output(outputs, "FastestDet")
        shape = output.shape
        rows, columns = picture.height_px // _STRIDE_PX, picture.width_px // _STRIDE_PX
        if (
            len(shape) != 4
            or shape[0] != 1
            or shape[1] is None
            or shape[1] <= _BOX_AND_OBJECTNESS
            or shape[2:] != (rows, columns)
        ):
            raise load_error(
                f"FastestDet for {picture.width_px}×{picture.height_px} gives 1×(5+classes)×{rows}×{columns}, "
                f"not {output}"
            )
        return HeadSpec(
            head=self.name,
            view=ViewSpec(picture.width_px, picture.height_px, PixelFormat.BGR24, Fit.STRETCH),
            normalisation=Normalisation(divisor=255.0),
            class_count=shape[1] - _BOX_AND_OBJECTNESS,
            class_names=(),
            decoder=FastestDetDecoder(output.name, picture.width_px, picture.height_px, shape[1]),
        )


class FastestDetDecoder:
    """Places whose objectness is too low even for a class that is certain are dropped first."""

    def __init__(self, output: str, width_px: int, height_px: int, channels: int) -> None:
        self._output = output
        self._size = np.array([width_px, height_px], np.float32)
        self._shape = (channels, height_px // _STRIDE_PX, width_px // _STRIDE_PX)
        self._cells = np.array([self._shape[2], self._shape[1]], np.float32)
        self._places = grid(width_px, height_px, _STRIDE_PX)

    def candidates(self, outputs: Outputs, floor: float) -> Candidates:
        values = finite_output(outputs, self._output, self._shape).reshape(self._shape[0], -1)
        # Roundings of softmax and sigmoid may fall below 0, of which there is no root.
        objectness = np.maximum(values[0], 0) ** _OBJECTNESS_POWER
        check_probabilities(float(objectness.max(initial=0.0)), "FastestDet", option=False)
        columns = np.flatnonzero(objectness > floor)
        chosen = values[:, columns]
        scores = chosen[_BOX_AND_OBJECTNESS:]
        class_id = scores.argmax(axis=0)
        best = scores[class_id, np.arange(len(columns))]
        check_probabilities(float(best.max(initial=0.0)), "FastestDet", option=False)
        confidence = objectness[columns] * np.maximum(best, 0) ** _CLASS_POWER
        passing = confidence > floor
        chosen = chosen[:, passing]
        centre = (self._places[columns[passing]] + np.tanh(chosen[1:3].T)) / self._cells
        half = sigmoid(chosen[3:5].T) * np.float32(0.5)
        return Candidates(
            np.concatenate([(centre - half) * self._size, (centre + half) * self._size], axis=1),
            confidence[passing],
            class_id[passing].astype(np.int32),
        )

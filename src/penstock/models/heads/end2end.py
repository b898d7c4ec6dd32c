"""Detectors that finish their own work: one row per box, best first, nothing left to suppress.

Wang et al., "YOLOv10: Real-Time End-to-End Object Detection", 2024, and all exports with suppression in the graph
(`nms=True`): 1×N×6 with left, top, right, bottom in pixels of the input, confidence, class id. Rows that the network
does not need have confidence 0.
"""

from collections.abc import Mapping

import numpy as np

from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.models.backends.backend import Normalisation, PictureInput, TensorInfo
from penstock.models.errors import load_error, output_error
from penstock.models.heads.export_metadata import check_task, names_from
from penstock.models.heads.head import (
    Candidates,
    HeadSpec,
    Outputs,
    check_finite,
    check_probabilities,
    colour_picture,
    the_output,
)

_COLUMNS = 6


class End2EndHead:
    """Networks with one output 1×N×6; N may be open."""

    name = "end2end"
    options = ()
    expects = "one output 1×N×6: box, confidence, class id"

    def recognise(
        self,
        picture: PictureInput,
        outputs: tuple[TensorInfo, ...],
        metadata: Mapping[str, str],
        options: Mapping[str, float],  # noqa: ARG002  it has none
    ) -> HeadSpec:
        colour_picture(picture, "an end-to-end detector")
        check_task(metadata, "detect", "gives plain boxes")
        output = the_output(outputs, "an end-to-end detector")
        if len(output.shape) != 3 or output.shape[0] not in (1, None) or output.shape[2] != _COLUMNS:
            raise load_error(f"an end-to-end detector gives 1×N×6, not {output}")
        names = names_from(metadata, None)
        return HeadSpec(
            head=self.name,
            view=ViewSpec(picture.width_px, picture.height_px, PixelFormat.RGB24, Fit.LETTERBOX_CENTRE, pad=114),
            normalisation=Normalisation(divisor=255.0),
            class_count=len(names) or None,
            class_names=names,
            decoder=End2EndDecoder(output.name),
            suppressed=True,
        )


class End2EndDecoder:
    """Takes the rows above the floor as they are."""

    def __init__(self, output: str) -> None:
        self._output = output

    def candidates(self, outputs: Outputs, floor: float) -> Candidates:
        values = outputs[self._output]
        if values.ndim != 3 or values.shape[0] != 1 or values.shape[2] != _COLUMNS:
            raise output_error(f"output {self._output} has shape {values.shape} instead of (1, N, {_COLUMNS})")
        check_finite(values, self._output)
        confidence = values[0, :, 4]
        check_probabilities(float(confidence.max(initial=0.0)), "end-to-end detector", option=False)
        rows = values[0, confidence > floor]
        ids = rows[:, 5]
        if ((ids < 0) | (ids != np.rint(ids))).any():
            raise output_error(
                f"output {self._output}: the last column holds {ids.min():g}, and class ids are whole numbers from 0",
                "Its columns are not box, confidence, class id: name another head",
            )
        return Candidates(rows[:, :4].copy(), rows[:, 4].copy(), ids.astype(np.int32))

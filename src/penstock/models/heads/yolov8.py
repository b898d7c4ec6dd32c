"""YOLOv8 and its successors with the same output (YOLOv9, YOLO11): one column per place, no objectness.

Jocher et al., Ultralytics YOLOv8, 2023: rows are centre x, centre y, width, height in pixels of the input, then
one probability per class. Ultralytics' exporter writes class names, task and input size beside the weights.
"""

from collections.abc import Mapping

import numpy as np

from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.models.backends.backend import Normalisation, PictureInput, TensorInfo
from penstock.models.errors import load_error
from penstock.models.heads.export_metadata import check_task, names_from
from penstock.models.heads.head import (
    Candidates,
    HeadSpec,
    Outputs,
    check_probabilities,
    colour_picture,
    finite_output,
    sigmoid,
    the_output,
)

_STRIDES_PX = ((8, 16, 32), (4, 8, 16, 32), (8, 16, 32, 64))
"""of the usual networks, of those for small objects (P2) and of those for large ones (P6)"""
_BOX = 4


class YoloV8Head:
    """Networks with one output 1×(4+classes)×N."""

    name = "yolov8"
    options = ("logits",)
    expects = "one output 1×(4+classes)×N, N = the places of grids with strides 8, 16 and 32"

    def recognise(
        self,
        picture: PictureInput,
        outputs: tuple[TensorInfo, ...],
        metadata: Mapping[str, str],
        options: Mapping[str, float],
    ) -> HeadSpec:
        colour_picture(picture, "YOLOv8")
        check_task(metadata, "detect", "gives plain boxes")
        output = the_output(outputs, "YOLOv8")
        name, shape = output.name, output.shape
        sizes = [_places(picture.width_px, picture.height_px, strides) for strides in _STRIDES_PX]
        if len(shape) != 3 or shape[0] != 1 or shape[1] is None or shape[1] <= _BOX or shape[2] not in sizes:
            raise load_error(
                f"YOLOv8 for {picture.width_px}×{picture.height_px} gives 1×(4+classes)×{sizes[0]}, not {outputs[0]}"
            )
        assert shape[2] is not None
        class_count = shape[1] - _BOX
        return HeadSpec(
            head=self.name,
            view=ViewSpec(picture.width_px, picture.height_px, PixelFormat.RGB24, Fit.LETTERBOX_CENTRE, pad=114),
            normalisation=Normalisation(divisor=255.0),
            class_count=class_count,
            class_names=names_from(metadata, class_count),
            decoder=YoloV8Decoder(name, (shape[1], shape[2]), logits=bool(options.get("logits", 0))),
        )


class YoloV8Decoder:
    """One maximum over the classes, rows of memory at a time; only places that pass it are looked at again."""

    def __init__(self, output: str, shape: tuple[int, int], logits: bool) -> None:
        self._output = output
        self._shape = shape
        self._logits = logits

    def candidates(self, outputs: Outputs, floor: float) -> Candidates:
        values = finite_output(outputs, self._output, self._shape)
        best = values[_BOX:].max(axis=0)
        if self._logits:
            best = sigmoid(best)
        else:
            check_probabilities(float(best.max()), "YOLOv8")
        columns = np.flatnonzero(best > floor)
        chosen = values[:, columns]
        centre = chosen[:2].T
        half = chosen[2:_BOX].T * np.float32(0.5)
        return Candidates(
            np.concatenate([centre - half, centre + half], axis=1),
            best[columns],
            chosen[_BOX:].argmax(axis=0).astype(np.int32),
        )


def _places(width_px: int, height_px: int, strides: tuple[int, ...]) -> int:
    return sum((width_px // stride) * (height_px // stride) for stride in strides)

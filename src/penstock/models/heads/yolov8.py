"""YOLOv8 and its successors with the same output (YOLOv9, YOLO11): one column per place, no objectness.

Jocher et al., Ultralytics YOLOv8, 2023: rows are centre x, centre y, width, height in pixels of the input, then
one probability per class. Ultralytics' exporter writes class names, task and input size beside the weights.
"""

import ast
from collections.abc import Mapping

import numpy as np

from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.models.backends.backend import Normalisation, PictureInput, TensorInfo
from penstock.models.errors import load_error
from penstock.models.heads.head import Candidates, HeadSpec, Outputs, check_probabilities, finite_output, sigmoid

_STRIDES_PX = ((8, 16, 32), (4, 8, 16, 32), (8, 16, 32, 64))
"""of the usual networks, of those for small objects (P2) and of those for large ones (P6)"""
_BOX = 4


class YoloV8Head:
    """Networks with one output 1×(4+classes)×N."""

    name = "yolov8"
    expects = "one output 1×(4+classes)×N, N = the places of grids with strides 8, 16 and 32"

    def recognise(
        self,
        picture: PictureInput,
        outputs: tuple[TensorInfo, ...],
        metadata: Mapping[str, str],
        options: Mapping[str, float],
    ) -> HeadSpec:
        if picture.channels != 3:
            raise load_error(f"YOLOv8 takes colour pictures, and this network takes {picture.channels} channel")
        task = metadata.get("task", "detect")
        if task != "detect":
            raise load_error(f"the metadata says that its task is {task!r}, and only 'detect' gives plain boxes")
        if len(outputs) != 1:
            raise load_error(f"YOLOv8 has one output, and this network has {len(outputs)}")
        name, shape = outputs[0].name, outputs[0].shape
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
            class_names=_names_from(metadata, class_count),
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


def _names_from(metadata: Mapping[str, str], class_count: int) -> tuple[str, ...]:
    """Names by class id from `{0: 'person', …}`; empty where the metadata names none."""
    text = metadata.get("names", "")
    if not text:
        return ()
    try:
        names = ast.literal_eval(text)
        pairs = dict(names) if isinstance(names, dict) else dict(enumerate(names))
        listed = tuple(str(pairs[i]) for i in range(len(pairs)))
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise load_error(
            f"the metadata's class names cannot be read: {text[:80]!r}", "Give the model's class_names"
        ) from None
    if len(listed) != class_count:
        raise load_error(
            f"the metadata names {len(listed)} classes, and the output has room for {class_count}",
            "Export it again, so that both are of one network",
        )
    return listed

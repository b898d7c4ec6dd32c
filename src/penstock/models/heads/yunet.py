"""YuNet: faces with five landmarks each, on three grids of places.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023, in the export of
OpenCV's model zoo: per stride four outputs, `cls` and `obj` (N×1), `bbox` (N×4), `kps` (N×10). Confidence =
√(cls·obj); centre = (place + out)·stride, size = exp(out)·stride, landmark = (place + out)·stride.

Landmarks are the right eye, left eye, nose tip, right and left corner of the mouth, as the person has them. The
network gives none a confidence of its own: each takes its face's.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.models.backends.backend import Normalisation, PictureInput, TensorInfo
from penstock.models.errors import load_error, output_error
from penstock.models.heads.head import Candidates, HeadSpec, Outputs, colour_picture, finite_output, grid

LANDMARKS = 5

_STRIDES_PX = (8, 16, 32)
_CONFIDENCE, _IOU = 0.7, 0.3
"""its scores are generous, and faces do not overlap; OpenCV takes 0.9 and 0.3"""
_PARTS = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 2 * LANDMARKS))


class YunetHead:
    """Networks with twelve outputs: cls, obj, bbox and kps for strides 8, 16 and 32."""

    name = "yunet"
    options = ()
    expects = "cls, obj, bbox and kps for strides 8, 16 and 32"

    def recognise(
        self,
        picture: PictureInput,
        outputs: tuple[TensorInfo, ...],
        metadata: Mapping[str, str],  # noqa: ARG002  YuNet writes none
        options: Mapping[str, float],  # noqa: ARG002  it has none
    ) -> HeadSpec:
        colour_picture(picture, "YuNet")
        known = {info.name: info for info in outputs}
        for stride in _STRIDES_PX:
            places = (picture.width_px // stride) * (picture.height_px // stride)
            for part, columns in _PARTS:
                info = known.get(f"{part}_{stride}")
                if info is None:
                    raise load_error(f"YuNet has an output {part}_{stride}, and this network has none")
                if info.shape != (1, places, columns):
                    raise load_error(
                        f"YuNet for {picture.width_px}×{picture.height_px} gives {part}_{stride} as "
                        f"1×{places}×{columns}, not {info}"
                    )
        return HeadSpec(
            head=self.name,
            view=ViewSpec(picture.width_px, picture.height_px, PixelFormat.BGR24, Fit.LETTERBOX_TOP_LEFT, pad=0),
            normalisation=Normalisation(),
            class_count=1,
            class_names=("face",),
            decoder=YunetDecoder(picture.width_px, picture.height_px),
            confidence=_CONFIDENCE,
            iou=_IOU,
        )


class YunetDecoder:
    """Grid by grid; only places that pass the floor are decoded."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._grids = [(stride, grid(width_px, height_px, stride)) for stride in _STRIDES_PX]

    def candidates(self, outputs: Outputs, floor: float) -> Candidates:
        found = [self._of_grid(outputs, stride, places, floor) for stride, places in self._grids]
        confidence = np.concatenate([part[1] for part in found])
        points = np.concatenate([part[2] for part in found])
        each = np.broadcast_to(confidence[:, None, None], (len(confidence), LANDMARKS, 1))
        return Candidates(
            np.concatenate([part[0] for part in found]),
            confidence,
            np.zeros(len(confidence), np.int32),
            np.concatenate([points, each], axis=2),
        )

    @staticmethod
    def _of_grid(
        outputs: Outputs, stride: int, places: NDArray[np.float32], floor: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        class_score, objectness, boxes, points = (
            finite_output(outputs, f"{part}_{stride}", (len(places), columns)) for part, columns in _PARTS
        )
        # Quantised exports overshoot 0 and 1 by a little.
        score = np.sqrt(np.clip(class_score[:, 0], 0, 1) * np.clip(objectness[:, 0], 0, 1))
        rows = np.flatnonzero(score > floor)
        place = places[rows]
        centre = (place + boxes[rows, :2]) * np.float32(stride)
        with np.errstate(over="ignore"):
            half = np.exp(boxes[rows, 2:]) * np.float32(stride / 2)
        if not np.isfinite(half).all():
            raise output_error("YuNet: a box is larger than any number")
        landmarks = (points[rows].reshape(-1, LANDMARKS, 2) + place[:, None]) * np.float32(stride)
        return np.concatenate([centre - half, centre + half], axis=1), score[rows], landmarks

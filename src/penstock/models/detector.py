"""A network and its head as one model: pixels of a view in, boxes in pixels of the frame out.

What every detector needs after decoding happens here, in this order: suppression in view pixels (overlap is
measured where the network saw it), choice of labels, mapping to the frame, clipping to the picture, packing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import Affine, View
from penstock.contracts.results import Detections, Result
from penstock.contracts.work import ModelDescription
from penstock.models.backends.backend import Network
from penstock.models.heads.head import Candidates, Decoder
from penstock.models.heads.nms import suppress
from penstock.models.model import Pixels


class Selection:
    """Which candidates become detections, and how they are packed."""

    def __init__(
        self, class_names: tuple[str, ...], class_ids: Sequence[int], confidence: float, iou: float, max_boxes: int
    ) -> None:
        """`class_ids` are the classes to keep; none means all."""
        self.floor = confidence
        self._class_names = class_names
        self._kept_classes = np.isin(np.arange(len(class_names)), class_ids) if class_ids else None
        self._iou = iou
        self._max_boxes = max_boxes

    def detections(self, found: Candidates, to_source: Affine, width_px: int, height_px: int) -> Detections:
        """At most `max_boxes`, most confident first, clipped to the `width_px`×`height_px` frame."""
        if self._kept_classes is not None:
            chosen = self._kept_classes[found.class_id]
            found = Candidates(found.xyxy[chosen], found.confidence[chosen], found.class_id[chosen])
        kept = suppress(found.xyxy, found.confidence, found.class_id, self._iou, self._max_boxes)
        return pack(
            map_to_frame(found.xyxy[kept], to_source, width_px, height_px),
            found.confidence[kept],
            found.class_id[kept],
            self._class_names,
        )


class Detector:
    """A compiled network, its decoder and the selection."""

    def __init__(self, description: ModelDescription, network: Network, decoder: Decoder, selection: Selection) -> None:
        self.description = description
        self._network = network
        self._decoder = decoder
        self._selection = selection

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:
        outputs = self._network.infer(stream, pixels)
        found = self._decoder.candidates(outputs, self._selection.floor)
        frame = view.frame
        return Result(
            model=self.description.model,
            weight_hash=self.description.weight_hash,
            frame=frame,
            detections=self._selection.detections(found, view.to_source, frame.width_px, frame.height_px),
        )

    def close(self) -> None:
        self._network.close()


def map_to_frame(xyxy: NDArray[np.float32], to_source: Affine, width_px: int, height_px: int) -> NDArray[np.float32]:
    """N×4 boxes in view pixels to frame pixels, cut at the frame's edges."""
    scale = np.array([to_source.sx, to_source.sy] * 2, np.float32)
    shift = np.array([to_source.tx, to_source.ty] * 2, np.float32)
    limit = np.array([width_px, height_px] * 2, np.float32)
    return np.asarray(np.clip(xyxy * scale + shift, 0, limit), np.float32)


def pack(
    xyxy: NDArray[np.float32],
    confidence: NDArray[np.float32],
    class_id: NDArray[np.int32],
    class_names: tuple[str, ...],
) -> Detections:
    """Boxes as they travel; those that the frame's edges left without area are dropped."""
    there = (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
    return Detections(
        xyxy=np.ascontiguousarray(xyxy[there], "<f4").tobytes(),
        confidence=np.ascontiguousarray(confidence[there], "<f4").tobytes(),
        class_id=np.ascontiguousarray(class_id[there], "<i4").tobytes(),
        class_names=class_names,
    )

"""A network and its head as one model: pixels of a view in, boxes in pixels of the frame out.

What every detector needs after decoding happens here, in this order: suppression in view pixels (overlap is
measured where the network saw it), choice of labels, mapping to the frame, clipping to the picture, packing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import Affine, View
from penstock.contracts.results import Detections, Result
from penstock.contracts.work import ModelDescription
from penstock.models.backends.backend import Network
from penstock.models.heads.head import BoxDecoder, Candidates, Outputs
from penstock.models.heads.nms import suppress
from penstock.models.model import Pixels


class Selection:
    """Which candidates become detections, and how they are packed."""

    def __init__(
        self,
        class_names: tuple[str, ...],
        class_ids: Sequence[int],
        confidence: float,
        iou: float | None,
        max_boxes: int,
    ) -> None:
        """`class_ids` are the classes to keep; none means all. Without `iou` nothing is suppressed."""
        self.floor = confidence
        # Classes that are never given keep their place and lose their name: who reads the names learns what can come.
        self._class_names = (
            tuple(name if i in class_ids else "" for i, name in enumerate(class_names)) if class_ids else class_names
        )
        self._kept_classes = np.isin(np.arange(len(class_names)), class_ids) if class_ids else None
        self._iou = iou
        self._max_boxes = max_boxes

    @property
    def stated(self) -> tuple[str, ...]:
        """Names of the classes that detections can have, without those that are not kept."""
        return tuple(name for name in self._class_names if name)

    def detections(self, found: Candidates, to_source: Affine, width_px: int, height_px: int) -> Detections:
        """At most `max_boxes`, most confident first, clipped to the `width_px`×`height_px` frame."""
        if self._kept_classes is not None:
            # An id beyond the last name has none, and so is none of those asked for.
            known = found.class_id < len(self._kept_classes)
            found = _those(found, known & self._kept_classes[np.where(known, found.class_id, 0)])
        if self._iou is None:
            kept = np.argsort(-found.confidence, kind="stable")[: self._max_boxes]
        else:
            kept = suppress(found.xyxy, found.confidence, found.class_id, self._iou, self._max_boxes)
        found = _those(found, kept)
        return pack(
            map_to_frame(found.xyxy, to_source, width_px, height_px),
            found.confidence,
            found.class_id,
            self._class_names,
            None if found.keypoints is None else points_to_frame(found.keypoints, to_source),
        )


class Detector:
    """A compiled network, its decoder and the selection."""

    def __init__(
        self, description: ModelDescription, network: Network, decoder: BoxDecoder, selection: Selection
    ) -> None:
        self.description = description
        self._network = network
        self._decoder = decoder
        self._selection = selection

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:
        return self._result(view, self._network.infer(stream, pixels))

    def run_batch(self, stream: int, views: Sequence[View], pixels: Sequence[Pixels]) -> list[Result]:
        return [self._result(*one) for one in zip(views, self._network.infer_batch(stream, pixels), strict=True)]

    def _result(self, view: View, outputs: Outputs) -> Result:
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


def points_to_frame(points: NDArray[np.float32], to_source: Affine) -> NDArray[np.float32]:
    """N×K×3 points (x, y, confidence) in view pixels to frame pixels; those outside the frame stay outside."""
    scale = np.array([to_source.sx, to_source.sy, 1.0], np.float32)
    shift = np.array([to_source.tx, to_source.ty, 0.0], np.float32)
    return np.asarray(points * scale + shift, np.float32)


def pack(
    xyxy: NDArray[np.float32],
    confidence: NDArray[np.float32],
    class_id: NDArray[np.int32],
    class_names: tuple[str, ...],
    keypoints: NDArray[np.float32] | None = None,
) -> Detections:
    """Boxes as they travel; those that the frame's edges left without area are dropped."""
    there = (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
    return Detections(
        xyxy=np.ascontiguousarray(xyxy[there], "<f4").tobytes(),
        confidence=np.ascontiguousarray(confidence[there], "<f4").tobytes(),
        class_id=np.ascontiguousarray(class_id[there], "<i4").tobytes(),
        class_names=class_names,
        keypoints=None if keypoints is None else np.ascontiguousarray(keypoints[there], "<f4").tobytes(),
        keypoint_count=0 if keypoints is None else keypoints.shape[1],
    )


def _those(found: Candidates, chosen: NDArray[Any]) -> Candidates:
    keypoints = None if found.keypoints is None else found.keypoints[chosen]
    return Candidates(found.xyxy[chosen], found.confidence[chosen], found.class_id[chosen], keypoints)

"""How far two models agree on the same pictures: boxes matched one to one, or the first of the classes.

The float model stands for the truth. Boxes match from the largest overlap down, each once, class by class, at an
intersection over union of 0.5 or more, as detection benchmarks count.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from penstock.contracts.results import Classification, Detections, Result

MATCHING_IOU = 0.5


class Matches(msgspec.Struct, frozen=True):
    """Pairs of boxes: indexes into the two lists, and their overlap."""

    first: tuple[int, ...]
    second: tuple[int, ...]
    iou: tuple[float, ...]


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted over all pictures. Ratios are None where there is nothing to divide by."""

    kind: str
    """`detections` or `classes`"""
    frames: int
    float_boxes: int = 0
    int8_boxes: int = 0
    matched: int = 0
    recall: float | None = None
    """share of the float model's boxes that the other finds"""
    precision: float | None = None
    """share of the other's boxes that the float model has"""
    mean_iou: float | None = None
    mean_score_difference: float | None = None
    top1: float | None = None
    """share of pictures with the same first class"""

    @property
    def value(self) -> float | None:
        """The one number that a threshold is for: the lower of recall and precision, or the share of first classes."""
        if self.kind == "classes":
            return self.top1
        if self.recall is None:
            return None
        return min(self.recall, self.precision or 0.0)


def match_boxes(
    xyxy: NDArray[np.float32], class_id: NDArray[np.int32], other: NDArray[np.float32], other_class: NDArray[np.int32]
) -> Matches:
    """Pairs boxes (N×4 and M×4: left, top, right, bottom) of one class, best overlap first."""
    overlap = _iou(xyxy, other) * (class_id[:, None] == other_class[None, :])
    first: list[int] = []
    second: list[int] = []
    iou: list[float] = []
    while overlap.size and overlap.max() >= MATCHING_IOU:
        i, j = divmod(int(overlap.argmax()), overlap.shape[1])
        first.append(i)
        second.append(j)
        iou.append(float(overlap[i, j]))
        overlap[i, :] = overlap[:, j] = 0
    return Matches(tuple(first), tuple(second), tuple(iou))


class Comparison:
    """Takes the two models' results picture by picture."""

    def __init__(self) -> None:
        self._frames = 0
        self._boxes = [0, 0]
        self._iou: list[float] = []
        self._difference: list[float] = []
        self._classified = 0
        self._same_class = 0

    def add(self, reference: Result, other: Result) -> None:
        """One picture as both models see it."""
        self._frames += 1
        if reference.detections is not None and other.detections is not None:
            self._add_boxes(reference.detections, other.detections)
        elif reference.classifications:
            self._add_classes(reference.classifications, other.classifications)

    def agreement(self) -> Agreement:
        if self._classified:
            return Agreement(kind="classes", frames=self._frames, top1=self._same_class / self._classified)
        matched = len(self._iou)
        ours, others = self._boxes
        return Agreement(
            kind="detections",
            frames=self._frames,
            float_boxes=ours,
            int8_boxes=others,
            matched=matched,
            recall=matched / ours if ours else None,
            precision=matched / others if others else None,
            mean_iou=float(np.mean(self._iou)) if matched else None,
            mean_score_difference=float(np.mean(self._difference)) if matched else None,
        )

    def _add_boxes(self, reference: Detections, other: Detections) -> None:
        boxes, scores, ids = _arrays(reference)
        other_boxes, other_scores, other_ids = _arrays(other)
        pairs = match_boxes(boxes, ids, other_boxes, other_ids)
        self._boxes[0] += len(scores)
        self._boxes[1] += len(other_scores)
        self._iou += pairs.iou
        self._difference += np.abs(scores[list(pairs.first)] - other_scores[list(pairs.second)]).tolist()

    def _add_classes(self, reference: Sequence[Classification], other: Sequence[Classification]) -> None:
        self._classified += 1
        self._same_class += bool(other) and other[0].class_id == reference[0].class_id


def _arrays(found: Detections) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    return (
        np.frombuffer(found.xyxy, "<f4").reshape(-1, 4),
        np.frombuffer(found.confidence, "<f4"),
        np.frombuffer(found.class_id, "<i4"),
    )


def _iou(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    shared = np.clip(sides, 0, None).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=-1) for boxes in (a, b)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), np.float32)

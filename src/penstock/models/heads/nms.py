"""Greedy non-maximum suppression per class: of boxes that overlap too much, the most confident stays.

As in Girshick et al., "Rich feature hierarchies", CVPR 2014, section 2.2. Boxes are taken in blocks, most
confident first: a block is compared with what stays of the blocks before it and then with itself, so memory is
bounded and work ends as soon as enough boxes stay.
"""

import numpy as np
from numpy.typing import NDArray

_BLOCK = 128


def suppress(
    xyxy: NDArray[np.float32],
    confidence: NDArray[np.float32],
    class_id: NDArray[np.int32],
    iou: float,
    max_boxes: int,
) -> NDArray[np.intp]:
    """Indices of the boxes that stay, most confident first, at most `max_boxes`; equals keep their order.

    `xyxy` is float32 N×4, `confidence` float32 N, `class_id` int32 N. A box goes when its intersection over
    union with a more confident one of its class that stays exceeds `iou`.
    """
    order = np.argsort(-confidence, kind="stable")
    kept = order[:0]
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        if len(kept):
            clear = ~_overlaps(xyxy[block], class_id[block], xyxy[kept], class_id[kept], iou).any(axis=1)
            block = block[clear]
        kept = np.concatenate([kept, block[_greedy(xyxy[block], class_id[block], iou)]])
        if len(kept) >= max_boxes:
            break
    return kept[:max_boxes]


def _greedy(xyxy: NDArray[np.float32], class_id: NDArray[np.int32], iou: float) -> NDArray[np.bool_]:
    overlaps = _overlaps(xyxy, class_id, xyxy, class_id, iou)
    stays = np.ones(len(xyxy), np.bool_)
    for i in np.flatnonzero(np.triu(overlaps, 1).any(axis=1)):
        if stays[i]:
            stays[i + 1 :] &= ~overlaps[i, i + 1 :]
    return stays


def _overlaps(
    a: NDArray[np.float32], a_class: NDArray[np.int32], b: NDArray[np.float32], b_class: NDArray[np.int32], iou: float
) -> NDArray[np.bool_]:
    """Whether box i of `a` and box j of `b` are of one class and overlap by more than `iou`: bool A×B."""
    shared = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    np.maximum(shared, 0, out=shared)
    intersection = shared[..., 0] * shared[..., 1]
    union = _areas(a)[:, None] + _areas(b)[None, :] - intersection
    # Multiplied out, so that boxes without area do not divide by zero.
    return np.asarray((intersection > iou * union) & (a_class[:, None] == b_class[None, :]), dtype=np.bool_)


def _areas(xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    return (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])

"""Which place answers for which figure, and how far its answer is off.

Assignment by alignment of score and overlap (Feng et al., "TOOD", ICCV 2021), with places near a figure's centre as
candidates, so that figures narrower than a stride have some; boxes by complete IoU (Zheng et al., AAAI 2020).
Places within a figure that is not to be found (hidden, cut off) are left out of the score's loss.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_CANDIDATES = 9
_SCORE_POWER, _OVERLAP_POWER = 0.5, 4.0
_REACH_STRIDES = 1.0
"""places up to this far from the centre are candidates, also outside of a small figure"""
_BOX_WEIGHT = 4.0


@dataclass(frozen=True, slots=True)
class Truth:
    """A batch's figures, padded: `xyxy` B×M×4 in pixels, `class_id` B×M, `state` B×M: 1 wanted, 2 ignored, 0 nobody."""

    xyxy: Tensor
    class_id: Tensor
    state: Tensor


def loss(boxes: Tensor, scores: Tensor, truth: Truth, centres: Tensor, strides: Tensor) -> Tensor:
    """Sum of both losses per picture; `boxes` B×4×N (centre, size), `scores` B×C×N logits."""
    xyxy = corners(boxes.transpose(1, 2))
    logits = scores.transpose(1, 2)
    with torch.no_grad():
        owner, target = _assign(xyxy, logits.sigmoid(), truth, centres.T, strides.T)
        ignored = _within_ignored(truth, centres.T) & (target.amax(-1) == 0)
    total = target.sum().clamp(min=1.0)
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    entropy = entropy.masked_fill(ignored[..., None], 0.0).sum() / total
    weight = target.sum(-1)
    positive = weight > 0
    if not positive.any():
        return entropy
    wanted = torch.gather(truth.xyxy, 1, owner[..., None].expand(-1, -1, 4))[positive]
    off = (1.0 - complete_iou(xyxy[positive], wanted)) * weight[positive]
    return entropy + _BOX_WEIGHT * off.sum() / total


def corners(boxes: Tensor) -> Tensor:
    """Centre and size to left, top, right, bottom, along the last dimension."""
    half = boxes[..., 2:] * 0.5
    return torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], dim=-1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes that broadcast against each other."""
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    shared = sides.prod(-1)
    return shared / ((a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared + 1e-7)


def complete_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU less the distance of the centres and the difference in shape: K×4 against K×4."""
    overlap = iou(a, b)
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    apart = (a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]).square().sum(-1) / 4
    size_a, size_b = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]
    shape = (4 / math.pi**2) * (
        torch.atan(size_b[:, 0] / (size_b[:, 1] + 1e-7)) - torch.atan(size_a[:, 0] / (size_a[:, 1] + 1e-7))
    ).square()
    with torch.no_grad():
        share = shape / (1 - overlap + shape + 1e-7)
    return overlap - apart / (hull.square().sum(-1) + 1e-7) - share * shape


def _assign(xyxy: Tensor, scores: Tensor, truth: Truth, centres: Tensor, strides: Tensor) -> tuple[Tensor, Tensor]:
    """Per place the figure it answers for (B×N) and its target scores (B×N×C), zero where it answers for none."""
    wanted = truth.state == 1
    overlap = iou(truth.xyxy[:, :, None], xyxy[:, None])
    of_class = torch.gather(scores.transpose(1, 2), 1, truth.class_id[..., None].expand(-1, -1, scores.shape[1]))
    near = _near(truth.xyxy, centres, strides) & wanted[..., None]
    alignment = (of_class.clamp(min=1e-6) ** _SCORE_POWER * overlap.clamp(min=1e-6) ** _OVERLAP_POWER) * near
    best = alignment.topk(_CANDIDATES, dim=2)
    chosen = torch.zeros_like(alignment).scatter_(2, best.indices, (best.values > 0).float()) > 0
    # A place chosen by several figures answers for the one that it overlaps most.
    contested = chosen.sum(1, keepdim=True) > 1
    favourite = torch.zeros_like(chosen).scatter_(1, overlap.masked_fill(~chosen, -1).argmax(1, keepdim=True), True)
    chosen &= ~contested | favourite
    alignment = alignment * chosen
    strength = alignment / (alignment.amax(2, keepdim=True) + 1e-12) * (overlap * chosen).amax(2, keepdim=True)
    quality, owner = strength.max(dim=1)
    target = torch.zeros_like(scores)
    owner_class = torch.gather(truth.class_id, 1, owner)
    target.scatter_(2, owner_class[..., None], quality[..., None])
    return owner, target


def _near(xyxy: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """B×M×N: whether a place lies in a figure, or so close to its centre as `_REACH_STRIDES` says."""
    x, y = centres[:, 0], centres[:, 1]
    left, top, right, bottom = (side[..., None] for side in xyxy.unbind(-1))
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    reach = strides[:, 0] * _REACH_STRIDES
    close = ((x - (left + right) / 2).abs() < reach) & ((y - (top + bottom) / 2).abs() < reach)
    return inside | close


def _within_ignored(truth: Truth, centres: Tensor) -> Tensor:
    """B×N: whether a place lies in a figure that is not to be found."""
    x, y = centres[:, 0], centres[:, 1]
    left, top, right, bottom = (side[..., None] for side in truth.xyxy.unbind(-1))
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    return (inside & (truth.state == 2)[..., None]).any(1)

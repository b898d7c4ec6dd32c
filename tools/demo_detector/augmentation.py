"""Makes each picture look like one of another camera: mirrored, nearer or farther, brighter, noisier, softer.

Whole batches at once, on tensors. Scaling and shifting fill with the letterbox's grey, so that an unchanged picture is
exactly what the engine's letterbox makes of it.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from demo_detector.losses import Truth

PAD = 114.0
_UNCHANGED = 0.35
"""share of pictures that keep their size and place"""
_LEAST_LEFT = 0.3
"""a figure of which the new frame cuts off more is not to be found"""
_LEAST_SIDE_PX = 3.0


class Augmentation:
    """Uint8 B×h×w×3 with boxes in fractions to float B×3×H×W in 0–1 with boxes in its pixels."""

    def __init__(self, width_px: int, height_px: int, seed: int) -> None:
        self._width_px = width_px
        self._height_px = height_px
        self._chance = np.random.default_rng(seed)
        self._torch_chance = torch.Generator().manual_seed(seed)

    def __call__(self, images: Tensor, truth: Truth) -> tuple[Tensor, Truth]:
        count, height_px, width_px = images.shape[:3]
        scale, left, top, flip = self._placement(count, width_px, height_px)
        # Light before place: the letterbox's bars are the same whatever the light.
        x = self._developed(images.permute(0, 3, 1, 2).float()).clamp_(0, 255).sub_(PAD)
        x = self._placed(x, scale, left, top, flip).add_(PAD).div_(255.0)
        return x, self._moved(truth, width_px, height_px, scale, left, top, flip)

    def _letterbox(self, width_px: int, height_px: int) -> tuple[float, float, float]:
        scale = min(self._width_px / width_px, self._height_px / height_px)
        return scale, (self._width_px - width_px * scale) / 2, (self._height_px - height_px * scale) / 2

    def _placement(self, count: int, width_px: int, height_px: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Scale, left, top of every picture in the new frame, and whether it is mirrored."""
        usual, usual_left, usual_top = self._letterbox(width_px, height_px)
        factor = np.exp(self._chance.uniform(np.log(0.72), np.log(1.5), count))
        scale = usual * factor
        room_x, room_y = self._width_px - width_px * scale, self._height_px - height_px * scale
        left, top = room_x * self._chance.random(count), room_y * self._chance.random(count)
        unchanged = self._chance.random(count) < _UNCHANGED
        scale, left, top = (
            np.where(unchanged, same, other) for same, other in ((usual, scale), (usual_left, left), (usual_top, top))
        )
        flip = self._chance.random(count) < 0.5
        as_tensor = (torch.tensor(values, dtype=torch.float32) for values in (scale, left, top))
        return *as_tensor, torch.tensor(flip)

    def _placed(self, x: Tensor, scale: Tensor, left: Tensor, top: Tensor, flip: Tensor) -> Tensor:
        height_px, width_px = x.shape[2:]
        # Output pixel o shows source pixel (o - left) / scale; both in units of -1 … 1 over their picture.
        ax, ay = self._width_px / (scale * width_px), self._height_px / (scale * height_px)
        bx = (self._width_px - 2 * left) / (scale * width_px) - 1
        by = (self._height_px - 2 * top) / (scale * height_px) - 1
        sign = torch.where(flip, -1.0, 1.0)
        zero = torch.zeros_like(ax)
        theta = torch.stack([torch.stack([ax * sign, zero, bx * sign], 1), torch.stack([zero, ay, by], 1)], 1)
        grid = functional.affine_grid(theta, [len(x), 3, self._height_px, self._width_px], align_corners=False)
        return functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    def _developed(self, x: Tensor) -> Tensor:
        """Gain by channel, saturation and brightness as one matrix per picture; softness and noise for some."""
        count, uniform = len(x), self._chance.uniform
        saturation = uniform(0.3, 1.4, (count, 1, 1))
        gain = uniform(0.7, 1.3, (count, 1, 1)) * uniform(0.93, 1.07, (count, 3, 1))
        matrix = gain * (saturation * np.eye(3) + (1 - saturation) / 3)
        bias = PAD - PAD * gain + uniform(-20, 20, (count, 1, 1))
        matrix_t, bias_t = (torch.tensor(values, dtype=torch.float32) for values in (matrix, bias))
        x = torch.baddbmm(bias_t, matrix_t, x.flatten(2)).view(x.shape)
        soft = torch.tensor(self._chance.random(count) < 0.2)
        if soft.any():
            small = functional.interpolate(x[soft], scale_factor=float(uniform(0.5, 0.85)), mode="bilinear")
            x[soft] = functional.interpolate(small, size=x.shape[2:], mode="bilinear")
        noisy = torch.tensor(self._chance.random(count) < 0.3)
        if noisy.any():
            grain = torch.randn((int(noisy.sum()), *x.shape[1:]), generator=self._torch_chance)
            sigma = torch.tensor(uniform(1, 6, (len(grain), 1, 1, 1)), dtype=torch.float32)
            x[noisy] += grain.mul_(sigma)
        return x

    def _moved(
        self, truth: Truth, width_px: int, height_px: int, scale: Tensor, left: Tensor, top: Tensor, flip: Tensor
    ) -> Truth:
        xyxy = truth.xyxy * torch.tensor([width_px, height_px] * 2, dtype=torch.float32)
        mirrored = torch.stack([width_px - xyxy[..., 2], xyxy[..., 1], width_px - xyxy[..., 0], xyxy[..., 3]], -1)
        xyxy = torch.where(flip[:, None, None], mirrored, xyxy)
        shift = torch.stack([left, top, left, top], -1)[:, None]
        xyxy = xyxy * scale[:, None, None] + shift
        limit = torch.tensor([self._width_px, self._height_px] * 2, dtype=torch.float32)
        cut = torch.minimum(xyxy.clamp(min=0), limit)
        sides = cut[..., 2:] - cut[..., :2]
        left_over = sides.clamp(min=0).prod(-1) / (xyxy[..., 2:] - xyxy[..., :2]).prod(-1).clamp(min=1e-6)
        state = truth.state.clone()
        state[(state == 1) & ((left_over < _LEAST_LEFT) | (sides.amin(-1) < _LEAST_SIDE_PX))] = 2
        state[sides.amin(-1) <= 0] = 0
        return Truth(cut, truth.class_id, state)

"""The network: ReLU convolutions down to strides 8, 16 and 32, a small pyramid, one head shared by its levels.

Shapes follow what is known to work: residual blocks (He et al., CVPR 2016), features handed down the pyramid (Lin et
al., CVPR 2017), heads without anchors that share weights over levels (Tian et al., "FCOS", ICCV 2019), boxes as centre
and size of one place (Ge et al., "YOLOX", 2021). It stays below 245,000 numbers so that the file stays below 1 MB.
"""

import torch
from torch import Tensor, nn

STRIDES_PX = (8, 16, 32)
CLASSES = 2
_LARGEST_LOG = 4.0
"""a box is at most e⁴ strides wide: more than any picture here"""
_SCORE_PRIOR = 0.01


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


class Network(nn.Module):
    """Pictures float B×3×H×W in 0–1 to raw B×(4+classes)×N, places in order of stride, row by row."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 16, stride=2), conv(16, 24, stride=2), conv(24, 24))
        self.fine = nn.Sequential(conv(24, 40, stride=2), Residual(40))
        self.middle = nn.Sequential(conv(40, 56, stride=2), Residual(56))
        self.coarse = nn.Sequential(conv(56, 64, stride=2), conv(64, 48))
        width = 40
        self.from_coarse = conv(48, width, 1)
        self.from_middle = conv(56, width, 1)
        self.from_fine = conv(40, width, 1)
        self.smooth_middle = conv(width, width)
        self.smooth_fine = conv(width, width)
        self.class_tower = conv(width, 32)
        self.box_tower = conv(width, 32)
        self.scores = nn.Conv2d(32, CLASSES, 1)
        self.boxes = nn.Conv2d(32, 4, 1)
        nn.init.constant_(self.scores.bias, -torch.log(torch.tensor((1 - _SCORE_PRIOR) / _SCORE_PRIOR)).item())

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(self.stem(x))
        middle = self.middle(fine)
        coarse = self.from_coarse(self.coarse(middle))
        middle = self.smooth_middle(self.from_middle(middle) + _doubled(coarse))
        fine = self.smooth_fine(self.from_fine(fine) + _doubled(middle))
        return torch.cat([self._head(level) for level in (fine, middle, coarse)], dim=2)

    def _head(self, level: Tensor) -> Tensor:
        return torch.cat([self.boxes(self.box_tower(level)), self.scores(self.class_tower(level))], dim=1).flatten(2)


def places(width_px: int, height_px: int) -> tuple[Tensor, Tensor]:
    """Centres of all places, 2×N in pixels, and their strides, 1×N."""
    centres, strides = [], []
    for stride in STRIDES_PX:
        y, x = torch.meshgrid(torch.arange(height_px // stride), torch.arange(width_px // stride), indexing="ij")
        centres.append((torch.stack([x, y]).flatten(1) + 0.5) * stride)
        strides.append(torch.full((1, x.numel()), float(stride)))
    return torch.cat(centres, dim=1), torch.cat(strides, dim=1)


def decoded_boxes(raw: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """B×4×N centre x, centre y, width, height in pixels from raw B×(4+classes)×N."""
    middle = raw[:, :2] * strides + centres
    size = torch.exp(raw[:, 2:4].clamp(max=_LARGEST_LOG)) * strides
    return torch.cat([middle, size], dim=1)


class Exported(nn.Module):
    """What goes into the file: boxes in pixels of the input and probabilities, one column per place."""

    def __init__(self, network: Network, width_px: int, height_px: int) -> None:
        super().__init__()
        self.network = network
        centres, strides = places(width_px, height_px)
        self.register_buffer("centres", centres)
        self.register_buffer("strides", strides)

    def forward(self, x: Tensor) -> Tensor:
        raw = self.network(x)
        return torch.cat([decoded_boxes(raw, self.centres, self.strides), raw[:, 4:].sigmoid()], dim=1)


def _doubled(x: Tensor) -> Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")

"""What hangs on the trunk: global features, class heads, mid features and fusion.

Shapes are given at width 1 for a picture of H×W, with h = H/8 and w = W/8.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from mhmd.historynet.config import TrainConfig
from mhmd.historynet.layers import conv_relu, conv_relu_norm, linear, scaled

IMAGENET_CLASSES = 1000
_HEADS = {"imagenet": (4096, 4096), "labels": (4096, 420), "attributes": (4096, 420)}
"""Hidden features of each class head."""


class GlobalFeatures(nn.Module):
    """The whole picture in 256 numbers, `info`, and in the logits of its classes."""

    def __init__(self, config: TrainConfig, classes: tuple[int, ...]) -> None:
        super().__init__()
        width, momentum = config.width, config.batchnorm_momentum
        c, strides = scaled(512, width), (2, 1, 2, 1)
        ins = (scaled(512, config.trunk_width), c, c, c)
        self.convolutions = nn.Sequential(
            *(conv_relu_norm(c_in, c, momentum, stride) for c_in, stride in zip(ins, strides, strict=True))
        )
        flat = c * (-(-config.size_px // 32)) ** 2
        self.vector = _linears(flat, *(scaled(each, width) for each in (1024, 512, 256)))
        hidden = tuple(scaled(each, width) for each in _HEADS[config.class_head])
        self.classes = _linears(flat, *hidden)
        self.heads = nn.ModuleList(linear(hidden[-1], count) for count in classes)

    def forward(self, trunk: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(N, 512, h, w) of a square of `size_px` → info (N, 256), and for each head its logits (N, classes)."""
        flat = self.convolutions(trunk).flatten(1)  # N, 512·7·7 at 224
        hidden = self.classes(flat)  # N, 420, or 4096 for ImageNet's
        return self.vector(flat), tuple(head(hidden) for head in self.heads)


class Fusion(nn.Module):
    """Mid features of each place, joined with what is known of the whole picture."""

    def __init__(self, config: TrainConfig, known: int) -> None:
        super().__init__()
        width, momentum = config.width, config.batchnorm_momentum
        c512, c256, c128 = (scaled(c, width) for c in (512, 256, 128))
        trunk = scaled(512, config.trunk_width)
        self.mid = nn.Sequential(conv_relu_norm(trunk, c512, momentum), conv_relu_norm(c512, c256, momentum))
        self.fusion = nn.Sequential(conv_relu(c256 + known, c256, kernel=1), conv_relu(c256, c128))

    def forward(self, trunk: Tensor, known: Tensor) -> Tensor:
        """(N, 512, h, w) and what is known of the picture, (N, K), `info` first → (N, 128, h, w)."""
        mid = self.mid(trunk)  # N, 256, h, w
        tiled = known[:, :, None, None].expand(-1, -1, *mid.shape[-2:])  # N, K, h, w
        return self.fusion(torch.cat((mid, tiled), dim=1))  # type: ignore[no-any-return]  # nn.Module


def _linears(*sizes: int) -> nn.Sequential:
    return nn.Sequential(*(linear(a, b) for a, b in pairwise(sizes)))

"""What hangs on the trunk: global features, mid features, fusion, parsing branch, colour decoder.

Shapes are given at width 1 for a picture of H×W, with h = H/8 and w = W/8. "Tap at N" is what the parsing branch
hands to the colour decoder where a 224-pixel picture has N pixels a side.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mhmd.historynet.layers import SameConv, conv_relu, conv_relu_norm, linear, scaled, upsampled


class GlobalFeatures(nn.Module):
    """The whole picture in 256 numbers, `info`, and in one logit a label."""

    def __init__(self, width: float, size_px: int, labels: int, momentum: float) -> None:
        super().__init__()
        c = scaled(512, width)
        strides = (2, 1, 2, 1)
        self.convolutions = nn.Sequential(*(conv_relu_norm(c, c, momentum, stride) for stride in strides))
        flat = c * (-(-size_px // 32)) ** 2
        sizes = (flat, scaled(1024, width), scaled(512, width), scaled(256, width))
        self.vector = nn.Sequential(*(linear(a, b) for a, b in pairwise(sizes)))
        sizes = (flat, scaled(4096, width), scaled(420, width), labels)
        self.classes = nn.Sequential(*(linear(a, b) for a, b in pairwise(sizes)))

    def forward(self, trunk: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 512, h, w) of a square of `size_px` → info (N, 256) and class logits (N, labels)."""
        flat = self.convolutions(trunk).flatten(1)  # N, 512·7·7 at 224
        return self.vector(flat), self.classes(flat)


class Fusion(nn.Module):
    """Mid features of each place, joined with what is known of the whole picture."""

    def __init__(self, width: float, momentum: float) -> None:
        super().__init__()
        c512, c256, c128 = (scaled(c, width) for c in (512, 256, 128))
        self.mid = nn.Sequential(conv_relu_norm(c512, c512, momentum), conv_relu_norm(c512, c256, momentum))
        self.fusion = nn.Sequential(conv_relu(2 * c256, c256, kernel=1), conv_relu(c256, c128))

    def forward(self, trunk: Tensor, info: Tensor) -> Tensor:
        """(N, 512, h, w) and (N, 256) → (N, 128, h, w)."""
        mid = self.mid(trunk)  # N, 256, h, w
        tiled = info[:, :, None, None].expand(-1, -1, *mid.shape[-2:])  # N, 256, h, w
        return self.fusion(torch.cat((mid, tiled), dim=1))  # type: ignore[no-any-return]  # nn.Module


class Taps(NamedTuple):
    """Features of the parsing branch, at an eighth, a quarter and half of the picture's side."""

    at_28: Tensor  # N, 128, h, w
    at_56: Tensor  # N, 64, 2h, 2w
    at_112: Tensor  # N, 32, 4h, 4w


class ParsingBranch(nn.Module):
    """Where people and their clothes are; the variant `full`."""

    def __init__(self, width: float, momentum: float) -> None:
        super().__init__()
        c512, c256, c128, c64, c32 = (scaled(c, width) for c in (512, 256, 128, 64, 32))
        self.to_28 = nn.Sequential(
            conv_relu_norm(c512, c512, momentum),
            conv_relu_norm(c512, c512, momentum),
            conv_relu(c512, c256),
            conv_relu(c256, c128),
        )
        self.before_56 = conv_relu(c128, c128)
        self.to_56 = conv_relu(c128, c64)
        self.before_112 = nn.Sequential(conv_relu(c64, c64), conv_relu(c64, c64))
        self.to_112 = conv_relu(c64, c32)
        self.mask = nn.Sequential(conv_relu(c32, c32), SameConv(c32, 1), nn.Sigmoid())

    def forward(self, trunk: Tensor) -> tuple[Tensor, Taps]:
        """(N, 512, h, w) → the mask's gray level in [0, 1], (N, 1, H, W), and the taps."""
        at_28 = self.to_28(trunk)  # N, 128, h, w
        at_56 = self.to_56(upsampled(self.before_56(at_28)))  # N, 64, 2h, 2w
        at_112 = self.to_112(upsampled(self.before_112(at_56)))  # N, 32, 4h, 4w
        return upsampled(self.mask(at_112)), Taps(at_28, at_56, at_112)


class ColourDecoder(nn.Module):
    """From fused features and taps to ab; the variant `full`."""

    def __init__(self, width: float) -> None:
        super().__init__()
        c128, c64, c32 = (scaled(c, width) for c in (128, 64, 32))
        self.at_28 = conv_relu(2 * c128, c128)
        self.to_56 = conv_relu(c128, c64)
        self.at_56 = nn.Sequential(conv_relu(2 * c64, c64), conv_relu(c64, c64))
        self.to_112 = conv_relu(c64, c32)
        self.at_112 = conv_relu(2 * c32, c32)
        self.ab = nn.Sequential(SameConv(c32, 2), nn.Sigmoid())

    def forward(self, fused: Tensor, taps: Taps) -> Tensor:
        """(N, 128, h, w) → ab in [0, 1], (N, 2, H, W)."""
        x = self.at_28(torch.cat((fused, taps.at_28), dim=1))  # N, 128, h, w
        x = self.to_56(upsampled(x))  # N, 64, 2h, 2w
        x = self.at_56(torch.cat((x, taps.at_56), dim=1))  # N, 64, 2h, 2w
        x = self.to_112(upsampled(x))  # N, 32, 4h, 4w
        x = self.at_112(torch.cat((x, taps.at_112), dim=1))  # N, 32, 4h, 4w
        return upsampled(self.ab(x))  # N, 2, H, W

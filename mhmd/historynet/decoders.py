"""The two branches that go back up to the picture's size: parsing, and colour, which gets parsing's features as taps.

Shapes are given at width 1 for a picture of H×W, with h = H/8 and w = W/8. "Tap at N" is what the parsing branch
hands to the colour decoder where a 224-pixel picture has N pixels a side.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mhmd.historynet.config import TrainConfig
from mhmd.historynet.layers import SameConv, conv_relu, conv_relu_norm, convs_relu, scaled, upsampled


class Taps(NamedTuple):
    """Features of the parsing branch, at an eighth, a quarter and half of the picture's side."""

    at_28: Tensor  # N, 128, h, w
    at_56: Tensor  # N, 64, 2h, 2w
    at_112: Tensor  # N, 32, 4h, 4w


class ParsingBranch(nn.Module):
    """Where people and their clothes are."""

    def __init__(self, config: TrainConfig, outputs: int) -> None:
        super().__init__()
        width, momentum = config.width, config.batchnorm_momentum
        c512, c256, c128, c64, c32 = (scaled(c, width) for c in (512, 256, 128, 64, 32))
        self.to_28 = nn.Sequential(
            conv_relu_norm(scaled(512, config.trunk_width), c512, momentum),
            conv_relu_norm(c512, c512, momentum),
            conv_relu(c512, c256),
            conv_relu(c256, c128),
        )
        self.before_56 = conv_relu(c128, c128)
        self.to_56 = conv_relu(c128, c64)
        self.before_112 = convs_relu(config.layout.parsing_before_112, c64, c64)
        self.to_112 = conv_relu(c64, c32)
        self.mask = nn.Sequential(convs_relu(config.layout.parsing_at_112, c32, c32), SameConv(c32, outputs))

    def forward(self, trunk: Tensor) -> tuple[Tensor, Taps]:
        """(N, 512, h, w) → logits of the mask, (N, outputs, 4h, 4w), and the taps."""
        at_28 = self.to_28(trunk)  # N, 128, h, w
        at_56 = self.to_56(upsampled(self.before_56(at_28)))  # N, 64, 2h, 2w
        at_112 = self.to_112(upsampled(self.before_112(at_56)))  # N, 32, 4h, 4w
        return self.mask(at_112), Taps(at_28, at_56, at_112)


class ColourDecoder(nn.Module):
    """From fused features, and taps where there is a parsing branch, to ab."""

    def __init__(self, config: TrainConfig, mask_answers: int) -> None:
        super().__init__()
        layout, width = config.layout, config.width
        c128, c64, c32 = (scaled(c, width) for c in (128, 64, 32))
        taps = 2 if layout.parsing else 1
        self.at_28 = convs_relu(layout.decoder_at_28, taps * c128, c128)
        self.to_56 = conv_relu(c128, c64)
        self.at_56 = convs_relu(layout.decoder_at_56, taps * c64, c64)
        self.to_112 = conv_relu(c64, c32)
        self.at_112 = convs_relu(layout.decoder_at_112, taps * c32 + mask_answers, c32)
        self.ab = SameConv(c32, 2)

    def forward(self, fused: Tensor, taps: Taps | None, mask_answers: Tensor | None) -> Tensor:
        """Fused features, taps and, where they are fed in, the mask's probabilities (N, K, 4h, 4w) → (N, 2, H, W).

        The result is before the activation that `ab_range` names.
        """
        at_28, at_56, at_112 = taps or (None, None, None)
        x = self.at_28(_joined(fused, at_28))  # N, 128, h, w
        x = self.at_56(_joined(self.to_56(upsampled(x)), at_56))  # N, 64, 2h, 2w
        x = self.at_112(_joined(self.to_112(upsampled(x)), at_112, mask_answers))  # N, 32, 4h, 4w
        return upsampled(self.ab(x))  # N, 2, H, W


def _joined(*parts: Tensor | None) -> Tensor:
    return torch.cat([part for part in parts if part is not None], dim=1)

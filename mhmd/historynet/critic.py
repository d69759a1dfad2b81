"""The two networks that judge colours: the critic, and the ab-classifier C."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from mhmd.historynet.config import TrainConfig
from mhmd.historynet.layers import LEAK, NORM_EPSILON, SameConv, linear, scaled


class Critic(nn.Module):
    """PatchGAN critic of L and ab; 2,764,737 parameters at width 1."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        c64, c128, c256, c512 = (scaled(c, config.width) for c in (64, 128, 256, 512))
        self.layers = nn.Sequential(
            SameConv(3, c64, 4, 2),
            nn.LeakyReLU(LEAK),
            SameConv(c64, c128, 4, 2),
            nn.LeakyReLU(LEAK),
            SameConv(c128, c256, 4, 2),
            nn.LeakyReLU(LEAK),
            SameConv(c256, c512, 4, 1),
            nn.LeakyReLU(LEAK),
            SameConv(c512, 1, 4, 1),
        )

    def forward(self, lightness: Tensor, ab: Tensor) -> Tensor:
        """L (N, 1, H, W) and ab (N, 2, H, W), both in [0, 1] → a score a patch, (N, 1, H/8, W/8), higher is truer."""
        return self.layers(torch.cat((lightness, ab), dim=1))  # type: ignore[no-any-return]  # nn.Module


class AbClassifier(nn.Module):
    """C: reads the generator's `info` back from its colours; 32,909,504 parameters at width 1 and 224 px."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        channels = (2, *(scaled(c, config.width) for c in (64, 128, 256, 512, 512)))
        layers: list[nn.Module] = []
        for number, (c_in, c_out) in enumerate(pairwise(channels)):
            layers += [SameConv(c_in, c_out, 4, 2), nn.LeakyReLU(LEAK)]
            if number > 0:
                layers.append(nn.BatchNorm2d(c_out, NORM_EPSILON, config.batchnorm_momentum))
        self.convolutions = nn.Sequential(*layers)
        flat = channels[-1] * (-(-config.size_px // 32)) ** 2
        hidden, info = scaled(1024, config.width), scaled(256, config.width)
        self.vector = nn.Sequential(linear(flat, hidden), linear(hidden, info))

    def forward(self, ab: Tensor) -> Tensor:
        """The `info` (N, 256) read from ab in [0, 1], (N, 2, H, W)."""
        return self.vector(self.convolutions(ab).flatten(1))  # type: ignore[no-any-return]  # nn.Module

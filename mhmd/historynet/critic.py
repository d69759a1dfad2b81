"""The two networks that judge colours: the critic, and the ab-classifier C."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from mhmd.historynet.config import TrainConfig
from mhmd.historynet.layers import LEAK, NORM_EPSILON, SameConv, linear, scaled
from mhmd.historynet.model import Classes


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
        """L in [0, 1], (N, 1, H, W), and ab in the networks' range, (N, 2, H, W) → a score a patch, (N, 1, H/8, W/8).

        Higher is truer.
        """
        return self.layers(torch.cat((lightness, ab), dim=1))  # type: ignore[no-any-return]  # nn.Module


class AbClassifier(nn.Module):
    """C: reads the generator's `info`, or its class, back from its colours; 32,909,504 parameters in the paper."""

    def __init__(self, config: TrainConfig, classes: Classes) -> None:
        super().__init__()
        channels = (2, *(scaled(c, config.width) for c in (64, 128, 256, 512, 512)))
        layers: list[nn.Module] = []
        for number, (c_in, c_out) in enumerate(pairwise(channels)):
            layers += [SameConv(c_in, c_out, 4, 2), nn.LeakyReLU(LEAK)]
            if number > 0:
                layers.append(nn.BatchNorm2d(c_out, NORM_EPSILON, config.batchnorm_momentum))
        self.convolutions = nn.Sequential(*layers)
        flat = channels[-1] * (-(-config.size_px // 32)) ** 2
        hidden = scaled(1024, config.width)
        told = scaled(256, config.width) if config.colour_class == "info" else classes.of_heads(config)[0]
        self.vector = nn.Sequential(linear(flat, hidden), linear(hidden, told))

    def forward(self, ab: Tensor) -> Tensor:
        """The `info` (N, 256), or logits of the label (N, labels), of ab in the networks' range, (N, 2, H, W)."""
        return self.vector(self.convolutions(ab).flatten(1))  # type: ignore[no-any-return]  # nn.Module

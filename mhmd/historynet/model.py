"""The generator: lightness in; colour, class, mask and `info` out."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from mhmd.historynet.backbone import Trunk
from mhmd.historynet.branches import ColourDecoder, Fusion, GlobalFeatures, ParsingBranch
from mhmd.historynet.config import TrainConfig


class Painting(NamedTuple):
    """What the generator makes of N pictures."""

    ab: Tensor  # N, 2, H, W in [0, 1], 0.5 is neutral
    class_logits: Tensor  # N, labels
    mask: Tensor  # N, 1, H, W in [0, 1], the gray level of the class index
    info: Tensor  # N, 256·width, unbounded


class Generator(nn.Module):
    """HistoryNet's generator, variant `full`; 158,941,017 parameters at width 1, 224 px and 42 labels."""

    def __init__(self, config: TrainConfig, labels: int) -> None:
        super().__init__()
        width, momentum = config.width, config.batchnorm_momentum
        self.trunk = Trunk(width)
        self.whole = GlobalFeatures(width, config.size_px, labels, momentum)
        self.fusion = Fusion(width, momentum)
        self.parsing = ParsingBranch(width, momentum)
        self.colour = ColourDecoder(width)

    def forward(self, lightness: Tensor) -> Painting:
        """L in [0, 1], (N, 1, H, W) with H = W = the config's `size_px`."""
        trunk = self.trunk(lightness)  # N, 512, H/8, W/8
        info, class_logits = self.whole(trunk)  # N, 256 and N, labels
        fused = self.fusion(trunk, info)  # N, 128, H/8, W/8
        mask, taps = self.parsing(trunk)  # N, 1, H, W
        return Painting(self.colour(fused, taps), class_logits, mask, info)

"""The generator: lightness in; colour, classes, mask and `info` out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from mhmd.historynet.backbone import Trunk
from mhmd.historynet.branches import IMAGENET_CLASSES, Fusion, GlobalFeatures
from mhmd.historynet.config import TrainConfig
from mhmd.historynet.decoders import ColourDecoder, ParsingBranch
from mhmd.historynet.lab import ab_of_logits
from mhmd.historynet.layers import scaled, upsampled


@dataclass(frozen=True, slots=True)
class Classes:
    """How many classes the samples have: labels, eras, nationalities and garments, and of the masks."""

    labels: tuple[int, int, int, int]
    mask: int

    @classmethod
    def of(cls, labels: tuple[tuple[str, str, str], ...], mask_classes: tuple[str, ...]) -> Self:
        """Those of a taxonomy, (era, nationality, garment) by label_id, and of a parser."""
        eras, nationalities, garments = (len(set(names)) for names in zip(*labels, strict=True))
        return cls((len(labels), eras, nationalities, garments), len(mask_classes))

    def of_heads(self, config: TrainConfig) -> tuple[int, ...]:
        """Classes of each class head, the label's first."""
        return {"imagenet": (IMAGENET_CLASSES,), "labels": self.labels[:1], "attributes": self.labels}[
            config.class_head
        ]


class Painting(NamedTuple):
    """What the generator makes of N pictures of H×W; float32."""

    ab: Tensor  # N, 2, H, W, CIELAB units
    info: Tensor  # N, 256·width, unbounded
    class_logits: tuple[Tensor, ...]  # a head: N, classes
    mask_logits: Tensor | None  # N, 1 or mask classes, H, W; None without a parsing branch


class Generator(nn.Module):
    """HistoryNet's generator.

    At width 1, 224 px and 42 labels it has 171,171,722 parameters as `baseline`, 152,188,664 as `classifier`,
    158,857,913 as `parsing` and 158,941,017 as `full`, batch norm's running statistics counted.
    """

    def __init__(self, config: TrainConfig, classes: Classes) -> None:
        super().__init__()
        self.config, self.classes = config, classes
        heads = classes.of_heads(config)
        outputs = classes.mask if config.mask_target == "classes" else 1
        answers = config.answers_to_colour
        self.trunk = Trunk(config.trunk_width, config.input_scale == "imagenet")
        self.whole = GlobalFeatures(config, heads)
        self.fusion = Fusion(config, scaled(256, config.width) + (sum(heads) if answers else 0))
        self.parsing = ParsingBranch(config, outputs) if config.layout.parsing else None
        self.colour = ColourDecoder(config, outputs if answers and config.layout.parsing else 0)

    def forward(self, lightness: Tensor, whole: Tensor | None = None) -> Painting:
        """L in [0, 1], (N, 1, H, W) with H and W multiples of 8.

        Global features are of `whole`, the same pictures as squares of the config's `size_px`, (N, 1, S, S); without
        it the pictures are such squares themselves.
        """
        trunk = self.trunk(lightness)  # N, 512, H/8, W/8
        info, class_logits = self.whole(trunk if whole is None else self.trunk(whole))
        known = info
        if self.config.answers_to_colour:  # as they are: colour is not to bend the answers
            known = torch.cat((info, *(logits.detach().softmax(dim=1) for logits in class_logits)), dim=1)
        fused = self.fusion(trunk, known)  # N, 128, H/8, W/8
        mask_logits, taps = self.parsing(trunk) if self.parsing is not None else (None, None)
        answers = self._mask_answers(mask_logits)
        ab = ab_of_logits(self.colour(fused, taps, answers).float(), self.config.ab_range)  # N, 2, H, W
        return Painting(
            ab,
            info.float(),
            tuple(logits.float() for logits in class_logits),
            None if mask_logits is None else upsampled(mask_logits).float(),
        )

    def _mask_answers(self, mask_logits: Tensor | None) -> Tensor | None:
        if mask_logits is None or not self.config.answers_to_colour:
            return None
        logits = mask_logits.detach()
        return logits.sigmoid() if self.config.mask_target == "gray" else logits.softmax(dim=1)

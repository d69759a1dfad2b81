"""Painting pictures of any size and aspect with a generator that was trained on squares."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mhmd.historynet.backbone import STRIDE
from mhmd.historynet.model import Generator, Painting


@torch.inference_mode()
def paint(generator: Generator, lightness: Tensor) -> Painting:
    """What a generator makes of L in [0, 1], (N, 1, H, W), at that size; its mode (train or eval) is as it was.

    A generator that learnt on squashed frames sees the pictures squashed, and its colours are stretched back. One that
    learnt on crops sees them as they are, edges repeated to a multiple of 8; its global features see them squashed.
    """
    side, (height, width) = generator.config.size_px, lightness.shape[-2:]
    was_training = generator.training
    generator.eval()
    try:
        square = resized(lightness, side, side)
        if generator.config.framing == "squash":
            painting = generator(square)
        else:
            padded = functional.pad(lightness, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
            painting = generator(padded, None if padded.shape == square.shape else square)
    finally:
        generator.train(was_training)
    return painting._replace(  # type: ignore[no-any-return]  # nn.Module
        ab=_fitted(generator, painting.ab, height, width),
        mask_logits=None if painting.mask_logits is None else _fitted(generator, painting.mask_logits, height, width),
    )


def resized(x: Tensor, height: int, width: int) -> Tensor:
    """(N, C, H, W) at another size: bilinear, over areas where it shrinks."""
    if x.shape[-2:] == (height, width):
        return x
    return functional.interpolate(x, (height, width), mode="bilinear", antialias=True, align_corners=False)


def _fitted(generator: Generator, x: Tensor, height: int, width: int) -> Tensor:
    return resized(x, height, width) if generator.config.framing == "squash" else x[..., :height, :width]

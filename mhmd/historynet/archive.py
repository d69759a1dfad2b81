"""Making a modern frame's lightness look like that of old film: emulsion, lens, fading, grain. Colours stay the truth.

All of it runs on batches, on the device; what happens to a sample depends on the numbers drawn for it alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mhmd.historynet.lab import lightness_of, sent

EMULSIONS = {
    "blue-sensitive": (0.02, 0.13, 0.85),  # wet and early dry plates
    "orthochromatic": (0.04, 0.56, 0.40),  # blind to red: film to about 1930
    "panchromatic": (0.36, 0.38, 0.26),  # sees all colours, blue more brightly than the eye does
}
"""How much each emulsion makes of linear red, green and blue; shapes of published spectra, not a certain film's."""
_JITTER = 0.2
_MAX_BLUR_PX, _MAX_GRAIN_PX = 1.5, 0.8
_MAX_GRAIN = 0.06
_RADIUS = 4


class Aging(NamedTuple):
    """What is done to one sample."""

    red: float  # shares of linear light, summing to 1
    green: float
    blue: float
    blur_px: float  # σ
    gamma: float  # of lightness
    low: float  # lightness of black and of white, in [0, 1]
    high: float
    grain: float  # deviation of lightness, in [0, 1], at middle gray
    grain_px: float  # σ
    seed: int  # of the grain


def drawn_aging(seed: int, position: int, share: float) -> Aging | None:
    """The aging of the sample at a place of the plan, or None for those that stay as they are."""
    chance = random.Random(f"archive {seed} {position}")
    if chance.random() >= share:
        return None
    base = chance.choice(sorted(EMULSIONS))
    light = [weight * math.exp(chance.gauss(0, _JITTER)) for weight in EMULSIONS[base]]
    red, green, blue = (weight / sum(light) for weight in light)
    return Aging(
        red,
        green,
        blue,
        blur_px=chance.uniform(0, _MAX_BLUR_PX),
        gamma=math.exp(chance.uniform(-0.25, 0.25)),
        low=chance.uniform(0, 0.2),
        high=chance.uniform(0.75, 1),
        grain=chance.uniform(0, _MAX_GRAIN),
        grain_px=chance.uniform(0, _MAX_GRAIN_PX),
        seed=chance.getrandbits(31),
    )


def aged(linear: Tensor, lightness: Tensor, agings: Sequence[Aging | None]) -> Tensor:
    """Lightness as old film shows it, (N, 1, H, W) in [0, 1]: of linear RGB (N, 3, H, W) where there is an aging.

    The others keep `lightness`, (N, 1, H, W).
    """
    drawn = [aging for aging in agings if aging is not None]
    if not drawn:
        return lightness
    seeds = sent([each.seed for each in drawn], torch.empty(0, dtype=torch.long, device=linear.device))
    chosen = sent([number for number, aging in enumerate(agings) if aging is not None], seeds)
    values = sent([each[:-1] for each in drawn], linear)  # M, 9
    weights, (blur_px, gamma, low, high, grain, grain_px) = values[:, :3], values[:, 3:].unbind(1)
    light = (linear[chosen] * weights[:, :, None, None]).sum(dim=1, keepdim=True)  # M, 1, H, W
    film = (lightness_of(blurred(light, blur_px)) / 100).clamp(0, 1) ** _each(gamma)
    film = _each(low) + _each(high - low) * film
    spots = blurred(noise(seeds, film.shape[-2], film.shape[-1]), grain_px)
    spots = spots / spots.std(dim=(1, 2, 3), keepdim=True)
    visible = (4 * film * (1 - film)).clamp(min=0).sqrt()  # least in black and white
    result = lightness.clone()
    result[chosen] = (film + _each(grain) * visible * spots).clamp(0, 1)
    return result


def blurred(x: Tensor, sigma_px: Tensor) -> Tensor:
    """Each of (N, 1, H, W) under a Gaussian of its own σ (N,), edges repeated; σ near 0 changes nothing."""
    steps = torch.arange(-_RADIUS, _RADIUS + 1, device=x.device, dtype=x.dtype)
    kernels = torch.exp(-(steps**2) / (2 * sigma_px.clamp(min=0.05)[:, None] ** 2))  # N, K
    kernels = kernels / kernels.sum(dim=1, keepdim=True)
    count, size = len(x), len(steps)
    channels = functional.pad(x.transpose(0, 1), (_RADIUS,) * 4, mode="replicate")  # 1, N, H + 2R, W + 2R
    across = functional.conv2d(channels, kernels.view(count, 1, 1, size), groups=count)
    return functional.conv2d(across, kernels.view(count, 1, size, 1), groups=count).transpose(0, 1)


def noise(seeds: Tensor, height: int, width: int) -> Tensor:
    """Noise of mean 0 and deviation 1, nearly normal, (N, 1, height, width), of each seed (N,) alone.

    The four bytes of a 32-bit hash of pixel and seed, summed. The hash is lowbias32, C. Wellons, 2018.
    """
    mask = 0xFFFFFFFF
    pixels = torch.arange(height * width, device=seeds.device)
    x = (pixels[None] * 0x9E3779B1 + seeds[:, None] * 0x85EBCA77) & mask
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & mask
    x = ((x ^ (x >> 15)) * 0x846CA68B) & mask
    x = x ^ (x >> 16)
    total = torch.stack([(x >> shift) & 255 for shift in (0, 8, 16, 24)]).sum(dim=0)
    deviation = math.sqrt(4 * (256**2 - 1) / 12)
    return ((total - 4 * 127.5) / deviation).float().view(len(seeds), 1, height, width)


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]

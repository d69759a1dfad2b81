"""sRGB ⇄ CIELAB under D65 for the 2° observer, batched, on the device of the tensor.

sRGB's matrix and transfer curve: IEC 61966-2-1. CIELAB: CIE 15:2004, section 8.2.1, with the exact 6/29.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

AbRange = Literal["sigmoid", "tanh"]
SIGMOID_SPAN = 256.0
"""ab in [-128, 128] becomes [0, 1], neutral exactly 0.5."""
TANH_SPAN = 110.0
"""ab in [-110, 110], which holds sRGB's gamut ([-86.2, 98.2] and [-107.9, 94.5]), becomes [-1, 1]."""

_RGB_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_WHITE = tuple(sum(row) for row in _RGB_TO_XYZ)
"""D65 as the matrix has it, so that the ab of gray is 0; CIE's 0.95047, 1, 1.08883 to four digits."""
_KNEE = 6 / 29
_HALVINGS = 14


def sent(numbers: Sequence[object], like: Tensor) -> Tensor:
    """Numbers, nested as they may be, as a tensor of another's type and device; the processor does not wait for it."""
    return torch.tensor(numbers, dtype=like.dtype).to(like.device, non_blocking=True)


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """Linear light of sRGB's values, both in [0, 1], any shape."""
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055).clamp(min=0) ** 2.4)


def lightness_of(luminance: Tensor) -> Tensor:
    """CIELAB L, in [0, 100], of luminance relative to white's, any shape."""
    return 116 * _f(luminance) - 16


def linear_to_lab(linear: Tensor) -> Tensor:
    """CIELAB of linear RGB: (N, 3, H, W) in [0, 1] → (N, 3, H, W), L in [0, 100], a and b in CIELAB units."""
    xyz = torch.einsum("ij,njhw->nihw", sent(_RGB_TO_XYZ, linear), linear)
    x, y, z = _f(xyz / sent(_WHITE, xyz).view(1, 3, 1, 1)).unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=1)


def srgb_to_lab(rgb: Tensor) -> Tensor:
    """CIELAB of sRGB: (N, 3, H, W) in [0, 1] → (N, 3, H, W), L in [0, 100], a and b in CIELAB units."""
    return linear_to_lab(srgb_to_linear(rgb))


def lab_to_linear(lab: Tensor) -> Tensor:
    """Linear RGB of CIELAB, (N, 3, H, W) both; outside [0, 1] where the colour is outside sRGB's gamut."""
    y = (lab[:, 0] + 16) / 116
    f = torch.stack((y + lab[:, 1] / 500, y, y - lab[:, 2] / 200), dim=1)
    xyz = torch.where(f > _KNEE, f**3, 3 * _KNEE**2 * (f - 4 / 29))
    xyz = xyz * sent(_WHITE, xyz).view(1, 3, 1, 1)
    back = torch.linalg.inv(torch.tensor(_RGB_TO_XYZ, dtype=torch.float64)).to(xyz)
    return torch.einsum("ij,njhw->nihw", back, xyz)


def lab_to_srgb(lab: Tensor) -> Tensor:
    """Values of sRGB, in [0, 1], of CIELAB, (N, 3, H, W) both; channels are clipped, which shifts L out of gamut."""
    return _encoded(lab_to_linear(lab))


def lab_to_srgb_keeping_lightness(lab: Tensor) -> Tensor:
    """Values of sRGB, in [0, 1], of CIELAB, (N, 3, H, W) both, with L and hue kept.

    Where a colour is outside sRGB's gamut, its chroma is scaled down, pixel by pixel, to the greatest share
    that fits, found by halving to 1/16384.
    """
    pixels = lab.movedim(1, -1).reshape(-1, 3)  # N·H·W, 3
    outside = ~_in_gamut(lab).flatten()  # N·H·W
    pixels[outside] = _fitted(pixels[outside])
    fitted = pixels.view(lab.shape[0], *lab.shape[2:], 3).movedim(-1, 1)  # N, 3, H, W
    return lab_to_srgb(fitted)


def scale_ab(ab: Tensor, ab_range: AbRange) -> Tensor:
    """The networks' ab of CIELAB's, any shape: in [0, 1] with neutral 0.5 (sigmoid), or in [-1, 1] with 0 (tanh)."""
    return ab / SIGMOID_SPAN + 0.5 if ab_range == "sigmoid" else ab / TANH_SPAN


def ab_of_logits(logits: Tensor, ab_range: AbRange) -> Tensor:
    """CIELAB's ab, any shape, of a decoder's unbounded output: 0 → 0, never out of the range's span."""
    if ab_range == "sigmoid":
        return (logits.sigmoid() - 0.5) * SIGMOID_SPAN
    return logits.tanh() * TANH_SPAN


def to_bytes(rgb: Tensor) -> Tensor:
    """8-bit levels, rounded to nearest, of values in [0, 1]; any shape."""
    return (rgb * 255).round().clamp(0, 255).to(torch.uint8)


def _f(t: Tensor) -> Tensor:
    return torch.where(t > _KNEE**3, t.clamp(min=0) ** (1 / 3), t / (3 * _KNEE**2) + 4 / 29)


def _in_gamut(lab: Tensor) -> Tensor:
    linear = lab_to_linear(lab)
    return ((linear >= 0) & (linear <= 1)).all(dim=1)  # N, H, W


def _fitted(pixels: Tensor) -> Tensor:
    """Lab of (M, 3) pixels with chroma scaled down into the gamut."""
    lab = pixels.T[None, :, :, None]  # 1, 3, M, 1
    low, high = torch.zeros_like(lab[:, :1]), torch.ones_like(lab[:, :1])  # 1, 1, M, 1
    for _ in range(_HALVINGS):
        share = (low + high) / 2
        inside = _in_gamut(torch.cat((lab[:, :1], share * lab[:, 1:]), dim=1))[:, None]
        low, high = torch.where(inside, share, low), torch.where(inside, high, share)
    return torch.cat((lab[:, :1], low * lab[:, 1:]), dim=1)[0, :, :, 0].T  # M, 3


def _encoded(linear: Tensor) -> Tensor:
    linear = linear.clamp(0, 1)
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)

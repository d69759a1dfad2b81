"""The trunk: VGG16 (Simonyan and Zisserman, arXiv 1409.1556) up to conv4_3."""

from __future__ import annotations

import struct
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mhmd.errors import WeightsError
from mhmd.historynet.layers import scaled

STRIDE = 8
"""Pixels of the input to a pixel of the trunk's output."""

_LAYERS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512)


class Trunk(nn.Module):
    """VGG16 to conv4_3 with torchvision's numbering, so that `features.N.weight` fits as it is."""

    def __init__(self, width: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for layer in _LAYERS:
            if isinstance(layer, str):
                layers.append(nn.MaxPool2d(2))
                continue
            convolution = nn.Conv2d(channels, scaled(layer, width), 3, padding=1)
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]  # bias is there: Conv2d's default
            layers += [convolution, nn.ReLU()]
            channels = scaled(layer, width)
        self.features = nn.Sequential(*layers)

    def forward(self, lightness: Tensor) -> Tensor:
        """L in [0, 1], (N, 1, H, W), H and W multiples of 8 → (N, 512·width, H/8, W/8)."""
        return self.features(lightness.expand(-1, 3, -1, -1))  # type: ignore[no-any-return]  # nn.Module


def load_backbone(trunk: Trunk, weights: str) -> None:
    """Fill a trunk of width 1 with a safetensors file of torchvision's names, or with "torchvision"'s own weights.

    Layers after conv4_3 are passed over; any float type will do. Raises WeightsError for a file that is missing,
    is no safetensors or lacks a layer, and when torchvision's weights cannot be fetched.
    """
    found = _torchvision_weights() if weights == "torchvision" else _file_weights(Path(weights))
    wanted = trunk.state_dict()
    missing = [name for name, tensor in wanted.items() if name not in found or found[name].shape != tensor.shape]
    if missing:
        raise WeightsError(
            f"{weights} has no {missing[0]} of shape {tuple(wanted[missing[0]].shape)}",
            wanted="VGG16's convolutions under torchvision's names",
            do="choose another backbone_weights, or leave it empty",
        )
    trunk.load_state_dict({name: found[name].float() for name in wanted})


def _file_weights(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError, struct.error) as error:
        raise WeightsError(
            f"{path}: {error}", wanted="a readable safetensors file", do="check the path in backbone_weights"
        ) from None


def _torchvision_weights() -> dict[str, Tensor]:
    from torchvision.models import VGG16_Weights  # type: ignore[import-untyped]  # torchvision has no types

    try:
        with torch.no_grad():
            return dict(VGG16_Weights.IMAGENET1K_V1.get_state_dict(check_hash=True, weights_only=True))
    except OSError as error:
        raise WeightsError(
            f"torchvision's VGG16 weights could not be fetched: {error}",
            wanted="a connection to download.pytorch.org, once",
            do="name a safetensors file in backbone_weights, or leave it empty",
        ) from None

"""The trunk: VGG16 (Simonyan and Zisserman, arXiv 1409.1556) up to conv4_3."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mhmd.errors import WeightsError
from mhmd.historynet.layers import scaled

STRIDE = 8
"""Pixels of the input to a pixel of the trunk's output."""

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the pictures that torchvision's weights were trained on, RGB in [0, 1]."""
_LAYERS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512)


class Trunk(nn.Module):
    """VGG16 to conv4_3 with torchvision's numbering, so that `features.N.weight` fits as it is."""

    def __init__(self, width: float, imagenet_scale: bool) -> None:
        super().__init__()
        self.imagenet_scale = imagenet_scale
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
        given = imagenet_scaled(lightness) if self.imagenet_scale else lightness.expand(-1, 3, -1, -1)
        return self.features(given)  # type: ignore[no-any-return]  # nn.Module


def imagenet_scaled(lightness: Tensor) -> Tensor:
    """Gray as RGB, (N, 3, H, W), less ImageNet's mean and by its deviation: of (N, 1, H, W) in [0, 1]."""
    # numbers, not a tensor of them: sending that to a GPU would make the processor wait for all that it does
    scales = zip(IMAGENET_MEAN, IMAGENET_DEVIATION, strict=True)
    return torch.cat([(lightness - mean) / deviation for mean, deviation in scales], dim=1)


class Teacher(nn.Module):
    """The whole of VGG16, frozen: its answers are what the baseline's class head learns to give."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import vgg16  # type: ignore[import-untyped]  # torchvision has no types

        self.vgg16 = vgg16(weights=None)

    def forward(self, lightness: Tensor) -> Tensor:
        """L in [0, 1], (N, 1, H, W) → logits of ImageNet's classes, (N, 1000).

        The input is scaled as its weights want it, whatever the trunk is given.
        """
        return self.vgg16(imagenet_scaled(lightness))  # type: ignore[no-any-return]  # nn.Module


def read_weights(weights: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of "torchvision"'s own VGG16.

    Raises WeightsError for a file that is missing or no safetensors, and when torchvision's cannot be fetched.
    """
    return _torchvision_weights() if weights == "torchvision" else _file_weights(Path(weights))


def has_classifier(found: Mapping[str, Tensor]) -> bool:
    """Whether weights are of the whole VGG16, and not of its convolutions alone."""
    return any(name.startswith("classifier.") for name in found)


def load_trunk(trunk: Trunk, found: Mapping[str, Tensor], weights: str) -> None:
    """Fill a trunk of width 1; layers after conv4_3 are passed over, any float type will do. Raises WeightsError."""
    trunk.load_state_dict(_fitting(trunk.state_dict(), found, weights))


def load_teacher(found: Mapping[str, Tensor], weights: str) -> Teacher:
    """A teacher with these weights, in evaluation mode. Raises WeightsError when one is missing or does not fit."""
    with torch.device("meta"):
        teacher = Teacher()
    teacher.vgg16.load_state_dict(_fitting(teacher.vgg16.state_dict(), found, weights), assign=True)
    return teacher.eval().requires_grad_(False)


def _fitting(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], weights: str) -> dict[str, Tensor]:
    missing = [name for name, tensor in wanted.items() if name not in found or found[name].shape != tensor.shape]
    if missing:
        raise WeightsError(
            f"{weights} has no {missing[0]} of shape {tuple(wanted[missing[0]].shape)}",
            wanted="VGG16 under torchvision's names",
            do="choose another backbone_weights, or leave it empty",
        )
    for name in wanted:
        if not (found[name].is_floating_point() and found[name].isfinite().all()):
            raise WeightsError(
                f"{name} of {weights} is {found[name].dtype}, or not finite",
                wanted="finite floats",
                do="fetch it again, or choose another backbone_weights",
            )
    return {name: found[name].float() for name in wanted}


def _file_weights(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError, struct.error) as error:
        raise WeightsError(
            f"{path}: {error}", wanted="a readable safetensors file", do="check the path in backbone_weights"
        ) from None


def _torchvision_weights() -> dict[str, Tensor]:
    from torchvision.models import VGG16_Weights

    try:
        with torch.no_grad():
            return dict(VGG16_Weights.IMAGENET1K_V1.get_state_dict(check_hash=True, weights_only=True))
    except OSError as error:
        raise WeightsError(
            f"torchvision's VGG16 weights could not be fetched: {error}",
            wanted="a connection to download.pytorch.org, once",
            do="name a safetensors file in backbone_weights, or leave it empty",
        ) from None

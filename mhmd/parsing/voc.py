"""torchvision's networks for the classes of Pascal VOC, of which only the person is told from the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

from mhmd.errors import WeightsError
from mhmd.parsing.loading import as_input, fill, on_device, read_weights
from mhmd.parsing.parser import Parser

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mhmd.parsing.parser import Precision

PERSON = 15
"""Index of the person among the 21 classes."""
SIDE_PX = 520
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
"""ImageNet's, for levels of 0 to 255."""


def load_deeplabv3(weights: str, device: torch.device, precision: Precision) -> Parser:
    """DeepLab v3 on ResNet-50; `weights` is a file, empty = torchvision's own."""
    from torchvision.models import segmentation as models  # type: ignore[import-untyped]  # it comes without types

    own = models.DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1
    return _load("deeplabv3_resnet50", models.deeplabv3_resnet50, own, weights, device, precision)


def load_lraspp(weights: str, device: torch.device, precision: Precision) -> Parser:
    """LR-ASPP on MobileNet v3; `weights` is a file, empty = torchvision's own."""
    from torchvision.models import segmentation as models

    own = models.LRASPP_MobileNet_V3_Large_Weights.COCO_WITH_VOC_LABELS_V1
    return _load("lraspp", models.lraspp_mobilenet_v3_large, own, weights, device, precision)


def _load(
    name: str,
    make: Callable[..., Any],  # Any: torchvision's networks
    own: Any,  # Any: torchvision's enumeration of weights
    weights: str,
    device: torch.device,
    precision: Precision,
) -> Parser:
    import torch

    path = Path(weights) if weights else _downloaded(name, own.url)
    state = {key: value for key, value in read_weights(path).items() if not key.startswith("aux_classifier.")}
    network = make(weights=None, weights_backbone=None, num_classes=21)
    fill(network, state, path, name)
    on_device(network, device, precision)

    def logits(pictures: Tensor) -> Tensor:
        all_classes = network(as_input(pictures, precision, MEAN, STD))["out"].float()
        rest = torch.cat([all_classes[:, :PERSON], all_classes[:, PERSON + 1 :]], dim=1)
        return torch.stack([rest.amax(dim=1), all_classes[:, PERSON]], dim=1)

    classes, common = ("background", "person"), ("background", "other person parts")
    return Parser(name, "BSD-3-Clause", classes, common, SIDE_PX, SIDE_PX, device, logits)


def _downloaded(name: str, url: str) -> Path:
    """The weights of torchvision in torch's cache, fetched when they are not there. Raises WeightsError."""
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), progress=False)
        except (URLError, OSError) as error:
            raise WeightsError(
                f"the weights of {name} cannot be fetched: {error}",
                wanted=url,
                do=f"fetch it elsewhere and put it at {path}, or name its file with --weights",
            ) from None
    return path

"""MediaPipe's selfie multiclass segmentation, from the weights that come with mhmd.

It is good on close and medium shots, also in gray, and weak on small figures in wide ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.parsing.loading import as_input, fill, on_device, read_weights
from mhmd.parsing.network import SIDE_PX, SelfieNetwork
from mhmd.parsing.parser import Parser

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mhmd.parsing.parser import Precision

WEIGHTS = Path(__file__).with_name("selfie_multiclass.safetensors")
MID_GRAY = (127.5, 127.5, 127.5)
CLASSES = {
    "background": "background",
    "hair": "hair",
    "body-skin": "skin",
    "face-skin": "face",
    "clothes": "upper clothes",  # all clothes are one class
    "others": "accessory",
}
"""Its classes, and the common class of each."""
CLOSER = 0.75
"""Parts of a second look are of 192 px: nearly what 256 px gain, at a little more than half of the time."""


def load(weights: str, device: torch.device, precision: Precision) -> Parser:
    """The parser; `weights` is a file to take the place of those that come with mhmd."""
    path = Path(weights) if weights else WEIGHTS
    network = SelfieNetwork()
    fill(network, read_weights(path), path, "the selfie multiclass network")
    on_device(network, device, precision)

    def logits(pictures: Tensor) -> Tensor:
        answer: Tensor = network(as_input(pictures, precision, MID_GRAY, MID_GRAY)).float()
        return answer

    common = tuple(CLASSES.values())
    return Parser("selfie-multiclass", "Apache-2.0", tuple(CLASSES), common, SIDE_PX, SIDE_PX, device, logits, CLOSER)

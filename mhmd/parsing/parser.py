"""What a parser is, and which there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal, cast

from mhmd.errors import RecipeError, WeightsError
from mhmd.parsing.ontology import CLOTHES

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PARSERS = {
    "selfie-multiclass": "mhmd.parsing.selfie_multiclass:load",
    "segformer": "mhmd.parsing.segformer:load",
    "deeplabv3_resnet50": "mhmd.parsing.voc:load_deeplabv3",
    "lraspp": "mhmd.parsing.voc:load_lraspp",
}
"""Parsers by name: the module and the function that loads it, which is imported when it is chosen."""

LICENCES = {
    "segformer": "the card of mattmdjaga/segformer_b2_clothes says MIT; the SegFormer weights that it was trained from "
    "are under NVIDIA's licence, which allows no commercial use",
    "deeplabv3_resnet50": "torchvision's weights, BSD-3-Clause, trained on COCO",
    "lraspp": "torchvision's weights, BSD-3-Clause, trained on COCO",
}
"""What a user should have read before parsers with weights from elsewhere are used."""

Precision = Literal["float32", "bfloat16"]

MOST_CLASSES = 256
"""As many as a mask of 8 bits can tell apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Parser:
    """Gives every pixel a class, and says what it is."""

    name: str  # in `PARSERS`
    licence: str  # of its weights, an SPDX identifier where there is one
    classes: tuple[str, ...]  # a pixel's value indexes them
    common: tuple[str, ...]  # the class of `ontology.COMMON` of each
    height: int  # of the pictures it takes, px
    width: int  # of the pictures it takes, px
    device: torch.device
    logits: Callable[[Tensor], Tensor]  # RGB N×height×width×3, uint8, on the device, to N×classes×h×w, float32
    closer: float = 1.0  # share of height and width at which it takes the parts of a second look

    @property
    def person(self) -> frozenset[str]:
        """The classes that are a person, or worn or carried by one."""
        return frozenset(name for name, common in zip(self.classes, self.common, strict=True) if common != "background")

    @property
    def clothes(self) -> frozenset[str]:
        """The classes that are clothes."""
        return frozenset(name for name, common in zip(self.classes, self.common, strict=True) if common in CLOTHES)


def load_parser(name: str, device: str, weights: str = "", precision: Precision = "float32") -> Parser:
    """The parser of this name, ready to use on a device: auto, cpu, cuda, cuda:N or mps.

    `weights` is a file, a folder or a name that the parser knows; empty = its own. Raises RecipeError for other names,
    WeightsError, DependencyError, UsageError for a device that is not there.
    """
    from mhmd.device import torch_device

    if name not in PARSERS:
        raise RecipeError(f"no parser {name!r}", wanted=f"one of {', '.join(PARSERS)}", do="change the parser")
    module, function = PARSERS[name].split(":")
    parser = cast(Parser, getattr(import_module(module), function)(weights, torch_device(device), precision))
    if len(parser.classes) > MOST_CLASSES:
        raise WeightsError(
            f"{weights or name} has {len(parser.classes)} classes",
            wanted=f"{MOST_CLASSES} at most, for masks have 8 bits",
            do="name another model",
        )
    return parser


def licence_notice(name: str, weights: str) -> str:
    """What must be said of the licence before this parser is used; empty for the one that comes with mhmd."""
    if name not in LICENCES:
        return ""
    if weights:
        return f"parser {name}, weights {weights}: look for their licence where they come from"
    return f"parser {name}: {LICENCES[name]}"

"""Any semantic segmentation that Hugging Face's transformers load, by a hub name or from a local folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mhmd.errors import DependencyError, WeightsError
from mhmd.parsing.loading import as_input, on_device
from mhmd.parsing.ontology import common_of_all
from mhmd.parsing.parser import LICENCES, Parser

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mhmd.parsing.parser import Precision

DEFAULT = "mattmdjaga/segformer_b2_clothes"
"""18 classes of clothes and parts of the body."""
SIDE_PX = 512
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, where the folder says nothing of its own."""


def load(weights: str, device: torch.device, precision: Precision) -> Parser:
    """The parser; `weights` is a hub name or a folder with config.json, empty = `DEFAULT`.

    Raises DependencyError without transformers, WeightsError.
    """
    try:
        from safetensors import SafetensorError
        from transformers import AutoModelForSemanticSegmentation
        from transformers.utils import logging
    except ImportError:
        raise DependencyError(
            "transformers is not installed", wanted="the extra parse", do="install it: pip install transformers"
        ) from None
    name = weights or DEFAULT
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers says no types there
    try:
        network, report = AutoModelForSemanticSegmentation.from_pretrained(name, output_loading_info=True)
        preparing = _preparing(name)
    except (OSError, ValueError, TypeError, RuntimeError, KeyError, SafetensorError) as error:
        raise _not_loaded(name, error) from None
    lacking = sorted(str(each) for each in report["missing_keys"])
    if lacking:
        raise WeightsError(
            f"{name} has no {lacking[0]}; {len(lacking)} weights are not there",
            wanted="a model for semantic segmentation, its head trained",
            do="name another hub model or folder with --weights",
        )
    on_device(network, device, precision)
    labels = {int(number): label for number, label in network.config.id2label.items()}
    classes = tuple(labels[number] for number in sorted(labels))
    height, width = _size(preparing.get("size"))
    mean = tuple(255.0 * each for each in preparing.get("image_mean") or MEAN)
    std = tuple(255.0 * each for each in preparing.get("image_std") or STD)

    def logits(pictures: Tensor) -> Tensor:
        answer: Tensor = network(pixel_values=as_input(pictures, precision, mean, std)).logits.float()
        return answer

    licence = LICENCES["segformer"] if name == DEFAULT else f"that of {name}"
    return Parser("segformer", licence, classes, common_of_all(classes), height, width, device, logits)


def _size(said: object) -> tuple[int, int]:
    """Height and width of the pictures: what the folder says, also in the older way of one number for both."""
    if isinstance(said, dict):
        return int(said.get("height", SIDE_PX)), int(said.get("width", SIDE_PX))
    side = said if isinstance(said, int) and said > 0 else SIDE_PX
    return side, side


def _preparing(name: str) -> dict[str, Any]:  # Any: JSON
    """What preprocessor_config.json says; nothing where there is none."""
    from transformers.utils.hub import cached_file

    path = cached_file(name, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False)
    return dict(json.loads(Path(path).read_text("utf-8"))) if path else {}


def _not_loaded(name: str, error: Exception) -> WeightsError:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    if Path(name).exists():
        return WeightsError(
            f"{name}: {first}",
            wanted="a folder with config.json and model.safetensors of a semantic segmentation",
            do="save it with save_pretrained, or name another",
        )
    return WeightsError(
        f"{name} cannot be fetched: {first}",
        wanted=f"https://huggingface.co/{name}, its config.json, preprocessor_config.json and model.safetensors",
        do="fetch these into a folder elsewhere and name the folder with --weights",
    )

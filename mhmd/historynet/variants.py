"""What sets the variants apart: the layers of each, and the values that its knobs start from.

`baseline`, `classifier`, `parsing` and `full` are the paper's ablation, quirks included; `ours` has the same three
parts with the quirks mended. Each quirk is a knob of its own, so that a run can change one factor and leave the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Variant = Literal["baseline", "classifier", "parsing", "full", "ours"]
VARIANTS: tuple[Variant, ...] = ("baseline", "classifier", "parsing", "full", "ours")


@dataclass(frozen=True, slots=True)
class Layout:
    """How many convolutions lie where the variants differ; the decoder's are those that keep size and channels."""

    decoder_at_28: int
    decoder_at_56: int
    decoder_at_112: int
    parsing: bool  # whether there is a parsing branch, whose taps the decoder gets
    parsing_before_112: int = 0
    parsing_at_112: int = 0


_FULL = Layout(1, 2, 1, parsing=True, parsing_before_112=2, parsing_at_112=1)
LAYOUTS: Mapping[str, Layout] = {
    "baseline": Layout(0, 1, 0, parsing=False),
    "classifier": Layout(1, 1, 1, parsing=False),
    "parsing": Layout(1, 1, 1, parsing=True, parsing_before_112=1),
    "full": _FULL,
    "ours": _FULL,
}

_PAPER = {
    "class_head": "labels",
    "mask_target": "gray",
    "colour_class": "info",
    "input_scale": "plain",
    "ab_range": "sigmoid",
    "framing": "squash",
    "answers_to_colour": False,
    "weight_ab": 2.0,
    "weight_class": 0.002,
    "weight_critic": 0.1,
    "weight_parsing": 0.002,
    "weight_info": 0.002,
}
PRESETS: Mapping[str, Mapping[str, Any]] = {  # Any: values of knobs
    "baseline": _PAPER
    | {
        "class_head": "imagenet",
        "weight_ab": 1.0,
        "weight_class": 0.003,
        "weight_parsing": 0.0,
        "weight_info": 0.0,
    },
    "classifier": _PAPER | {"weight_parsing": 0.0},
    "parsing": _PAPER | {"weight_info": 0.0},
    "full": _PAPER,
    "ours": {
        "class_head": "attributes",
        "mask_target": "classes",
        "colour_class": "labels",
        "input_scale": "imagenet",
        "ab_range": "tanh",
        "framing": "crop",
        "answers_to_colour": True,
        "weight_ab": 2.0,
        "weight_class": 0.01,
        "weight_critic": 0.1,
        "weight_parsing": 0.05,
        "weight_info": 0.002,
    },
}
"""The values that knobs have by default, by variant; whatever a recipe or an option says comes first."""

"""What a parser is, and which there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from mhmd.errors import RecipeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARSERS = {"selfie-multiclass": "mhmd.parsing.selfie_multiclass:SelfieMulticlass"}
"""Parsers by name: the module and the class, which is imported when it is chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class Parsing:
    """The parsing of one picture."""

    mask: NDArray[np.uint8]  # H, W: index into the parser's classes, at the picture's own size
    confidence: float  # mean over the picture of the highest class probability, 0 to 1


class Parser(Protocol):
    """Gives every pixel a class. It is made with the device to run on: cpu, cuda or auto."""

    @property
    def name(self) -> str:
        """Its name in `PARSERS`."""

    @property
    def licence(self) -> str:
        """Licence of its weights, as an SPDX identifier where there is one."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; a pixel's value indexes them."""

    @property
    def person(self) -> frozenset[str]:
        """The classes that are a person, or worn or carried by one."""

    @property
    def clothes(self) -> frozenset[str]:
        """The classes that are clothes."""

    def parse(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Parsing]:
        """The parsings of RGB pictures H×W×3, each of its own size, in their order."""


def load_parser(name: str, device: str) -> Parser:
    """The parser of this name, ready to use. Raises RecipeError for other names, WeightsError."""
    if name not in PARSERS:
        raise RecipeError(f"no parser {name!r}", wanted=f"one of {', '.join(PARSERS)}", do="change the parser")
    module, constructor = PARSERS[name].split(":")
    return cast(Parser, getattr(import_module(module), constructor)(device))

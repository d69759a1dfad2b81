"""What is stored of a frame's parsing beside its mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mhmd.parsing.mask import looked_up, persons, shares
from mhmd.parsing.ontology import CLOTHES, COMMON
from mhmd.records import Mask

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COUNTED_PX = 320
"""Long side of the mask in which persons are counted, at most."""


class Vocabulary(Protocol):
    """Who made a mask, and what its values mean: a parser, or whoever else."""

    @property
    def name(self) -> str: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def common(self) -> tuple[str, ...]: ...


def mask_row(
    film_id: str, frame_id: str, of: Vocabulary, mask: NDArray[np.uint8], confidence: float, looks: int = 0
) -> Mask:
    """The row of a mask H×W of class indices; where it lies is not known yet."""
    import numpy as np

    own = shares(mask, len(of.classes))
    step = -(-max(mask.shape) // COUNTED_PX)
    coarse = np.ascontiguousarray(mask[::step, ::step])
    person, clothes, face = (
        np.array([name in some for name in of.common], np.uint8)
        for some in (set(COMMON) - {"background"}, CLOTHES, {"face"})
    )
    return Mask(
        film_id=film_id,
        frame_id=frame_id,
        ref="",
        parser=of.name,
        classes=of.classes,
        person_share=float(person @ own),
        clothes_share=float(clothes @ own),
        confidence=confidence,
        class_shares=tuple(own.tolist()),
        common_shares=tuple(float(own[[name == common for name in of.common]].sum()) for common in COMMON),
        persons=persons(looked_up(person, coarse), looked_up(face, coarse)),
        looks=looks,
        disagreement=None,
    )

"""Black bars around the picture, by a vote of frames spread over the film."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BRIGHT_LUMA = 32.0
"""Mean luma, 0 to 255, from which a frame may vote: in a dark frame the picture itself is black."""

BLACK_LUMA = 20
"""Luma, 0 to 255, up to which a row or column is black, once its brightest 2% are left out."""

BRIGHTEST_SHARE = 0.02
"""Left out of each row and column: dust, ringing at the picture's edge, a station's mark."""

MIN_VOTES = 3

MIN_PICTURE_SHARE = 1 / 3
"""Of width and of height: if less would remain, it is a title card or a night scene, not bars."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Rows and columns that belong to no picture, px."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


def bars_of(lumas: Iterable[NDArray[np.uint8]]) -> Bars:
    """The bars of a film from luma pictures of it (H×W, 0 to 255, all of one size).

    A bar is what is black in every frame that is bright enough to vote, so one frame without bars is enough to keep
    them all. No bars without three votes. What remains has an even width and height.
    """
    import numpy as np

    keep = round(100 * (1 - BRIGHTEST_SHARE))
    levels: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = [
        (np.percentile(luma, keep, axis=1), np.percentile(luma, keep, axis=0))
        for luma in lumas
        if luma.mean() >= BRIGHT_LUMA
    ]
    if len(levels) < MIN_VOTES:
        return Bars()
    top, bottom = _ends(np.max([rows for rows, _ in levels], axis=0))
    left, right = _ends(np.max([columns for _, columns in levels], axis=0))
    return Bars(left=left, top=top, right=right, bottom=bottom)


def _ends(level: NDArray[np.float64]) -> tuple[int, int]:
    """How many black entries a profile begins and ends with; the second is raised to leave an even number between."""
    import numpy as np

    lit = np.flatnonzero(level > BLACK_LUMA)
    if len(lit) == 0:
        return 0, 0
    start, end = int(lit[0]), int(lit[-1]) + 1
    if end - start < MIN_PICTURE_SHARE * len(level):
        return 0, 0
    if (end - start) % 2 and (start, end) != (0, len(level)):
        end -= 1
    return start, len(level) - end

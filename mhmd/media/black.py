"""How black the bars of a film are: those of tapes are gray and full of noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Luma = NDArray[np.uint8]

BRIGHT_LUMA = 32.0
"""Mean luma, 0 to 255, from which a frame tells of bars: in a dark frame the picture itself is black."""

BLACK_LUMA = 20
"""Luma, 0 to 255, up to which a pixel is black at least."""

RAISED_LUMA = 40.0
"""From here on an edge is no bar but picture. Tapes with the American setup have bars at 19."""

FIRST, MOST = 8, 0.75
"""So many bright frames are looked at, and in this share of them both edges are flat, where bars are raised."""

FLAT, ALIKE = 24.0, 4.0
"""Between the tenth and the ninetieth percentile of a bar's luma there is no more than this, which is noise; between
the levels of bars no more than that."""

STRIP = 90
"""The part of the side that is looked at, at either end, and two lines at least: bars are wider."""

NOISE, LEAST = 2.5, 8.0
"""So many times as far above the bars' level as the ninetieth percentile is black, too: three deviations of noise, also
where its lower half is cut off at 0; and so much at least."""


def black_of(lumas: Iterable[Luma]) -> tuple[int, Iterator[Luma]]:
    """The luma up to which a film's pixels are black, and those of its luma pictures (H×W, 0 to 255) that are bright.

    That is `BLACK_LUMA`, or more where two opposite edges of most frames are flat, dark and alike. Few are held.
    """
    bright = (luma for luma in lumas if luma.mean() >= BRIGHT_LUMA)
    first = list(islice(bright, FIRST))
    raised = max(_raised(first), _raised([luma.T for luma in first]))
    return max(BLACK_LUMA, round(raised)), chain(first, bright)


def _raised(lumas: Sequence[Luma]) -> float:
    """The luma up to which bars above and below are black; 0 where both are not flat, dark and alike."""
    import numpy as np

    wide = max(2, len(lumas[0]) // STRIP) if lumas else 0
    if not lumas or len(lumas[0]) < 4 * wide:
        return 0.0
    edges = np.array([(luma[wide : 2 * wide], luma[-2 * wide : -wide]) for luma in lumas])
    low, level, high = np.percentile(edges.reshape(len(lumas), 2, -1), (10, 50, 90), axis=2)  # each frames × 2
    flat = ((high - low <= FLAT) & (level < RAISED_LUMA)).all(axis=1)
    if flat.mean() < MOST or np.ptp(np.percentile(level[flat], (10, 90))) > ALIKE:
        return 0.0
    return float(np.median(level[flat]) + max(LEAST, NOISE * np.median((high - level)[flat])))

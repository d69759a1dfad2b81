"""Lines of text in a picture: bands of strokes that follow each other closely from left to right."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int32] | NDArray[np.float64]

STROKE_PX = 13
"""Strokes are what is narrower than this: letters, up to the height that is looked for."""

MIN_CONTRAST = 20
"""Levels of luma by which a stroke stands out at the least; codecs and grain stay below it."""


class Boxes(NamedTuple):
    """Boxes around connected groups of strokes, in px, and what is in them; arrays with an entry for each.

    `fill` is the share of the box that the closed group covers, `ink` that of its strokes, `strokes` how many of them
    a row crosses on a stretch as long as the box is high.
    """

    x: Numbers
    y: Numbers
    w: Numbers
    h: Numbers
    fill: Numbers
    ink: Numbers
    strokes: Numbers

    def where(self, chosen: NDArray[np.bool_]) -> Boxes:
        """Those chosen."""
        x, y, w, h, fill, ink, strokes = (values[chosen] for values in self)
        return Boxes(x, y, w, h, fill, ink, strokes)


def strokes_of(luma: NDArray[np.uint8], *, bright: bool) -> NDArray[np.uint8]:
    """How far each pixel of H×W is brighter (or darker) than all that is wider than a stroke around it."""
    import numpy as np

    from mhmd.media.opencv import cv2

    kind = cv2.MORPH_TOPHAT if bright else cv2.MORPH_BLACKHAT
    return cv2.morphologyEx(luma, kind, np.ones((STROKE_PX, STROKE_PX), np.uint8)).astype(np.uint8, copy=False)


def groups(mask: NDArray[np.uint8], gap_px: int) -> Boxes:
    """Groups of the strokes in a mask H×W of 0 and 1: those with gaps of less than `gap_px` in a row between them."""
    import numpy as np

    from mhmd.media.opencv import cv2

    bridge = np.ones((1, gap_px), np.uint8)
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, bridge, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    _, _, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=4)
    x, y, w, h, area = stats[1:].T
    begins = mask.copy()
    begins[:, 1:] &= 1 - mask[:, :-1]
    size = (w * h).astype(np.float64)
    ink, count = (_sums(of, x, y, w, h) for of in (mask, begins))
    return Boxes(x, y, w, h, area / size, ink / size, count / w)


def _sums(mask: NDArray[np.uint8], x: Numbers, y: Numbers, w: Numbers, h: Numbers) -> NDArray[np.int32]:
    """Sums of a mask over boxes."""
    from mhmd.media.opencv import cv2

    total = cv2.integral(mask)
    sums: NDArray[np.int32] = total[y + h, x + w] - total[y, x + w] - total[y + h, x] + total[y, x]
    return sums

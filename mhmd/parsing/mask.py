"""A mask as bytes, an 8-bit gray PNG whose values are class indices, and what is counted in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PNG_COMPRESSION = 6
MIN_FIGURE_SHARE = 0.002
"""Smaller parts of a picture are no persons."""
MIN_FACE_SHARE = 0.0004
"""Smaller parts of a picture are no faces."""


def encode_mask(mask: NDArray[np.uint8]) -> bytes:
    """The PNG of class indices H×W: gray, because loaders silently turn a palette's indices into its colours.

    Rows are not filtered and only runs are looked for: smaller than the default for masks, at a fifth of the time.
    """
    from mhmd.media.opencv import cv2

    how = {
        cv2.IMWRITE_PNG_COMPRESSION: PNG_COMPRESSION,
        cv2.IMWRITE_PNG_STRATEGY: cv2.IMWRITE_PNG_STRATEGY_RLE,
        cv2.IMWRITE_PNG_FILTER: cv2.IMWRITE_PNG_FILTER_NONE,
    }
    done, data = cv2.imencode(".png", mask, [number for pair in how.items() for number in pair])
    assert done, f"OpenCV cannot encode a mask of shape {mask.shape}"
    return bytes(data)


def shares(mask: NDArray[np.uint8], classes: int) -> NDArray[np.float64]:
    """Share of the pixels that each of so many classes has, 0 to 1."""
    from mhmd.media.opencv import cv2

    counts = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel()[:classes].astype("float64")
    share: NDArray[np.float64] = counts / mask.size
    return share


def persons(kinds: NDArray[np.uint8], faces: NDArray[np.uint8]) -> int:
    """How many persons are in a picture: connected figures, and where several faces are in one, so many.

    `kinds` and `faces` are H×W, not 0 where there is a person, or a face. Persons who touch and turn away count as one.
    """
    import numpy as np

    from mhmd.media.opencv import cv2

    count, of, stats, _ = cv2.connectedComponentsWithStats(kinds, connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= MIN_FIGURE_SHARE * kinds.size
    if not large[1:].any():
        return 0
    number, _, face_stats, middles = cv2.connectedComponentsWithStats(faces, connectivity=8)
    seen = np.zeros(count, np.int64)
    for face in range(1, number):
        if face_stats[face, cv2.CC_STAT_AREA] >= MIN_FACE_SHARE * faces.size:
            x, y = (min(round(at), top - 1) for at, top in zip(middles[face], reversed(faces.shape), strict=True))
            seen[of[y, x]] += 1
    return int(np.maximum(seen[1:], 1)[large[1:]].sum())

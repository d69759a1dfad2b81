"""Perceptual hashes of pictures, and which of them are near each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLAT_STD = 2.0
"""Standard deviation of luma, 0 to 127.5, under which a 32×32 thumbnail has no structure to hash."""

ROUNDING = 0.6
"""Cosine coefficients (orthonormal) of a 32×32 thumbnail that are nearer than this to their median owe their bit to
chance: rounding to whole levels moves each by 0.29 (standard deviation), and this is twice that."""

BLOCK_ROWS = 256
BLOCK_COLUMNS = 1 << 14
"""One block of distances holds this many rows and columns: some 40 MB."""


def phash(rgb: NDArray[np.uint8]) -> int | None:
    """The 64-bit `imagehash.phash` of an RGB picture H×W×3, or None for one without structure.

    Bit 63 is the lowest frequency in both directions, bit 0 the highest: the integer of the hash's own hex string.
    Black and flat pictures and mere gradients have hashes made of noise and rounding, by which strangers match: where
    most bits are, there is no hash.
    """
    import imagehash
    import numpy as np
    from PIL import Image

    from mhmd.media.opencv import cv2

    thumbnail = Image.fromarray(rgb).convert("L").resize((32, 32), Image.Resampling.LANCZOS)  # as phash does
    luma = np.asarray(thumbnail, np.float32)
    if luma.std() < FLAT_STD:
        return None
    low = cv2.dct(luma)[:8, :8]  # what phash compares with its median
    if np.count_nonzero(np.abs(low - np.median(low)) < ROUNDING) > low.size // 2:
        return None
    return int(str(imagehash.phash(thumbnail)), 16)


def pairs_within(
    hashes: NDArray[np.uint64], radius: int, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """All pairs of hashes at Hamming distance `radius` or less: arrays i, j (i < j) and distance, ordered by i, then j.

    Exact, in time proportional to the square of their number; memory holds one block and the pairs found.
    """
    import numpy as np

    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]] = []
    for row in range(0, len(hashes), BLOCK_ROWS):
        progress(row, len(hashes))
        rows = hashes[row : row + BLOCK_ROWS, None]
        for column in range(row, len(hashes), BLOCK_COLUMNS):
            distance = np.bitwise_count(rows ^ hashes[None, column : column + BLOCK_COLUMNS])
            i, j = np.nonzero(distance <= radius)
            upper = i + row < j + column
            found.append((i[upper] + row, j[upper] + column, distance[i[upper], j[upper]]))
    i, j, distance = (
        np.concatenate([part[k] for part in found]) if found else np.empty(0, kind)
        for k, kind in enumerate((np.int64, np.int64, np.uint8))
    )
    order = np.lexsort((j, i))
    return i[order], j[order], distance[order]

"""Perceptual hashes of pictures; `mhmd.hashing.hamming` finds which of them are near each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLAT_STD = 2.0
"""Standard deviation of luma, 0 to 127.5, under which a 32×32 thumbnail has no structure to hash."""

ROUNDING = 0.6
"""Cosine coefficients (orthonormal) of a 32×32 thumbnail that are nearer than this to their median owe their bit to
chance: rounding to whole levels moves each by 0.29 (standard deviation), and this is twice that."""


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

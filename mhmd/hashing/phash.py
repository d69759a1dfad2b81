"""Perceptual hashes of pictures; `mhmd.hashing.hamming` finds which of them are near each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FLAT_STD = 2.0
"""Standard deviation of luma, 0 to 127.5, under which a 32×32 thumbnail has no structure to hash."""

ROUNDING = 0.6
"""Cosine coefficients (orthonormal) of a 32×32 thumbnail that are nearer than this to their median owe their bit to
chance: rounding to whole levels moves each by 0.29 (standard deviation), and this is twice that."""


SURE = 1e-6
"""Coefficients nearer than this to their median are compared by imagehash itself: here others may round otherwise."""


def phash(rgb: NDArray[np.uint8]) -> int | None:
    """The 64-bit `imagehash.phash` of an RGB picture H×W×3, or None for one without structure.

    Bit 63 is the lowest frequency in both directions, bit 0 the highest: the integer of the hash's own hex string.
    Black and flat pictures and mere gradients have hashes made of noise and rounding, by which strangers match: where
    most bits are, there is no hash.
    """
    import numpy as np
    from PIL import Image

    from mhmd.hashing.thumbnail import thumbnail
    from mhmd.media.opencv import cv2

    size = rgb.shape[1::-1]
    padded = cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA)  # as Pillow holds pixels: it need not copy them
    picture = Image.frombuffer("RGBX", size, padded, "raw", "RGBX", 0, 1)
    luma = thumbnail(np.asarray(picture.convert("L")))  # as imagehash does
    if luma.std() < FLAT_STD:
        return None
    low = cv2.dct(luma.astype(np.float64))[:8, :8].astype(np.float64, copy=False)
    if np.count_nonzero(np.abs(low - np.median(low)) < ROUNDING) > low.size // 2:
        return None
    low[0] *= math.sqrt(2)  # imagehash's transform is not orthonormal
    low[:, 0] *= math.sqrt(2)
    apart = low - np.median(low)
    if np.abs(apart).min() < SURE:
        return _by_imagehash(luma)
    return int.from_bytes(np.packbits(apart > 0).tobytes(), "big")


def _by_imagehash(luma: NDArray[np.uint8]) -> int:
    import imagehash
    from PIL import Image

    return int(str(imagehash.phash(Image.fromarray(luma))), 16)

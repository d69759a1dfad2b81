"""A mask as bytes: an 8-bit gray PNG whose values are class indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PNG_COMPRESSION = 6


def encode_mask(mask: NDArray[np.uint8]) -> bytes:
    """The PNG of class indices H×W: gray, because loaders silently turn a palette's indices into its colours."""
    from mhmd.media.opencv import cv2

    done, data = cv2.imencode(".png", mask, [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION])
    assert done, f"OpenCV cannot encode a mask of shape {mask.shape}"
    return bytes(data)


def shares(mask: NDArray[np.uint8], classes: int) -> NDArray[np.float64]:
    """Share of the pixels that each of so many classes has, 0 to 1."""
    import numpy as np

    return np.bincount(mask.ravel(), minlength=classes) / mask.size

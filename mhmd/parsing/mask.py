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


def decode_mask(data: bytes, key: str) -> NDArray[np.uint8]:
    """The class indices H×W of a mask's PNG. Raises DatasetError, which names the frame, when it is not 8-bit gray."""
    import numpy as np

    from mhmd.errors import DatasetError
    from mhmd.media.opencv import cv2

    mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if mask is None or mask.dtype != np.uint8 or mask.ndim != 2:
        found = "no picture" if mask is None else f"{mask.dtype} of shape {mask.shape}"
        raise DatasetError(f"the mask of {key} is {found}", wanted="8-bit gray", do="run mhmd check")
    return mask.astype(np.uint8, copy=False)


def shares(mask: NDArray[np.uint8], classes: int) -> NDArray[np.float64]:
    """Share of the pixels that each of so many classes has, 0 to 1."""
    import numpy as np

    return np.bincount(mask.ravel(), minlength=classes) / mask.size

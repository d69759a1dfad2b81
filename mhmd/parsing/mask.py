"""A mask as bytes, an 8-bit gray PNG whose values are class indices, and what is counted in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PNG_COMPRESSION = 6
MIN_FIGURE_SHARE = 0.002
"""Smaller parts of a picture are no persons."""
MIN_OF_LARGEST = 0.2
"""Nor are parts so much smaller than the largest figure, and so it is with the faces of one figure."""


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


def decode_mask(data: bytes, key: str) -> NDArray[np.uint8]:
    """The class indices H×W of a mask's PNG. Raises DatasetError, which names the frame, when it is not 8-bit gray."""
    import numpy as np

    from mhmd.errors import DatasetError
    from mhmd.media.opencv import cv2
    from mhmd.parsing.png import plain_png

    plain = plain_png(data)
    if plain is not None:
        return plain
    try:
        mask = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    except cv2.error:  # a size beyond all bounds
        mask = None
    if mask is None or mask.dtype != np.uint8 or mask.ndim != 2:
        found = "no picture" if mask is None else f"{mask.dtype} of shape {mask.shape}"
        raise DatasetError(f"the mask of {key} is {found}", wanted="8-bit gray", do="run mhmd check")
    return mask.astype(np.uint8, copy=False)


def shares(mask: NDArray[np.uint8], classes: int) -> NDArray[np.float64]:
    """Share of the pixels that each of so many classes has, 0 to 1."""
    from mhmd.media.opencv import cv2

    counts = cv2.calcHist([mask], [0], None, [256], [0, 256]).ravel()[:classes].astype("float64")
    share: NDArray[np.float64] = counts / mask.size
    return share


def persons(figures: NDArray[np.uint8], faces: NDArray[np.uint8]) -> int:
    """How many persons are in a picture: connected figures, and where several faces are in one, so many.

    `figures` and `faces` are H×W, not 0 where there is a person, or a face. Persons who touch and turn away are one.
    """
    import numpy as np

    from mhmd.media.opencv import cv2

    _, of, stats, _ = cv2.connectedComponentsWithStats(figures, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if not len(areas) or areas.max() < MIN_FIGURE_SHARE * figures.size:
        return 0
    large = areas >= max(MIN_FIGURE_SHARE * figures.size, MIN_OF_LARGEST * areas.max())
    _, _, face_stats, middles = cv2.connectedComponentsWithStats(faces, connectivity=8)
    seen: dict[int, list[int]] = {}
    for face, (x, y) in zip(face_stats[1:], np.rint(middles[1:]).astype(int), strict=True):
        seen.setdefault(int(of[y, x]), []).append(int(face[cv2.CC_STAT_AREA]))
    faces_of = [seen.get(number, [1]) for number in range(1, len(areas) + 1)]
    return sum(
        sum(area >= MIN_OF_LARGEST * max(of_one) for area in of_one)
        for of_one, counts in zip(faces_of, large, strict=True)
        if counts
    )


def looked_up(values: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The value of each pixel's class."""
    import numpy as np

    from mhmd.media.opencv import cv2

    return cv2.LUT(mask, np.pad(values, (0, 256 - len(values)))).astype(np.uint8, copy=False)

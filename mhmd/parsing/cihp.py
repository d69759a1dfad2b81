"""Masks in the colours of CIHP, stored as JPEG: colours back to classes.

JPEG mixes the colours at edges into such as belong to other classes. A pixel whose colour is not near one of the
palette takes the class of the nearest pixel whose colour is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhmd.errors import PictureError
from mhmd.parsing.ontology import common_of_all

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAME = "mhmd-original"
CLASSES = (
    "background", "hat", "hair", "glove", "sunglasses", "upper-clothes", "dress", "coat", "socks", "pants",
    "torso-skin", "scarf", "skirt", "face", "left-arm", "right-arm", "left-leg", "right-leg", "left-shoe", "right-shoe",
)  # fmt: skip
PALETTE = (
    (0, 0, 0), (128, 0, 0), (255, 0, 0), (0, 85, 0), (170, 0, 51), (255, 85, 0), (0, 0, 85), (0, 119, 221), (85, 85, 0),
    (0, 85, 85), (85, 51, 0), (52, 86, 128), (0, 128, 0), (0, 0, 255), (51, 170, 221), (0, 255, 255), (85, 255, 170),
    (170, 255, 85), (255, 255, 0), (255, 170, 0),
)  # fmt: skip
"""RGB of each class."""

NEAR = 17.0
"""A colour so near to one of the palette (Euclidean, of 255 levels) is taken for it: half of what parts the two nearest
in the palette."""

GRAY_SPREAD = 12
"""Channels that differ no more than this everywhere are gray."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Who made the masks, and what their values mean."""

    name: str
    classes: tuple[str, ...]
    common: tuple[str, ...]


VOCABULARY = Palette(NAME, CLASSES, common_of_all(CLASSES))


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """A mask of class indices H×W, and the share of its pixels whose colour was near one of the palette."""

    mask: NDArray[np.uint8]
    sure: float


def classes_of(jpeg: bytes) -> Classes:
    """The classes of a mask in colours. Raises PictureError for a gray one, in which classes look alike."""
    import numpy as np

    from mhmd.media.jpeg import decode_jpeg
    from mhmd.media.opencv import cv2

    rgb = decode_jpeg(jpeg)
    spread = np.ptp(rgb.astype(np.int16), axis=2).max()
    if rgb.max() > 2 * GRAY_SPREAD and spread <= GRAY_SPREAD:
        raise PictureError("a gray mask", wanted="one in the colours of CIHP", do="ask its makers for it in colour")
    flat = rgb.reshape(-1, 3).astype(np.float32)
    palette = np.array(PALETTE, np.float32)
    squared = (flat**2).sum(1)[:, None] - 2 * flat @ palette.T + (palette**2).sum(1)
    nearest = squared.argmin(1).astype(np.uint8).reshape(rgb.shape[:2])
    sure = (squared.min(1) <= NEAR**2).reshape(rgb.shape[:2])
    if sure.any() and not sure.all():
        _, label = cv2.distanceTransformWithLabels(
            (~sure).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        of_label = np.zeros(int(label.max()) + 1, np.uint8)
        of_label[label[sure]] = nearest[sure]
        nearest = of_label[label]
    return Classes(nearest, float(sure.mean()))

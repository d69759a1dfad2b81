"""Measures of light: how sharp a picture is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def sharpness(luma: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of a luma picture H×W: low where nothing is in focus.

    Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000.
    """
    from mhmd.media.opencv import cv2

    _, std = cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S))
    return float(std[0, 0]) ** 2

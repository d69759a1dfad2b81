"""Measures of light: how sharp a picture is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from cv2.typing import MatLike
    from numpy.typing import NDArray


def sharpness(luma: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of a luma picture H×W: low where nothing is in focus.

    Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000.
    """
    from mhmd.media.opencv import cv2

    return moments(cv2.Laplacian(luma, cv2.CV_16S))[1]


def moments(values: MatLike) -> tuple[float, float]:
    """Mean and variance of whole numbers H×W: their sums are exact, and quicker than OpenCV's meanStdDev."""
    from mhmd.media.opencv import cv2

    mean = float(cv2.sumElems(values)[0]) / values.size
    return mean, float(cv2.norm(values, cv2.NORM_L2SQR)) / values.size - mean**2

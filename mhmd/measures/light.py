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

    edges = cv2.Laplacian(luma, cv2.CV_16S)
    mean = float(cv2.sumElems(edges)[0]) / edges.size  # whole numbers: exact, and quicker than meanStdDev
    return float(cv2.norm(edges, cv2.NORM_L2SQR)) / edges.size - mean**2

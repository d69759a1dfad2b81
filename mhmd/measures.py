"""Measures of a picture, from which `screen` decides. All are taken at one size, so that pictures compare."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEASURED_SHORT_SIDE_PX = 256
"""Larger pictures are scaled down to this before they are measured: sharpness and grain depend on size."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured of a picture; units and ranges as in `mhmd.records.Frame`."""

    sharpness: float
    luma_mean: float
    luma_std: float
    colorfulness: float
    chroma_mean: float


def measure(rgb: NDArray[np.uint8]) -> Measures:
    """All measures of an RGB picture H×W×3, 0 to 255. Luma is that of BT.601."""
    from mhmd.media.jpeg import shrink
    from mhmd.media.opencv import cv2

    reduced = shrink(rgb, MEASURED_SHORT_SIDE_PX)
    luma = cv2.cvtColor(reduced, cv2.COLOR_RGB2GRAY).astype("uint8", copy=False)
    return Measures(
        sharpness=sharpness(luma),
        luma_mean=float(luma.mean()),
        luma_std=float(luma.std()),
        colorfulness=colorfulness(reduced),
        chroma_mean=chroma_mean(reduced),
    )


def sharpness(luma: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of a luma picture H×W: low where nothing is in focus.

    Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000.
    """
    from mhmd.media.opencv import cv2

    return float(cv2.Laplacian(luma, cv2.CV_64F).var())


def colorfulness(rgb: NDArray[np.uint8]) -> float:
    """M3 of an RGB picture H×W×3: about 0 for gray, 15 slightly, 45 quite and 109 extremely colourful.

    √(σ²rg + σ²yb) + 0.3 √(μ²rg + μ²yb) with rg = R - G, yb = (R + G) / 2 - B, both signed.
    Hasler and Süsstrunk, Measuring colourfulness in natural images, SPIE 5007, 2003.
    """
    red, green, blue = (rgb[..., channel].astype("float32") for channel in range(3))
    red_green = red - green
    yellow_blue = (red + green) / 2 - blue
    spread = math.hypot(float(red_green.std(dtype="float64")), float(yellow_blue.std(dtype="float64")))
    shift = math.hypot(float(red_green.mean(dtype="float64")), float(yellow_blue.mean(dtype="float64")))
    return spread + 0.3 * shift


def chroma_mean(rgb: NDArray[np.uint8]) -> float:
    """Mean CIELAB chroma √(a² + b²) of an RGB picture H×W×3, read as sRGB with white D65."""
    import numpy as np

    from mhmd.media.opencv import cv2

    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean(dtype=np.float64))

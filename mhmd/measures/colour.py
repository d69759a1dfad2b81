"""Measures of colour: how much there is, and whether it is more than a tint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Lab = NDArray[np.float32]

COARSE_SHORT_SIDE_PX = 64
"""Short side at which colour is told from the noise of codecs and film: averaged over so much of the picture, noise
is 1 or 2 in a and b, while whatever has a colour of its own is still there."""

TINT_KNOTS = 8
"""A tint's hue and strength change slowly from the shadows to the highlights: so many points describe them."""

CLIPPED_LEVEL, MAX_CLIPPED, MIN_FREE = 250, 0.05, 0.1
"""A channel from this level on has met its end; a place with more such pixels than this share is left out of the search
for a tint; if less than this share of the picture remains, nothing is."""

THING_PX = 5
"""What has a colour that no tint explains is about so large at that size; averaged over it, noise is below 1."""


def lab_of(rgb: NDArray[np.uint8]) -> Lab:
    """CIELAB H×W×3 of an RGB picture, read as sRGB with white D65."""
    import numpy as np

    from mhmd.media.opencv import cv2

    return cv2.cvtColor(rgb * np.float32(1 / 255), cv2.COLOR_RGB2Lab).astype(np.float32, copy=False)


def coarse(lab: Lab) -> Lab:
    """CIELAB H×W×3 averaged over areas to a short side of 64 px."""
    from mhmd.media.opencv import cv2

    height, width = lab.shape[:2]
    scale = COARSE_SHORT_SIDE_PX / min(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        lab = cv2.resize(lab, size, interpolation=cv2.INTER_AREA).astype("float32", copy=False)
    return lab


def colorfulness(rgb: NDArray[np.uint8]) -> float:
    """M3 of an RGB picture H×W×3: about 0 for gray, 15 slightly, 45 quite and 109 extremely colourful.

    √(σ²rg + σ²yb) + 0.3 √(μ²rg + μ²yb) with rg = R - G, yb = (R + G) / 2 - B, both signed.
    Hasler and Süsstrunk, Measuring colourfulness in natural images, SPIE 5007, 2003.
    """
    from mhmd.measures.light import moments
    from mhmd.media.opencv import cv2

    red, green, blue = cv2.split(rgb)
    kind = cv2.CV_16S  # whole numbers: rg and 2 yb
    yellow = cv2.add(red, green, dtype=kind)
    opponents = cv2.subtract(red, green, dtype=kind), cv2.subtract(yellow, cv2.add(blue, blue, dtype=kind), dtype=kind)
    (rg_mean, rg_variance), (yb_mean, yb_variance) = map(moments, opponents)
    return math.sqrt(rg_variance + yb_variance / 4) + 0.3 * math.hypot(rg_mean, yb_mean / 2)


def chroma_mean(lab: Lab) -> float:
    """Mean chroma √(a² + b²) of CIELAB H×W×3."""
    import numpy as np

    a, b = lab[..., 1], lab[..., 2]  # not cv2.magnitude, whose last digits depend on where an array lies in memory
    return float(np.sqrt(a * a + b * b).mean(dtype=np.float64))


def chroma_p95(coarse_lab: Lab) -> float:
    """The 95th percentile of chroma of coarse CIELAB h×w×3: what the most colourful twentieth exceeds.

    Pale colour has it as soon as one thing in the picture is coloured; a gray picture has only its noise.
    """
    import numpy as np

    return percentile(np.hypot(coarse_lab[..., 1], coarse_lab[..., 2]).ravel(), 95)


def unclipped(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Where in an RGB picture H×W×3, seen at height and width `size`, hardly a pixel has a channel at its upper end."""
    from mhmd.media.opencv import cv2

    red, green, blue = cv2.split(rgb)
    brightest = cv2.max(cv2.max(red, green), blue)  # several times as fast as NumPy's maximum of three
    ended = cv2.threshold(brightest, CLIPPED_LEVEL - 1, 1, cv2.THRESH_BINARY)[1].astype("float32")
    free: NDArray[np.bool_] = cv2.resize(ended, size[::-1], interpolation=cv2.INTER_AREA) < MAX_CLIPPED
    return free


def off_tint(coarse_lab: Lab, free: NDArray[np.bool_]) -> float:
    """How far colours lie from the tint that would fit coarse CIELAB h×w×3 best: what a tenth of them exceeds, in ab.

    A tinted or toned gray picture has one colour for each lightness: a curve through ab, here linear between
    `TINT_KNOTS` lightnesses and fitted by least squares. In a real picture things of the same lightness differ.
    Distances are averaged over things first, as vectors, so that noise cancels and colours do not. Only what is `free`,
    h×w, counts, if that is a tenth of the picture: where a channel clips, the curve of a tint breaks off.
    """
    import numpy as np

    from mhmd.media.opencv import cv2

    counted = free.astype(np.float64) if free.mean() >= MIN_FREE else np.ones(free.shape)
    weight, lightness = counted.ravel(), coarse_lab[..., 0].ravel().astype(np.float64)
    low, high = (percentile(lightness[weight > 0], share) for share in (1, 99))
    place = np.clip((lightness - low) / max(high - low, 1e-3), 0, 1) * (TINT_KNOTS - 1)
    below = np.minimum(place.astype(np.int64), TINT_KNOTS - 2)
    beyond = place - below

    def sums(values: NDArray[np.float64], shift: int) -> NDArray[np.float64]:
        added = np.bincount(below + shift, values * weight, TINT_KNOTS)  # in order: the same digits with any threads
        return added.astype(np.float64, copy=False)

    normal = np.diag(sums((1 - beyond) ** 2, 0) + sums(beyond**2, 1) + 1e-3)
    beside = sums(beyond * (1 - beyond), 0)[:-1]
    normal += np.diag(beside, 1) + np.diag(beside, -1)
    squares = np.zeros(counted.shape)
    around = cv2.blur(counted, (THING_PX, THING_PX), borderType=cv2.BORDER_REPLICATE)
    for channel in (1, 2):
        colour = coarse_lab[..., channel].ravel().astype(np.float64)
        curve = np.linalg.solve(normal, sums((1 - beyond) * colour, 0) + sums(beyond * colour, 1))
        apart = (colour - curve[below] * (1 - beyond) - curve[below + 1] * beyond) * weight
        summed = cv2.blur(apart.reshape(counted.shape), (THING_PX, THING_PX), borderType=cv2.BORDER_REPLICATE)
        squares += np.square(summed / np.maximum(around, 1 / THING_PX**2))
    return math.sqrt(percentile(squares[counted > 0], 90))


def percentile(values: NDArray[np.float32] | NDArray[np.float64], share: float) -> float:
    """`numpy.percentile` of a vector, linear between neighbours, without what that takes for its many other cases."""
    import numpy as np

    place = share / 100 * (len(values) - 1)
    below = int(place)
    low, high = np.partition(values, (below, min(below + 1, len(values) - 1)))[[below, min(below + 1, len(values) - 1)]]
    return float(low) + (place - below) * (float(high) - float(low))

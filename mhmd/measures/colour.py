"""Measures of colour: how much there is, and whether it is more than a tint."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from cv2.typing import MatLike
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


def channels(rgb: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The three channels of a picture H×W×3, H×W each."""
    import numpy as np

    from mhmd.media.opencv import cv2

    apart = [np.empty(rgb.shape[:2], np.uint8) for _ in range(3)]
    cv2.split(rgb, apart)  # into arrays that are there: several times as fast
    return apart


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
    from mhmd.media.opencv import cv2

    red, green, blue = channels(rgb)
    r, g, b = cv2.sumElems(rgb)[:3]
    rg_mean, yb_mean = (r - g) / red.size, (r + g - 2 * b) / 2 / red.size

    def apart(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
        return round(cv2.norm(one, other, cv2.NORM_L2SQR)) / red.size  # OpenCV's is a whole number, but for rounding

    rg, rb, gb = apart(red, green), apart(red, blue), apart(green, blue)
    variance = rg - rg_mean**2 + (2 * rb + 2 * gb - rg) / 4 - yb_mean**2  # (x + y)² = 2 x² + 2 y² - (x - y)²
    return math.sqrt(max(0.0, variance)) + 0.3 * math.hypot(rg_mean, yb_mean)


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

    return percentiles(np.hypot(coarse_lab[..., 1], coarse_lab[..., 2]).ravel(), 95)[0]


def unclipped(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Where in an RGB picture H×W×3, seen at height and width `size`, hardly a pixel has a channel at its upper end."""
    from mhmd.media.opencv import cv2

    red, green, blue = channels(rgb)
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

    counted = free if free.mean() >= MIN_FREE else np.ones_like(free)
    weight, lightness = counted.ravel().astype(np.float64), coarse_lab[..., 0].ravel().astype(np.float64)
    low, high = percentiles(lightness[counted.ravel()], 1, 99)
    place = np.clip((lightness - low) / max(high - low, 1e-3), 0, 1) * (TINT_KNOTS - 1)
    below = np.minimum(place.astype(np.int64), TINT_KNOTS - 2)
    above, beyond = below + 1, place - below
    near, far = (1 - beyond) * weight, beyond * weight

    def sums(knots: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        added = np.bincount(knots, values, TINT_KNOTS)  # in order: the same digits with any threads
        return added.astype(np.float64, copy=False)

    normal = np.diag(sums(below, near * near) + sums(above, far * far) + 1e-3)
    beside = sums(below, far * near)[:-1]
    normal += np.diag(beside, 1) + np.diag(beside, -1)
    squares = np.zeros(counted.shape)
    around = _blurred(weight.reshape(counted.shape))
    for channel in (1, 2):
        colour = coarse_lab[..., channel].ravel().astype(np.float64)
        curve = np.linalg.solve(normal, sums(below, near * colour) + sums(above, far * colour))
        apart = weight * colour - near * curve[below] - far * curve[above]
        squares += np.square(_blurred(apart.reshape(counted.shape)) / np.maximum(around, 1 / THING_PX**2))
    return math.sqrt(percentiles(squares[counted], 90)[0])


def _blurred(values: NDArray[np.float64]) -> MatLike:
    """Values h×w averaged over things."""
    from mhmd.media.opencv import cv2

    return cv2.blur(values, (THING_PX, THING_PX), borderType=cv2.BORDER_REPLICATE)


def percentiles(values: NDArray[np.float32] | NDArray[np.float64], *shares: float) -> list[float]:
    """`numpy.percentile` of a vector, linear between neighbours, without what that takes for its many other cases."""
    import numpy as np

    places = [share / 100 * (len(values) - 1) for share in shares]
    pairs = [(int(place), min(int(place) + 1, len(values) - 1)) for place in places]
    parted = np.partition(values, sorted({below for pair in pairs for below in pair}))
    ends = [(float(parted[low]), float(parted[high])) for low, high in pairs]
    return [low + (place - int(place)) * (high - low) for place, (low, high) in zip(places, ends, strict=True)]

"""How much a picture is text on a plain ground: credits, intertitles, logos."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mhmd.measures.lines import MIN_CONTRAST, Boxes, groups, strokes_of

if TYPE_CHECKING:
    import numpy as np
    from cv2.typing import MatLike
    from numpy.typing import NDArray

SCALES = (1, 2, 4)
"""Text is looked for in the picture and in these fractions of it, so that large letters have thin strokes, too."""

MIN_HEIGHT_PX, MAX_HEIGHT_PX = 4, 24
MIN_ASPECT, MIN_FILL, MAX_INK, MIN_STROKES = 1.2, 0.35, 0.75, 0.9
"""A line or a word: its height at some scale, how long it is for its height, how full, how many strokes it has.

A letter is about 0.6 of its line's height wide and has one to three strokes."""

GAP_PX = 9
"""Letters and words of a line are nearer to each other than this at the scale that fits them."""

MARGIN_PX = 3
"""Edges of a letter lie within this around its box."""

EDGE = 16
"""Differences of luma between neighbours below this are no edges but grain and noise of codecs."""

GROUND_TOLERANCE = 8
"""Luma of a plain ground, averaged over areas, lies this near to one smooth surface: gradients and vignettes do."""

TERMS = ((0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (4, 0), (0, 4), (2, 2))
"""Powers of x and y in the terms of a surface: all of second order, and the even ones of fourth."""

DEGREE = 4
"""The highest of these powers."""

ORDERS = (3, 3, 3, 6, 6, 9)
"""How many terms the surfaces have that are fitted in turn: a plane reaches from a strip of one luma over the whole of
a gradient."""

GROUND_PX = 4
"""Side of these areas."""

MIN_GROUND = 0.5
"""Where less of the picture is on one ground than this, no text is looked for."""


SEVERAL_AB, SEVERAL_SHARE = 3.0, 0.15
"""Ink is of one colour when its distances in ab from the line that fits them best, through the ground's, are below the
first on average, or below this share of those along it: between ground and letters all lies on that line. Letters come
to 2.8 and, with coloured ornaments, to 0.11; figures in coloured clothes before a plain wall to 8 to 12 and 0.29 to
0.75."""


def text(luma: NDArray[np.uint8], lab: NDArray[np.float32]) -> float:
    """How much a picture is text on a plain ground, 0 to 1: its luma H×W, and its CIELAB h×w×3, which may be smaller.

    The share of all edges that lie in lines of text, times the share that these lines are of all that is not ground,
    times the share of the rest that is. 0 where the lines' ink has several colours: then they are rows of things.
    """
    import numpy as np

    from mhmd.media.opencv import cv2

    height, width = luma.shape
    if min(height, width) < SCALES[-1] * MAX_HEIGHT_PX:
        return 0.0
    areas = _reduced(luma, GROUND_PX)
    on_ground = _on_ground(areas.astype(np.float32))
    if on_ground.mean() < MIN_GROUND:
        return 0.0
    inside = _lines(luma)
    edges = cv2.morphologyEx(luma, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    edges = np.maximum(edges, EDGE) - EDGE
    total = float(cv2.sumElems(edges)[0])
    if not total:
        return 0.0
    share = float(cv2.sumElems(cv2.multiply(edges, inside))[0]) / total
    lines = cv2.resize(inside * 255, areas.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    if lines.all() or not lines.any():
        return 0.0
    if _several(cv2.resize(lab, areas.shape[::-1], interpolation=cv2.INTER_AREA)[..., 1:], lines, on_ground):
        return 0.0
    return share * float(lines.sum() / (lines | ~on_ground).sum() * on_ground[~lines].mean())


def _several(ab: MatLike, lines: NDArray[np.bool_], on_ground: NDArray[np.bool_]) -> bool:
    """Whether what is in lines and not ground has several colours, by ab h×w×2."""
    import numpy as np

    ink = lines & ~on_ground
    if not ink.any():
        return False
    apart = ab[ink] - np.median(ab[on_ground], axis=0)
    moments = apart.T.astype(np.float64) @ apart / len(apart)
    beside, along = np.sqrt(np.maximum(np.linalg.eigvalsh(moments), 0))
    return bool(beside > max(SEVERAL_AB, SEVERAL_SHARE * along))


def _lines(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """1 in and around lines of text and the rules that frame them, 0 elsewhere."""
    import numpy as np

    from mhmd.media.opencv import cv2

    inside = np.zeros_like(luma)
    for scale in SCALES:
        scaled = _reduced(luma, scale)
        for bright in (True, False):
            contrast = strokes_of(scaled, bright=bright)
            found = groups(_strong(contrast), GAP_PX)
            for box in zip(*found.where(_is_text(found))[:4], strict=True):
                x, y, w, h = (int(value) * scale for value in box)
                top, left = max(0, y - MARGIN_PX), max(0, x - MARGIN_PX)
                inside[top : y + h + MARGIN_PX, left : x + w + MARGIN_PX] = 1
            for box in zip(*found.where(_is_rule(found, scaled.shape))[:4], strict=True):
                x, y, w, h = (int(value) * scale for value in box)
                cv2.rectangle(inside, (x, y), (x + w - 1, y + h - 1), 1, 2 * MARGIN_PX + 1)
    return inside


def _reduced(luma: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """The picture averaged over whole blocks of so many pixels a side; what is left over at its ends is left out."""
    from mhmd.media.opencv import cv2

    height, width = (side // times for side in luma.shape)
    whole = luma[: height * times, : width * times]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA).astype("uint8", copy=False)


def _strong(contrast: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """1 where strokes are nearly as strong as the strongest two hundredth of the picture, 0 elsewhere."""
    import numpy as np

    from mhmd.media.opencv import cv2

    counts = cv2.calcHist([contrast], [0], None, [256], [0, 256]).ravel()
    strong = int(np.searchsorted(np.cumsum(counts), 0.995 * contrast.size))
    return cv2.threshold(contrast, max(MIN_CONTRAST, 0.4 * strong), 1, cv2.THRESH_BINARY)[1].astype(
        np.uint8, copy=False
    )


def _is_text(of: Boxes) -> NDArray[np.bool_]:
    tall = (of.h >= MIN_HEIGHT_PX) & (of.h <= MAX_HEIGHT_PX) & (of.w >= MIN_ASPECT * of.h)
    return tall & (of.fill >= MIN_FILL) & (of.ink < MAX_INK) & (of.strokes >= MIN_STROKES)


def _is_rule(of: Boxes, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Frames around a card, and lines that divide it."""
    frame = ((of.w >= shape[1] / 2) | (of.h >= shape[0] / 2)) & (of.fill <= 0.12)
    return frame | ((of.h <= 3) & (of.w >= shape[1] / 4))


def _on_ground(areas: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which areas h×w lie on one smooth surface, fitted to the commonest luma and what is near it.

    The surface is a polynomial, so that all sums over the grid come from its moments, Σ xᵃ yᵇ, one axis at a time.
    """
    import numpy as np

    down, across = _powers(areas.shape[0]), _powers(areas.shape[1])
    y, x, luma = down[:, ::2], across[:, ::2], areas[::2, ::2].astype(np.float64)
    counts = np.convolve(np.bincount(luma.ravel().astype(np.int64), minlength=256), np.ones(17), mode="same")
    near = np.abs(luma - float(counts.argmax())) <= 3 * GROUND_TOLERANCE
    surface = np.zeros((DEGREE + 1, DEGREE + 1))
    for terms in ORDERS:
        a, b = np.array(TERMS[:terms]).T
        moments = y @ near.astype(np.float64) @ x.T
        normal = moments[b[:, None] + b, a[:, None] + a] + 1e-3 * np.eye(terms)
        surface[b, a] = np.linalg.solve(normal, (y[: DEGREE + 1] @ (near * luma) @ x[: DEGREE + 1].T)[b, a])
        near = np.abs(luma - y[: DEGREE + 1].T @ surface @ x[: DEGREE + 1]) <= GROUND_TOLERANCE
        if not near.any():
            break
    ground = down[: DEGREE + 1].T @ surface @ across[: DEGREE + 1]
    on_ground: NDArray[np.bool_] = np.abs(areas - ground) <= GROUND_TOLERANCE
    return on_ground


@cache
def _powers(length: int) -> NDArray[np.float64]:
    """The powers of `length` places from -1 to 1, from the 0th to those that products of terms have."""
    import numpy as np

    return np.linspace(-1, 1, length) ** np.arange(2 * DEGREE + 1)[:, None]

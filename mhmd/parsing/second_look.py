"""Where a picture is worth a second look: the parts around small figures, seen at full resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SecondLook = Literal["off", "auto", "on"]

GRID = 64
"""Cells a side of the grid on which persons are looked for."""
SEEN, FOUND = 0.2, 0.5
"""Probabilities of a person: from the one on a cell is of a figure, for the first look is unsure of small ones; a
figure without a cell of the other is none. Looked at closely, leaves and stones would become persons."""
MARGIN = 0.35
"""How much wider than the figure a part is at each side, in heights or widths of the figure."""
FEATHER = 0.12
"""Share of a part's side over which its answer fades into that of the whole picture."""
SMALL = {"auto": 0.5, "on": 0.8}
"""Only parts up to this share of the picture's height and width are looked at again."""
REACH = 0.15
"""How far around a figure's cells its part counts, in heights or widths of the figure. What else is in the part keeps
the first answer: seen closely, much that is none becomes a person, and would end where the part does."""
MIN_CELLS = 3
MAX_PARTS = 8
"""The largest parts are looked at, so many of a picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A part of a picture, half-open, px."""

    top: int
    bottom: int
    left: int
    right: int
    share: NDArray[np.float32]  # height×width of the part: how much it counts there, 0 to 1


def parts(person: NDArray[np.float32], height: int, width: int, look: SecondLook) -> list[Part]:
    """The parts of a picture height×width to look at again, from the probability of a person, h×w.

    Figures are connected cells of a coarse grid. Parts that overlap become one where that is not too large. A part
    counts on its figures and a little around them, and fades from there on.
    """
    if look == "off":
        return []
    import numpy as np

    from mhmd.media.opencv import cv2

    cells = cv2.resize(person, (GRID, GRID), interpolation=cv2.INTER_AREA)
    _, of, stats, _ = cv2.connectedComponentsWithStats((cells > SEEN).astype(np.uint8), connectivity=8)
    found = set(np.unique(of[cells > FOUND]).tolist())
    figures = [
        (n, *of_one) for n, of_one in enumerate(stats[:, :4].tolist()) if n in found and stats[n, 4] >= MIN_CELLS
    ]
    near = np.zeros((GRID, GRID), np.float32)
    boxes = []
    for number, x, y, w, h in figures:
        box = _widened(y / GRID, (y + h) / GRID, x / GRID, (x + w) / GRID, height / width)
        if _is_small(box, SMALL[look]):
            boxes.append(box)
            reach = REACH * max(h * height, w * width)  # px times GRID
            disc = (1 + 2 * round(reach / width), 1 + 2 * round(reach / height))
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, disc)
            near = np.maximum(near, cv2.dilate((of == number).astype(np.float32), kernel))
    small = _joined(boxes, SMALL[look])
    small.sort(key=lambda box: (box[0] - box[1]) * (box[3] - box[2]))
    if not small:
        return []
    soft = cv2.resize(cv2.blur(near, (3, 3)), (width, height), interpolation=cv2.INTER_LINEAR)
    return [_part(box, soft.astype(np.float32, copy=False)) for box in small[:MAX_PARTS]]


def _part(box: Box, near: NDArray[np.float32]) -> Part:
    """The part of a box: it counts as `near` (0 to 1, the picture's height×width) says, less at its edges."""
    height, width = near.shape
    top, bottom, left, right = (
        int(box[0] * height),
        -int(-box[1] * height // 1),
        int(box[2] * width),
        -int(-box[3] * width // 1),
    )
    edges = (top == 0, bottom == height, left == 0, right == width)
    share = near[top:bottom, left:right] * weight(bottom - top, right - left, edges)
    return Part(top, bottom, left, right, share)


Box = tuple[float, float, float, float]
"""Top, bottom, left and right as shares of the picture's sides."""


def _widened(top: float, bottom: float, left: float, right: float, aspect: float) -> Box:
    """A box with its margin, its shorter side as long as the longer one where the picture has room."""
    tall, wide = (bottom - top) * aspect, right - left
    side = max(tall, wide) * (1 + 2 * MARGIN)
    y, x = (top + bottom) / 2, (left + right) / 2
    half_tall, half_wide = min(side / aspect, 1.0) / 2, min(side, 1.0) / 2
    y, x = min(max(y, half_tall), 1 - half_tall), min(max(x, half_wide), 1 - half_wide)
    return y - half_tall, y + half_tall, x - half_wide, x + half_wide


def _is_small(box: Box, limit: float) -> bool:
    return box[1] - box[0] <= limit and box[3] - box[2] <= limit


def _joined(boxes: list[Box], limit: float) -> list[Box]:
    """Boxes that share more than half of the smaller one become one, if that is small, too."""
    boxes = sorted(boxes)
    for i, one in enumerate(boxes):
        for j, other in enumerate(boxes[i + 1 :], start=i + 1):
            tall = min(one[1], other[1]) - max(one[0], other[0])
            wide = min(one[3], other[3]) - max(one[2], other[2])
            smaller = min((box[1] - box[0]) * (box[3] - box[2]) for box in (one, other))
            both = (min(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), max(one[3], other[3]))
            if tall > 0 and wide > 0 and tall * wide > smaller / 2 and _is_small(both, limit):
                return _joined([*boxes[:i], *boxes[i + 1 : j], *boxes[j + 1 :], both], limit)
    return boxes


def weight(height: int, width: int, edges: tuple[bool, bool, bool, bool]) -> NDArray[np.float32]:
    """How much a part height×width counts at each of its pixels: 1 inside, fading to 0 at its edges.

    Not at `edges` (top, bottom, left, right) that are the picture's own.
    """
    import numpy as np

    def side(length: int, first: bool, last: bool) -> NDArray[np.float32]:
        ramp = (np.arange(length, dtype=np.float32) + 0.5) / max(1.0, FEATHER * length)
        line = np.ones(length, np.float32)
        if not first:
            line = np.minimum(line, ramp)
        return line if last else np.minimum(line, ramp[::-1])

    top, bottom, left, right = edges
    return side(height, top, bottom)[:, None] * side(width, left, right)[None]

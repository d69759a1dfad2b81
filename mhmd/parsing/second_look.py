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
MIN_CELLS = 3
MAX_PARTS = 8
"""The largest parts are looked at, so many of a picture."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a picture, half-open, px."""

    top: int
    bottom: int
    left: int
    right: int


def parts(person: NDArray[np.float32], height: int, width: int, look: SecondLook) -> list[Part]:
    """The parts of a picture height×width to look at again, from the probability of a person, h×w.

    Figures are connected cells of a coarse grid. Parts that overlap become one where that is not too large.
    """
    if look == "off":
        return []
    import numpy as np

    from mhmd.media.opencv import cv2

    cells = cv2.resize(person, (GRID, GRID), interpolation=cv2.INTER_AREA)
    _, of, stats, _ = cv2.connectedComponentsWithStats((cells > SEEN).astype(np.uint8), connectivity=8)
    found = set(np.unique(of[cells > FOUND]).tolist())
    figures = [f[:4] for number, f in enumerate(stats.tolist()) if number in found and f[4] >= MIN_CELLS]
    boxes = [_widened(y / GRID, (y + h) / GRID, x / GRID, (x + w) / GRID, height / width) for x, y, w, h in figures]
    small = _joined([box for box in boxes if _is_small(box, SMALL[look])], SMALL[look])
    small.sort(key=lambda box: (box[0] - box[1]) * (box[3] - box[2]))
    return [
        Part(int(top * height), -int(-bottom * height // 1), int(left * width), -int(-right * width // 1))
        for top, bottom, left, right in small[:MAX_PARTS]
    ]


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

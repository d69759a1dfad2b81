"""Burnt-in subtitles: the band of rows that they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Luma = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

UPPER, LOWER = 0.22, 0.66
"""Subtitles lie above the first or below the second of these shares of the height."""

STROKE_PX = 9
"""Letters' strokes are narrower than this at 256 px of height."""

MIN_CONTRAST, MIN_LUMA = 40, 110
"""A stroke is brighter than its left and right by so many levels, and no darker than this."""

MIN_HEIGHT_PX, MAX_HEIGHT_PX = 5, 24
"""Height of a line, from the top of its letters to their base."""

FALL = 0.4
"""Above and below a line there are no more strokes than this share of what is in it: leaves and gravel go on."""

MIN_STROKES, MIN_DENSITY = 8, 0.9
"""Strokes that a row of a line crosses on average, in all and on a stretch as long as the line is high."""

INK = (0.22, 0.62)
"""Share of a line's box that is strokes."""

MIN_SURE_CONTRAST, MAX_DARK = 75, 110
"""Half of the strokes stand out so much at least, and a tenth of the box is as dark as this: outline or shadow."""

MAX_UPRIGHT, MIN_VARIATION = 0.45, 0.05
"""Share of the columns with strokes that are strokes from top to bottom, and the deviation of the strokes that rows
cross, as a share of their mean. Rails and pickets are all upright, or the same in all rows."""

NEIGHBOUR = 0.15
"""Next to a line, rows of a line's height with so much of its strokes belong to the subtitles, too."""

CENTRE, LEFT = 0.1, 0.2
"""Lines are centred to this share of the width, or begin before that."""


class _Line(NamedTuple):
    """Rows [top, bottom) of a line, and the columns that it takes."""

    top: int
    bottom: int
    across: slice


def band(luma: Luma) -> tuple[int, int] | None:
    """Rows [top, bottom) of a luma picture H×W that burnt-in subtitles take, or None.

    They are lines of bright strokes with something dark beside them, dense in the line and gone above and below it,
    centred or from the left, near the lower or the upper edge. Made to miss some rather than to take a fence for one.
    """
    import numpy as np

    from mhmd.media.opencv import cv2

    height = len(luma)
    contrast = cv2.morphologyEx(luma, cv2.MORPH_TOPHAT, np.ones((1, STROKE_PX), np.uint8)).astype(np.uint8, copy=False)
    standing_out = cv2.threshold(contrast, MIN_CONTRAST - 1, 1, cv2.THRESH_BINARY)[1]
    bright = cv2.threshold(luma, MIN_LUMA - 1, 1, cv2.THRESH_BINARY)[1]
    strokes = cv2.bitwise_and(standing_out, bright).view(np.bool_)
    begins = strokes.copy()
    begins[:, 1:] &= ~strokes[:, :-1]
    counts = cv2.reduce(begins.view(np.uint8), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
    for start, end in ((round(LOWER * height), height), (0, round(UPPER * height))):
        if end - start <= MIN_HEIGHT_PX or counts[start:end].max() < MIN_STROKES:
            continue
        few = max(2, FALL * np.sort(counts[start:end])[-4])  # 4 rows have more
        lines = [
            line
            for top, bottom in _runs(counts[start:end] >= few)
            if (line := _line(luma, contrast, strokes, begins, start + top, start + bottom))
        ]
        if lines:
            tall = max(line.bottom - line.top for line in lines)
            top, bottom = _with_neighbours(lines, begins)
            return max(0, top - tall // 4), min(height, bottom + tall // 4)  # tails, accents and outlines
    return None


def _runs(rows: Mask) -> list[tuple[int, int]]:
    """Runs of rows that are true, as [top, bottom), of a line's height."""
    import numpy as np

    steps = np.diff(np.concatenate([[0], rows.astype(np.int8), [0]]))
    runs = zip(np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True)
    return [(top, bottom) for top, bottom in runs if MIN_HEIGHT_PX <= bottom - top <= MAX_HEIGHT_PX]


def _line(luma: Luma, contrast: Luma, strokes: Mask, begins: Mask, top: int, bottom: int) -> _Line | None:
    """The line that the rows [top, bottom) are, or None; their longest part without a gap is looked at."""
    import numpy as np

    tall, wide = bottom - top, luma.shape[1]
    used = np.flatnonzero(strokes[top:bottom].any(axis=0))
    parts = np.split(used, np.flatnonzero(np.diff(used) > 2.2 * tall) + 1)
    part = max(parts, key=len)
    across = slice(int(part[0]), int(part[-1]) + 1)
    length = across.stop - across.start
    box = strokes[top:bottom, across]
    counts = np.count_nonzero(begins[top:bottom, across], axis=1)
    crossed = float(counts.mean())
    columns = box.mean(axis=0)
    beyond = max(3, tall // 2)
    around = [
        np.count_nonzero(begins[rows, across]) / beyond
        for rows in (slice(max(0, top - 2 - beyond), max(0, top - 2)), slice(bottom + 2, bottom + 2 + beyond))
    ]
    placed = abs(across.start + across.stop - wide) <= 2 * CENTRE * wide or across.start <= LEFT * wide
    is_line = (
        placed
        and crossed >= MIN_STROKES
        and crossed * tall >= MIN_DENSITY * length
        and max(around) <= FALL * crossed
        and np.count_nonzero(columns > 0.85) <= MAX_UPRIGHT * np.count_nonzero(columns)
        and float(counts.std()) >= MIN_VARIATION * crossed
        and INK[0] <= np.count_nonzero(box) / box.size <= INK[1]
        and float(np.median(contrast[top:bottom, across][box])) >= MIN_SURE_CONTRAST
        and float(np.percentile(luma[top:bottom, across], 10)) <= MAX_DARK
    )
    return _Line(top, bottom, across) if is_line else None


def _with_neighbours(lines: list[_Line], begins: Mask) -> tuple[int, int]:
    """Rows from the first to the last of the lines, and of those near one that are too short to be sure of."""
    import numpy as np

    top, bottom = lines[0].top, lines[-1].bottom
    for line in lines:
        tall = line.bottom - line.top
        counts = np.count_nonzero(begins[:, line.across], axis=1)
        some = NEIGHBOUR * counts[line.top : line.bottom].mean()
        for above, below in _runs(counts >= max(2, some)):
            like = 0.4 * tall <= below - above <= 1.8 * tall
            if like and max(line.top - below, above - line.bottom) <= 1.2 * tall:
                top, bottom = min(top, above), max(bottom, below)
    return top, bottom

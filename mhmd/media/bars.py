"""Black bars around the picture: the formats of a film, by a vote of frames spread over it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from mhmd.media.black import BLACK_LUMA, BRIGHT_LUMA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LIT_SHARE = 0.02
"""A row or column with no more lit pixels than this is black: dust, ringing at the picture's edge."""

STANDING = 0.9
"""What is lit in more than this share of the frames, in a row or column that is else black, is a mark: a station's."""

MIDDLE = 0.25
"""Marks lie farther from the middle than this share of a side, or apart from the picture."""

MIN_VOTES = 3

MIN_SUPPORT = 0.1
"""Share of the votes that a format needs. A dark wall at the edge of some scenes gives scattered votes."""

SAME = 0.006
"""Votes that differ by no more than this share of the side (2 px of 360) are for the same bars."""

MIN_STEP = 6.0
"""At a bar's edge luma rises at once by this, in the median of its votes; a dark ceiling ends gradually."""

BLENDED = 0.65
"""An entry beside a bar that has less than this share of the light behind it is mixed of both."""

MIN_PICTURE_SHARE = 1 / 3
"""Of width and of height: if less would remain, it is a title card or a night scene, not bars."""

LIT_BAR_SHARE = 0.15
"""When more than this share of a bar is lit, it is picture; a subtitle in it lights less."""

LIT_FRAMES = 0.2
"""A shot shows picture in a bar when more than this share of its frames does: one flash over it does not."""

EDGED_FRAMES, MIN_EDGED = 0.3, 3
"""Share and number of a shot's frames in which light begins at the bars' edges, for bars other than the commonest."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Rows and columns that belong to no picture, px."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


@dataclass(frozen=True, slots=True)
class _Vote:
    """One axis of one frame: black entries at both ends; the mean luma and the lit share of every entry."""

    start: int
    end: int
    mean: NDArray[np.float64]
    share: NDArray[np.float64]


def formats_of(lumas: Iterable[NDArray[np.uint8]], black: int = BLACK_LUMA) -> tuple[Bars, ...]:
    """The bars of each format that a film has, the commonest first; at least one, maybe without any bars.

    `lumas` are luma pictures of it (H×W, 0 to 255, all of one size), black up to `black`. A format is what a tenth of
    the bright frames agree on; those after the first differ from it by as much on both sides of an axis, as a change of
    the aspect ratio does. No bars without three votes. What remains begins at even rows and columns and has an even
    size.
    """
    votes = _votes(lumas, black)
    if len(votes) < MIN_VOTES:
        return (Bars(),)
    found: list[tuple[int, Bars]] = []
    for top, bottom, voters in _formats([rows for rows, _ in votes], len(votes)):
        columns = [votes[voter][1] for voter in voters]
        for left, right, supporters in _formats(columns, len(votes)):
            found.append((len(supporters), Bars(left, top, right, bottom)))
    found.sort(key=lambda each: -each[0])
    formats = [bars for _, bars in found] or [Bars()]
    return (formats[0], *(bars for bars in formats[1:] if _changes_format(bars, formats[0])))


def at_whole_chroma(bars: Bars, columns: int, rows: int) -> Bars:
    """Bars beyond which a picture begins with a whole pixel of chroma: one of so many `columns` and `rows` of luma."""
    return replace(bars, left=-(-bars.left // columns) * columns, top=-(-bars.top // rows) * rows)


def ends_at(luma: NDArray[np.uint8], bars: Bars) -> bool:
    """Whether a luma picture (H×W, 0 to 255) rises at once beside all of these bars, given in its own pixels."""
    height = len(luma)
    rows, columns = luma.mean(axis=1), luma[bars.top : height - bars.bottom].mean(axis=0)
    sides = (
        (rows, bars.top),
        (rows[::-1], bars.bottom),
        (columns, bars.left),
        (columns[::-1], bars.right),
    )
    return all(
        float(profile[edge + 1 : edge + 4].mean() - profile[max(0, edge - 2) : edge].mean()) >= MIN_STEP
        for profile, edge in sides
        if edge
    ) and any(edge for _, edge in sides)


def is_lit(luma: NDArray[np.uint8], bars: Bars, black: int = BLACK_LUMA) -> bool:
    """Whether a luma picture (H×W, 0 to 255, black up to `black`) shows picture in these bars, in its own pixels."""
    height, width = luma.shape
    parts = (luma[: bars.top], luma[height - bars.bottom :], luma[:, : bars.left], luma[:, width - bars.right :])
    return any(part.size and float((part > black).mean()) > LIT_BAR_SHARE for part in parts)


def _votes(lumas: Iterable[NDArray[np.uint8]], black: int) -> list[tuple[_Vote, _Vote]]:
    """What each bright frame says of its rows and of its columns; marks that stand in all of them do not count."""
    import numpy as np

    from mhmd.media.opencv import cv2

    def means(picture: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
        """Of the rows and of the columns: whole numbers added by OpenCV, many times as fast as NumPy's means."""
        sums = (cv2.reduce(picture, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() for axis in (1, 0))
        return [np.asarray(of / size) for of, size in zip(sums, picture.shape[::-1], strict=True)]

    lit_in: NDArray[np.uint16] | None = None
    seen = []
    for luma in lumas:
        rows, columns = means(luma)
        if rows.mean() < BRIGHT_LUMA:
            continue
        lit = (luma > black).view(np.uint8)
        lit_in = lit.astype(np.uint16) if lit_in is None else np.add(lit_in, lit, out=lit_in)
        seen.append(list(zip((rows, columns), means(lit), strict=True)))
    if lit_in is None:
        return []
    standing = lit_in > STANDING * len(seen)
    marks = _marks(standing), _marks(np.ascontiguousarray(standing.T))
    return [(_vote(*rows, marks[0]), _vote(*columns, marks[1])) for rows, columns in seen]


def _marks(standing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The share of each row that marks light, by where a film's frames are lit at almost all times.

    What stands out of the picture in the middle is a figure's hat or legs, before a black ground, and no mark.
    """
    import numpy as np

    from mhmd.media.opencv import cv2

    thin = np.concatenate([[True], standing.mean(axis=1) <= LIT_BAR_SHARE, [True]])
    mark = (standing & thin[1:-1, None]).astype(np.uint8)
    _, labels, stats, centres = cv2.connectedComponentsWithStats(mark)
    top, bottom = stats[:, cv2.CC_STAT_TOP], stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT]
    stands_out = ~(thin[top] & thin[bottom + 1]) & (np.abs(centres[:, 0] / standing.shape[1] - 0.5) < MIDDLE)
    mark[stands_out[labels]] = 0
    return np.asarray(mark.mean(axis=1))


def _vote(mean: NDArray[np.float64], share: NDArray[np.float64], mark: NDArray[np.float64]) -> _Vote:
    """What a frame says of its rows or columns, of which such a share is a mark."""
    import numpy as np

    lit = np.flatnonzero(share - mark > LIT_SHARE)
    ends = (int(lit[0]), len(share) - 1 - int(lit[-1])) if len(lit) else (0, 0)
    return _Vote(*ends, mean, share)


def _formats(votes: Sequence[_Vote], all_votes: int) -> list[tuple[int, int, list[int]]]:
    """The formats along one axis: bars at start and end, even, and the votes that agree on each; commonest first."""
    size = len(votes[0].mean) if votes else 0
    near = max(2, round(SAME * size))
    left, found = list(range(len(votes))), []
    while left:
        best = max((_agreeing(votes, left, votes[index].start, votes[index].end, near) for index in left), key=len)
        if len(best) < max(MIN_VOTES, MIN_SUPPORT * all_votes):
            break
        start, end = (round(median(ends)) for ends in zip(*((votes[v].start, votes[v].end) for v in best), strict=True))
        around = _agreeing(votes, left, start, end, 4 * near)
        left = [index for index in left if index not in around]
        start = _whole_from([votes[index].mean for index in best], start)
        end = _whole_from([votes[index].mean[::-1] for index in best], end)
        start += start % 2
        end += (size - start - end) % 2 if start or end else 0
        if size - start - end >= MIN_PICTURE_SHARE * size:
            found.append((start, end, around))
    return _without_marks(votes, found)


def _without_marks(
    votes: Sequence[_Vote], found: Sequence[tuple[int, int, list[int]]]
) -> list[tuple[int, int, list[int]]]:
    """Those formats that are more than another one with marks in its bars: subtitles are no format of their own."""
    kept: dict[tuple[int, int], list[int]] = {(start, end): voters for start, end, voters in found}
    for start, end, voters in found:
        for wider in [each for each in kept if each != (start, end) and each[0] >= start and each[1] >= end]:
            between = [slice(start, wider[0]), slice(len(votes[0].mean) - wider[1], len(votes[0].mean) - end)]
            shares = [
                float(votes[voter].share[part].mean()) for voter in voters for part in between if part.stop > part.start
            ]
            if median(shares) <= LIT_BAR_SHARE:
                kept[wider] = kept[wider] + kept.pop((start, end))
                break
    return sorted(((*ends, voters) for ends, voters in kept.items()), key=lambda each: -len(each[2]))


def _agreeing(votes: Sequence[_Vote], among: Sequence[int], start: int, end: int, near: int) -> list[int]:
    """Which votes have both ends within `near` of these."""
    return [each for each in among if max(abs(votes[each].start - start), abs(votes[each].end - end)) <= near]


def _whole_from(profiles: Sequence[NDArray[np.float64]], edge: int) -> int:
    """Where a picture begins that may have a bar up to the entry `edge`: there, one further where that is mixed, or 0.

    It is a bar if mean luma rises abruptly, in the median of the frames.
    """
    if edge == 0:
        return 0
    bars = [float(each[max(0, edge - 4) : edge].mean()) for each in profiles]
    steps = [float(each[edge + 1 : edge + 4].mean()) - bar for each, bar in zip(profiles, bars, strict=True)]
    if median(steps) < MIN_STEP:
        return 0
    mixed = [float(each[edge]) - bar < BLENDED * step for each, bar, step in zip(profiles, bars, steps, strict=True)]
    return edge + (2 * sum(mixed) > len(mixed))


def _changes_format(bars: Bars, main: Bars) -> bool:
    """Whether two formats differ on both sides of an axis, by much the same."""
    pairs = ((bars.top - main.top, bars.bottom - main.bottom), (bars.left - main.left, bars.right - main.right))
    return bars != main and all(abs(one - other) <= max(4, 0.1 * abs(one)) for one, other in pairs)

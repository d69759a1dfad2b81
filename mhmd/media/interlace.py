"""Whether a film is progressive, interlaced or telecined: seen in its frames, because flags lie both ways.

A woven frame holds two fields, the even and the odd lines. Each field is compared with the other field of its own frame
and with those of the frames before and after, as FFmpeg's idet and fieldmatch filters do: a field fits best into what
was taken at about the same time. Only what moves is compared, so that texture and stillness tell nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Scan = Literal["progressive", "interlaced", "telecined"]

FieldOrder = Literal["tff", "bff"]

COLUMNS = 256
"""About so many columns of a frame are compared: fields differ by lines."""

COMB_LINE, COMB_FIELD = 16, 8
"""A pixel looks combed when it differs from both lines beside it by more than the first, to the same side, and from
the next lines of its own field by less than the second, of 255."""

COMB_HINT = 0.001
"""Share of such pixels from which one frame makes a film worth a closer look. Progressive films stay below 0.0006."""

MOVED = 12
"""Difference, of 255, to a neighbouring frame from which a pixel has moved; noise and codecs stay below it."""

MOVED_SHARE = 0.005
"""Share of pixels that must have moved before a frame tells anything."""

FITS = 1.25
"""A field that differs so many times less from one neighbour than from the other belongs to it. idet has 1.04, for
whole frames, in which what stands still drowns what moves."""

MIN_FRAMES = 12
"""Frames that must tell something, of all that are looked at; fewer decide nothing."""

FIELDS_SHARE = 0.15
"""A film is interlaced when, of the frames that tell something, this share has fields that were taken one after the
other, always the same one first. Video has 0.8 and more, telecined film 0.5, progressive film below 0.02."""

VIDEO_SHARE = 0.4
"""Where less of a film is so, only a part of it is video. That is found, too, when in any one run the share is this."""

PULLDOWN_SHARE = 0.2, 0.65
"""Between these shares of a telecined film's frames are woven from two frames of film: two of five are."""

PULLDOWN_RATES = Fraction(29), Fraction(31)
"""Frames a second between which 24 a second are telecined."""


@dataclass(frozen=True, slots=True)
class Scanning:
    """How a film was scanned: `order` says which field is the earlier one, tff the even lines, bff the odd ones.

    `in_part`: only some of an interlaced film is.
    """

    scan: Scan
    order: FieldOrder = "tff"
    in_part: bool = False


def thinned(luma: NDArray[np.uint8]) -> NDArray[np.int16]:
    """What is needed of a frame's luma (H×W, 0 to 255): all its lines, few of its columns."""
    return luma[:, :: max(1, luma.shape[1] // COLUMNS)].astype("int16")


def looks_combed(frame: NDArray[np.int16]) -> bool:
    """Whether a thinned frame alone gives reason to look at its neighbours."""
    line, above, below = frame[2:-2], frame[1:-3], frame[3:-1]
    stands_out = (line - above > COMB_LINE) & (line - below > COMB_LINE)
    stands_out |= (above - line > COMB_LINE) & (below - line > COMB_LINE)
    own_field = (abs(line - frame[:-4]) < COMB_FIELD) & (abs(line - frame[4:]) < COMB_FIELD)
    return line.size > 0 and float((stands_out & own_field).mean()) > COMB_HINT


def may_be_telecined(rate: Fraction | None) -> bool:
    """Whether the rate is that of telecined film. Its keyframes may all fall on whole frames."""
    return rate is not None and PULLDOWN_RATES[0] < rate < PULLDOWN_RATES[1]


def scanning_of(
    spread: Iterable[Sequence[NDArray[np.int16]]],
    combed: Iterable[Sequence[NDArray[np.int16]]],
    rate: Fraction | None,
    *,
    flagged: bool,
    order: FieldOrder,
) -> Scanning:
    """What runs of consecutive frames show, each of three `thinned` frames or more.

    Some are `spread` evenly over the film, others are from where it looks `combed`. `flagged` and `order` are what the
    stream says: believed when too little moves to tell.
    """
    kinds: Counter[str] = Counter()
    orders: Counter[FieldOrder] = Counter()
    part: FieldOrder | None = None
    for run in spread:
        of_run = _kinds(run)
        kinds.update(kind for kind, _ in of_run)
        orders.update(first for kind, first in of_run if first and kind != "still")
        part = _video(of_run) or part
    told = kinds.total() - kinds["still"]
    common, earlier = orders.most_common(1)[0] if orders else (order, 0)
    if told >= MIN_FRAMES and earlier >= FIELDS_SHARE * told:
        woven = kinds["woven"] / told
        pulldown = PULLDOWN_SHARE[0] < woven < PULLDOWN_SHARE[1] and kinds["between"] < kinds["woven"] / 2
        if pulldown and may_be_telecined(rate):
            return Scanning("telecined", common)
        return Scanning("interlaced", common, in_part=earlier < VIDEO_SHARE * told)
    part = part or next(filter(None, map(_video, map(_kinds, combed))), None)
    if part:
        return Scanning("interlaced", part, in_part=True)
    return Scanning("interlaced" if told < MIN_FRAMES and flagged else "progressive", order)


def _kinds(run: Sequence[NDArray[np.int16]]) -> list[tuple[str, FieldOrder | None]]:
    """What each frame of a run shows, but the first and the last."""
    return [_kind(*three) for three in zip(run, run[1:], run[2:], strict=False)]


def _video(of_run: Sequence[tuple[str, FieldOrder | None]]) -> FieldOrder | None:
    """Which field of the frames of a run is the earlier one, if they are video."""
    telling = [first for kind, first in of_run if kind != "still"]
    ((order, count),) = Counter(first for first in telling if first).most_common(1) or ((None, 0),)
    return order if len(telling) >= MIN_FRAMES and count >= VIDEO_SHARE * len(telling) else None


def _kind(
    before: NDArray[np.int16], frame: NDArray[np.int16], after: NDArray[np.int16]
) -> tuple[str, FieldOrder | None]:
    """How a frame's fields fit, and which of them was taken earlier, if any was.

    "whole": best into each other, as of progressive film, and often of video that was coded as progressive; "woven":
    better into the frames beside it; "between": as well into these; "still": nothing moves.
    """
    import numpy as np

    moved = np.maximum(abs(frame - before), abs(frame - after))[1:-1] > MOVED
    if moved.size == 0 or moved.mean() < MOVED_SHARE:
        return "still", None
    own = _combing(frame, frame)[moved].mean()
    with_before, with_after = _combing(frame, before), _combing(frame, after)
    even = np.arange(1, len(frame) - 1) % 2 == 0
    # Where lines of the earlier field are taken from the frame after, and of the later one from the frame before,
    # they are half a frame away from their neighbours; the other way round one frame and a half.
    tff = np.where(even[:, None], with_after, with_before)[moved].mean()
    bff = np.where(even[:, None], with_before, with_after)[moved].mean()
    order: FieldOrder | None = "tff" if bff > tff * FITS else "bff" if tff > bff * FITS else None
    if own * FITS < min(tff, bff):
        return "whole", order
    return ("woven" if min(tff, bff) * FITS < own else "between" if order else "still"), order


def _combing(lines: NDArray[np.int16], between: NDArray[np.int16]) -> NDArray[np.int16]:
    """How much each line of `between`, but for the first and the last, stands out from the `lines` around it."""
    combing: NDArray[np.int16] = abs(lines[:-2] + lines[2:] - 2 * between[1:-1])
    return combing

"""What can be told of a frame from a picture of 48×27 pixels of it and of its neighbours: cheap, without a network.

All rests on squared distances between such pictures, mean over pixels and channels. They come from inner products with
the frames before, which are computed once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEIGHT, WIDTH = 27, 48
"""Of the small pictures: those that TransNet V2 looks at."""
FLOOR = 16.0
"""Squared distance, in levels of 0 to 255, up to which pictures are the same but for noise."""
STEPS = np.array((4, 8, 12, 16, 24))
"""Frames before and after that a frame's blend is looked for: dissolves of 6 frames to 4 s."""
FALL = 2.0
"""So many times what contrast has fallen in the middle, 1 in a mean, is taken for all of it: half of it is enough."""
CHANGE_STEP = 12
"""Frames before and after that are compared for a frame's change: most dissolves are over between them."""
DELAY = 24
"""Frames after which a blend is known."""
LENGTH = 2 * DELAY + 1
NEAR, FAR = 4, 12
"""Frames on either side of a cut that must be alike, and those among which an old picture may come back."""
MIXED = 3
"""A cut that a conversion of frame rate has smeared has no more mixed frames."""
SMEARED_MIN = 0.4
"""Change from which the sides of a smeared cut are compared; any less is motion."""
PLAIN_CONTRAST = 8.0
PLAIN_DISTANCE = 100.0
"""Standard deviation below which, and mean's distance from mid-gray above which, a picture is plain black or white."""
CHANGE_MIN = 0.2
"""Change below which no cut is looked for."""
LAG = FAR + MIXED - 1
"""Frames after which it is known whether one begins a shot."""
HELD = FAR + 1 + LAG


class Scores(NamedTuple):
    """Of one frame, which may begin a shot.

    `change`, 0 to about 2: how far the frames before are from this one and those after, where 1 = unrelated pictures.
    `apart`: that distance over the greatest within either side, as root. 0 where there is too little change.
    `sudden`: the distance from the frame before to this one over the greatest of those of four steps on either side, as
    root.
    `smeared`: as `apart`, without one to three frames from this one on, which may be mixed of both sides.
    `returns`: whether a picture comes back within half a second, as after a flash.
    """

    frame: int
    change: float
    apart: float
    sudden: float
    smeared: float
    returns: bool


def tiny(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture as 27×48×3, RGB, squeezed whatever its form."""
    from mhmd.media.opencv import cv2

    halves = cv2.resize(bgr, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_LINEAR)  # with these, area is quick
    return np.ascontiguousarray(cv2.resize(halves, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)[:, :, ::-1])


def plain(picture: NDArray[np.uint8]) -> bool:
    """Whether nothing is seen but black or white: what a fade goes through."""
    return bool(picture.std() < PLAIN_CONTRAST and abs(picture.mean() - 127.5) > PLAIN_DISTANCE)


class Scorer:
    """Scores frames while a film goes by, each when `LAG` = 14 more were fed.

    Before the film's first frame and after its last one these are taken to stand still.
    """

    def __init__(self) -> None:
        self._fed = 0
        self._vectors = np.zeros((HELD, HEIGHT * WIDTH * 3), np.float32)
        self._inner = np.zeros((HELD, HELD))
        self._levels = np.zeros(HELD)

    def feed(self, picture: NDArray[np.uint8]) -> Scores | None:
        """Takes the next frame as `tiny` gives it; the scores of the frame 14 before, if there is one."""
        if self._fed == 0:
            self._vectors[:] = picture.reshape(-1) - np.float32(128)
            self._inner[:] = self._vectors[0] @ self._vectors[0] / self._vectors.shape[1]
            self._levels[:] = self._vectors[0].mean()
        slot = self._fed % HELD
        self._vectors[slot] = picture.reshape(-1)
        self._vectors[slot] -= 128
        inner = self._vectors @ self._vectors[slot] / self._vectors.shape[1]
        self._inner[slot] = self._inner[:, slot] = inner
        self._levels[slot] = self._vectors[slot].mean()
        self._fed += 1
        return self._scores(self._fed - 1 - LAG) if self._fed > LAG else None

    def finish(self) -> list[Scores]:
        """The scores of the last frames, when the film is over."""
        fed = self._fed
        last = (self._vectors[(fed - 1) % HELD] + 128).astype(np.uint8)
        more = [self.feed(last) for _ in range(LAG)] if fed else []
        return [scores for scores in more if scores and scores.frame < fed]

    def _scores(self, index: int) -> Scores:
        around = np.arange(index - FAR, index + LAG + 1) % HELD
        inner = self._inner[np.ix_(around, around)]
        levels = self._levels[around]
        squares = inner.diagonal()
        variances = np.maximum(squares - levels**2, 0.0)
        return Scores(index, *_cut(inner, levels, squares, variances))


def blend_of(
    ac: NDArray[np.float64],
    ma: NDArray[np.float64],
    mc: NDArray[np.float64],
    squares: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    levels: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The blend of frames m between a and c, how much of it is sure, and the change from a to c.

    The blend: √(|c - a|² / that of unrelated pictures) · (1 - 4 |m - (a + c) / 2|² / |c - a|²), ~1 in the middle of a
    dissolve or fade, ~0 elsewhere, also in most motion. The last factor is 1 where m is the mean, and 0 where it equals
    one of them or where a way from a to c by random steps has led. What is sure of it: `FALL` · (2 |a|² + 2 |c|² -
    4 |m|²) / |c - a|² times as much, at most all of it. A mean has less contrast than the two; fine texture on its slow
    way from a to c is near their mean, and has as much. Given are inner products, squares of a, m, c and mean levels of
    a, c; the last axis is that of steps, the greatest of which is given.
    """
    a, m, c = squares
    apart = a + c - 2 * ac
    off = m + (a + c + 2 * ac) / 4 - ma - mc
    variances = np.maximum(a - levels[0] ** 2, 0.0) + np.maximum(c - levels[1] ** 2, 0.0)
    unrelated = variances + (levels[0] - levels[1]) ** 2 + FLOOR
    linear = np.maximum(0.0, 1 - 4 * off / (apart + FLOOR))
    changes = apart / unrelated
    blends = np.sqrt(changes.clip(0, 1)) * linear
    sure = blends * (FALL * 2 * (a + c - 2 * m) / (apart + FLOOR)).clip(0, 1)
    return blends.max(axis=-1), sure.max(axis=-1), changes[..., STEPS.tolist().index(CHANGE_STEP)]


def _cut(
    inner: NDArray[np.float64],
    levels: NDArray[np.float64],
    squares: NDArray[np.float64],
    variances: NDArray[np.float64],
) -> tuple[float, float, float, float, bool]:
    """Change, apart, sudden, smeared and returns; see Scores."""

    def sides(mixed: int) -> tuple[float, float, bool]:
        last, first = FAR - 1, FAR + mixed
        unrelated = variances[last] + variances[first] + (levels[last] - levels[first]) ** 2 + FLOOR
        if squares[last] + squares[first] - 2 * inner[last, first] < CHANGE_MIN * unrelated:
            return 0.0, 0.0, False
        before, after = slice(0, FAR), slice(first, first + FAR)
        far = squares[before, None] + squares[None, after] - 2 * inner[before, after]
        least = max(0.0, float(far[-NEAR:, :NEAR].min()))
        ends = (FAR - NEAR, first), (last, first + NEAR - 1)
        span = max(0.0, *(float(squares[i] + squares[j] - 2 * inner[i, j]) for i, j in zip(*ends, strict=True)))
        return least / float(unrelated), (least / (span + FLOOR)) ** 0.5, bool(far.min() < least / 2)

    def step_ahead() -> float:
        steps = (squares[1:] + squares[:-1] - 2 * inner.diagonal(1))[FAR - 1 - NEAR : FAR + NEAR]
        others = max(float(steps[:NEAR].max()), float(steps[NEAR + 1 :].max()), 0.0)
        return math.sqrt(max(float(steps[NEAR]), 0.0) / (others + FLOOR))

    change, apart, returns = sides(0)
    smeared = max((far for share, far, _ in map(sides, range(1, MIXED + 1)) if share >= SMEARED_MIN), default=0.0)
    return change, apart, step_ahead() if change else 0.0, smeared, returns

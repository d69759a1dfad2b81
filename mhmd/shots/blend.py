"""How much frames are mixed of those before and after them, as in dissolves; `mhmd.shots.scores` tells of cuts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mhmd.shots.scores import DELAY, HEIGHT, STEPS, WIDTH, blend_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

AT_ONCE = 16
"""Blends that are made by one call of NumPy: for one alone, calling takes most of the time."""

LENGTH = 2 * DELAY + 1 + AT_ONCE
"""Frames that are remembered."""

LAGS = np.unique(np.concatenate([[0], STEPS, 2 * STEPS]))
"""How far apart the frames are whose inner products a blend needs."""

NEAR, FAR = np.searchsorted(LAGS, STEPS), np.searchsorted(LAGS, 2 * STEPS)


class Mix(NamedTuple):
    """How much a frame is a mix of those around it, 0 to 1, how much of that is sure, and how far these are apart.

    What is not sure may be fine texture that moves slowly; apart 1 = unrelated.
    """

    blend: float
    sure: float
    change: float


class Blends:
    """Blends frames while a film goes by, each when `DELAY` = 24 more were fed; `blend_of` has the formulas."""

    def __init__(self) -> None:
        self._fed = 0
        self._vectors = np.ones((LENGTH + 1, HEIGHT * WIDTH * 3), np.float32)  # the last one adds up levels
        self._inner = np.zeros((LENGTH, len(LAGS) + 1))

    def feed(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Mix]:
        """Takes the next frames as `tiny` gives them; the blends of as many frames 24 before, if there are some."""
        known: list[Mix] = []
        for start in range(0, len(pictures), AT_ONCE):
            first = self._fed
            for picture in pictures[start : start + AT_ONCE]:
                self._take(picture)
            known += self._blends(max(0, first - DELAY), self._fed - DELAY)
        return known

    def finish(self) -> list[Mix]:
        """The blends of the last frames, when the film is over."""
        fed = self._fed
        last = (self._vectors[(fed - 1) % LENGTH] + 128).astype(np.uint8)
        return self.feed([last] * DELAY)[-min(fed, DELAY) :] if fed else []

    def _take(self, picture: NDArray[np.uint8]) -> None:
        slot = self._fed % LENGTH
        if self._fed == 0:
            self._vectors[:LENGTH] = picture.reshape(-1) - np.float32(128)
        vector = self._vectors[slot]
        np.subtract(picture.reshape(-1), np.float32(128), out=vector, dtype=np.float32)
        others = self._vectors[np.append((self._fed - LAGS) % LENGTH, LENGTH)]
        self._inner[slot] = others @ vector / len(vector)
        if self._fed == 0:
            self._inner[:] = self._inner[0]
        self._fed += 1

    def _blends(self, first: int, end: int) -> list[Mix]:
        index = np.arange(first, end)[:, None]
        before, middle, after = ((index + steps) % LENGTH for steps in (-STEPS, 0, STEPS))
        squares, levels = self._inner[:, 0], self._inner[:, -1]
        mixes = blend_of(
            self._inner[after, FAR],
            self._inner[middle, NEAR],
            self._inner[after, NEAR],
            (squares[before], squares[middle], squares[after]),
            (levels[before], levels[after]),
        )
        return [Mix(*mix) for mix in zip(*(each.tolist() for each in mixes), strict=True)]

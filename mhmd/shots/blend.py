"""The blend of every frame of a film, and nothing else of it: cheaper than `mhmd.shots.scores`, of which it is part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mhmd.shots.scores import DELAY, HEIGHT, LENGTH, STEPS, WIDTH, blend_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAGS = np.unique(np.concatenate([STEPS, 2 * STEPS]))
"""How far apart the frames are whose inner products a blend needs."""

NEAR, FAR = np.searchsorted(LAGS, STEPS), np.searchsorted(LAGS, 2 * STEPS)


class Blends:
    """Blends frames while a film goes by, each when `DELAY` = 24 more were fed; the numbers are those of `Scorer`."""

    def __init__(self) -> None:
        self._fed = 0
        self._vectors = np.zeros((LENGTH, HEIGHT * WIDTH * 3), np.float32)
        self._inner = np.zeros((LENGTH, len(LAGS)))
        self._squares = np.zeros(LENGTH)
        self._levels = np.zeros(LENGTH)

    def feed(self, picture: NDArray[np.uint8]) -> float | None:
        """Takes the next frame as `tiny` gives it; the blend of the frame 24 before, if there is one."""
        slot = self._fed % LENGTH
        if self._fed == 0:
            self._vectors[:] = picture.reshape(-1) - np.float32(128)
        vector = self._vectors[slot]
        np.subtract(picture.reshape(-1), np.float32(128), out=vector, dtype=np.float32)
        self._inner[slot] = self._vectors[(self._fed - LAGS) % LENGTH] @ vector / len(vector)
        self._squares[slot] = vector @ vector / len(vector)
        self._levels[slot] = vector.mean()
        if self._fed == 0:
            self._inner[:], self._squares[:], self._levels[:] = self._squares[0], self._squares[0], self._levels[0]
        self._fed += 1
        return self._blend(self._fed - 1 - DELAY) if self._fed > DELAY else None

    def finish(self) -> list[float]:
        """The blends of the last frames, when the film is over."""
        fed = self._fed
        last = (self._vectors[(fed - 1) % LENGTH] + 128).astype(np.uint8)
        more = [self.feed(last) for _ in range(DELAY)] if fed else []
        return [blend for blend in more if blend is not None][-min(fed, DELAY) :] if fed else []

    def _blend(self, index: int) -> float:
        before, middle, after = (index - STEPS) % LENGTH, index % LENGTH, (index + STEPS) % LENGTH
        return blend_of(
            self._inner[after, FAR],
            self._inner[middle, NEAR],
            self._inner[after, NEAR],
            (self._squares[before], self._squares[middle], self._squares[after]),
            (self._levels[before], self._levels[after]),
        )

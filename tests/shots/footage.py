"""Films as small pictures, with transitions where they are put."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mhmd.shots import Transition
from tests.films import Scene, scene_pictures

Pictures = NDArray[np.uint8]
SIZE = (96, 54)


@dataclass(frozen=True)
class Join:
    """How a scene begins: mixed for `frames` frames with the last ones of the scene before, 0 = a cut.

    With `through`, a gray level, the scene before goes there in half the frames, and this one comes from there.
    """

    frames: int = 0
    through: int | None = None


CUT = Join()


def scene(frames: int, seed: int, size: tuple[int, int] = SIZE) -> Pictures:
    """N×h×w×3 pictures of a texture that moves by 2 px a frame."""
    return np.stack(list(scene_pictures(Scene(frames, seed=seed), 0, size)))


def film(scenes: Iterable[Pictures], joins: Iterable[Join]) -> tuple[Pictures, list[Transition]]:
    """The scenes one after another, each but the first with its join, and the transitions that these make."""
    parts = list(scenes)
    made, truth = parts[0].astype(np.float32), []
    for pictures, join in zip(parts[1:], joins, strict=True):
        after, n = pictures.astype(np.float32), join.frames
        weight = ((np.arange(n) + 1) / (n + 1)).astype(np.float32)[:, None, None, None]
        if join.through is not None:
            out, back = weight[: n // 2] * 2, weight[n // 2 :] * 2 - 1
            made[len(made) - n // 2 :] += (join.through - made[len(made) - n // 2 :]) * out
            start, end = len(made) - n // 2, len(made) + len(back)
            after[: len(back)] = join.through + (after[: len(back)] - join.through) * back
        else:
            start, end = len(made) - n, len(made)
            after[:n] = made[start:] * (1 - weight) + after[:n] * weight
            made = made[:start]
        kind = "cut" if n == 0 else "dissolve" if join.through is None else "fade"
        truth.append(Transition(start, end, kind, 1.0))
        made = np.concatenate([made, after])
    return np.round(made).clip(0, 255).astype(np.uint8), truth

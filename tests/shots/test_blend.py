"""Blends alone, against those among all scores."""

import numpy as np
import pytest

from mhmd.shots.blend import Blends
from mhmd.shots.scores import Scorer, tiny
from tests.shots.footage import CUT, Join, film, scene


@pytest.mark.parametrize("at_once", [1, 16, 50])
@pytest.mark.parametrize("frames", [1, 10, 24, 25, 60])
def test_blends_are_those_of_the_scorer(frames: int, at_once: int) -> None:
    pictures = film([scene(60, 1), scene(60, 2), scene(60, 3)], [Join(20), CUT])[0][-frames - 60 :][:frames]
    scorer, blends = Scorer(), Blends()
    wanted = [scores for each in pictures if (scores := scorer.feed(tiny(each)))] + scorer.finish()
    found: list[float] = []
    for start in range(0, frames, at_once):
        found += blends.feed([tiny(each) for each in pictures[start : start + at_once]])
    found += blends.finish()
    assert np.allclose(found, [scores.blend for scores in wanted], atol=1e-5)
    assert len(found) == frames

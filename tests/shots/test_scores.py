"""Cheap scores of cuts, on what they are to tell apart."""

import numpy as np
import pytest

from mhmd.shots.scores import LAG, Scorer, Scores, plain, tiny
from tests.shots.footage import CUT, Join, Pictures, film, scene

SMALL = (48, 27)


def scored(pictures: Pictures) -> list[Scores]:
    scorer = Scorer()
    fed = [scorer.feed(picture) for picture in pictures]
    assert [each is not None for each in fed] == [n >= LAG for n in range(len(pictures))]
    return [each for each in fed if each] + scorer.finish()


def test_a_cut_is_apart() -> None:
    scores = scored(film([scene(40, 0, SMALL), scene(40, 3, SMALL)], [CUT])[0])
    cut = scores.pop(40)
    assert cut.change > 0.6
    assert cut.apart > 3
    assert not cut.returns
    assert max(each.apart for each in scores) < 0.8


@pytest.mark.parametrize("mixed", [1, 2, 3])
def test_a_smeared_cut_is_apart_without_its_mixed_frames(mixed: int) -> None:
    pictures, (truth,) = film([scene(40, 0, SMALL), scene(40, 3, SMALL)], [Join(mixed)])
    assert scored(pictures)[truth.start_frame].smeared > 3


@pytest.mark.parametrize("frames", [1, 3, 6])
def test_what_follows_a_flash_returns(frames: int) -> None:
    pictures = scene(1, 3, SMALL).repeat(60, axis=0)
    pictures[30 : 30 + frames] = 250
    scores = scored(pictures)[30]
    assert scores.returns or scores.change < 0.1


def test_plain_is_black_or_white_only() -> None:
    assert plain(np.full((27, 48, 3), 4, np.uint8))
    assert plain(np.full((27, 48, 3), 250, np.uint8))
    assert not plain(np.full((27, 48, 3), 128, np.uint8))
    assert not plain(scene(1, 3, SMALL)[0])


def test_tiny_pictures_are_rgb() -> None:
    bgr = np.zeros((100, 256, 3), np.uint8)
    bgr[:, :, 2] = 200
    assert tiny(bgr).shape == (27, 48, 3)
    assert (tiny(bgr) == [200, 0, 0]).all()

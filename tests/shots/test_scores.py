"""Cheap scores of cuts, on what they are to tell apart."""

import cv2
import numpy as np
import pytest

from mhmd.shots.doubts import cuts_in_doubt
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


def test_a_cut_within_fast_motion_is_sudden() -> None:
    """The pictures of either side are as far from each other as from those across, but not from one to the next."""
    shots = []
    for seed in (0, 3):
        wide = cv2.GaussianBlur(np.random.default_rng(seed).integers(0, 256, (27, 400, 3)).astype(np.uint8), (0, 0), 4)
        wide = cv2.normalize(wide, np.zeros_like(wide), 0, 255, cv2.NORM_MINMAX)
        shots.append(np.stack([wide[:, 2 * place : 2 * place + 48] for place in range(40)]))
    scores = scored(np.concatenate(shots).astype(np.uint8))
    cut = scores.pop(40)
    assert cut.sudden > 1.5 * cut.apart
    assert cut.sudden > 2
    assert max(each.sudden for each in scores) < 1.3


@pytest.mark.parametrize(("sudden", "returns", "evidence"), [(2.9, False, 1.0), (1.7, False, 0.45), (2.9, True, 0.45)])
def test_what_is_sudden_speaks_for_a_cut(sudden: float, returns: bool, evidence: float) -> None:
    (doubt,) = cuts_in_doubt([Scores(7, 0.6, 1.2, sudden, 0.0, returns)], np.array([], int))
    assert doubt.evidence == pytest.approx(evidence)


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

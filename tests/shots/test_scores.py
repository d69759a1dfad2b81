"""Cheap scores against their formulas, and on what they are to tell apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhmd.shots.scores import DELAY, FLOOR, STEPS, Scorer, Scores, plain, tiny
from tests.shots.footage import CUT, Join, Pictures, film, scene

SMALL = (48, 27)


def scored(pictures: Pictures) -> list[Scores]:
    scorer = Scorer()
    fed = [scorer.feed(picture) for picture in pictures]
    assert [each is not None for each in fed] == [n >= DELAY for n in range(len(pictures))]
    return [each for each in fed if each] + scorer.finish()


def blend_of(pictures: Pictures, frame: int) -> float:
    """The formula in Scorer's docstrings, from the pictures themselves."""
    vectors = pictures.reshape(len(pictures), -1).astype(float)
    m = vectors[frame]
    best = 0.0
    for step in STEPS:
        a, c = vectors[max(0, frame - step)], vectors[min(len(vectors) - 1, frame + step)]
        apart = np.mean((c - a) ** 2)
        unrelated = a.var() + c.var() + (a.mean() - c.mean()) ** 2 + FLOOR
        linear = 1 - 4 * np.mean((m - (a + c) / 2) ** 2) / (apart + FLOOR)
        best = max(best, min(1.0, apart / unrelated) ** 0.5 * linear)
    return best


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(0, 20), st.integers(0, 1000))
def test_every_frame_is_scored_by_the_formula(frames: int, mixed: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    parts = [random.integers(0, 256, (frames, 27, 48, 3), np.uint8), scene(30, seed, SMALL)]
    pictures = film(parts, [Join(min(mixed, frames))])[0]
    scores = scored(pictures)
    assert [each.frame for each in scores] == list(range(len(pictures)))
    for each in scores[:: max(1, len(scores) // 7)]:
        assert each.blend == pytest.approx(blend_of(pictures, each.frame), abs=2e-3)


@pytest.mark.parametrize("join", [Join(8), Join(20), Join(60), Join(30, through=0), Join(30, through=255)])
def test_only_dissolves_and_fades_blend(join: Join) -> None:
    random = np.random.default_rng(0)
    stills = (scene(1, seed, SMALL).repeat(100, axis=0) for seed in (1, 2))
    pictures, (truth,) = film([(each + random.normal(0, 3, each.shape)).clip(0, 255) for each in stills], [join])
    blends = np.array([each.blend for each in scored(pictures)])
    middle = blends[truth.start_frame : truth.end_frame]
    assert middle.max() > 0.8
    assert np.median(middle) > 0.4
    assert blends[: truth.start_frame - DELAY].max() < 0.3
    assert blends[truth.end_frame + DELAY :].max() < 0.3


def test_a_cut_is_apart_and_does_not_blend() -> None:
    scores = scored(film([scene(40, 0, SMALL), scene(40, 3, SMALL)], [CUT])[0])
    cut = scores.pop(40)
    assert cut.change > 0.6
    assert cut.apart > 3
    assert not cut.returns
    assert max(each.apart for each in scores) < 0.8
    assert max(each.blend for each in scores) < 0.35


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

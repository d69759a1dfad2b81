"""Blends against their formula, and on what they are to tell apart."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhmd.shots.blend import Blends, Mix
from mhmd.shots.scores import CHANGE_STEP, DELAY, FALL, FLOOR, STEPS
from tests.shots.footage import CUT, Join, Pictures, film, scene

SMALL = (48, 27)


def blended(pictures: Pictures, at_once: int = 16) -> list[Mix]:
    blends = Blends()
    fed: list[Mix] = []
    for start in range(0, len(pictures), at_once):
        fed += blends.feed(pictures[start : start + at_once])
        assert len(fed) == max(0, min(start + at_once, len(pictures)) - DELAY)
    return fed + blends.finish()


def mix_of(pictures: Pictures, frame: int) -> Mix:
    """The formulas in blend_of's docstring, from the pictures themselves."""
    vectors = pictures.reshape(len(pictures), -1).astype(float) - 128  # contrast against mid-gray
    m = vectors[frame]
    best = surest = change = 0.0
    for step in STEPS:
        a, c = vectors[max(0, frame - step)], vectors[min(len(vectors) - 1, frame + step)]
        apart = np.mean((c - a) ** 2)
        unrelated = a.var() + c.var() + (a.mean() - c.mean()) ** 2 + FLOOR
        linear = 1 - 4 * np.mean((m - (a + c) / 2) ** 2) / (apart + FLOOR)
        blend = min(1.0, apart / unrelated) ** 0.5 * max(0, linear)
        fallen = FALL * (2 * np.mean(a**2) + 2 * np.mean(c**2) - 4 * np.mean(m**2)) / (apart + FLOOR)
        best, surest = max(best, blend), max(surest, blend * np.clip(fallen, 0, 1))
        change = apart / unrelated if step == CHANGE_STEP else change
    return Mix(best, surest, change)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.integers(0, 20), st.integers(0, 1000), st.integers(1, 50))
def test_every_frame_is_blended_by_the_formula(frames: int, mixed: int, seed: int, at_once: int) -> None:
    random = np.random.default_rng(seed)
    parts = [random.integers(0, 256, (frames, 27, 48, 3), np.uint8), scene(30, seed, SMALL)]
    pictures = film(parts, [Join(min(mixed, frames))])[0]
    blends = blended(pictures, at_once)
    assert len(blends) == len(pictures)
    for frame in range(0, len(blends), max(1, len(blends) // 7)):
        assert blends[frame] == pytest.approx(mix_of(pictures, frame), abs=2e-3)


@pytest.mark.parametrize("join", [Join(8), Join(20), Join(60), Join(30, through=0), Join(30, through=255)])
def test_only_dissolves_and_fades_blend(join: Join) -> None:
    random = np.random.default_rng(0)
    stills = (scene(1, seed, SMALL).repeat(100, axis=0) for seed in (1, 2))
    pictures, (truth,) = film([(each + random.normal(0, 3, each.shape)).clip(0, 255) for each in stills], [join])
    blends = np.array([mix.sure for mix in blended(pictures)])
    middle = blends[truth.start_frame : truth.end_frame]
    assert middle.max() > 0.8
    assert np.median(middle) > 0.4
    assert blends[: truth.start_frame - DELAY].max() < 0.3
    assert blends[truth.end_frame + DELAY :].max() < 0.3


def test_a_cut_does_not_blend() -> None:
    mixes = blended(film([scene(40, 0, SMALL), scene(40, 3, SMALL)], [CUT])[0])
    assert max(mix.blend for mix in mixes) < 0.35


def test_fine_texture_under_a_slow_camera_does_not_blend() -> None:
    """A crowd or a meadow: between two pictures lies a third, which is near their mean, but as rich in contrast."""
    fine = np.random.default_rng(0).normal(0, 1, (27 * 8, 48 * 8 + 100, 3))
    fine = cv2.GaussianBlur(fine, (0, 0), 6)
    fine = (128 + 50 * fine / fine.std()).clip(0, 255).astype(np.uint8)
    seen = [fine[:, shift : shift + 48 * 8] for shift in range(100)]  # an eighth of a pixel a frame
    pictures = np.stack([cv2.resize(each, SMALL, interpolation=cv2.INTER_AREA) for each in seen])
    mixes = blended(pictures)[DELAY:-DELAY]
    assert max(mix.sure for mix in mixes) < 0.2 < max(mix.blend for mix in mixes)

"""Measures of pictures whose values are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mhmd.measures import measure
from mhmd.measures.colour import chroma_mean, chroma_p95, coarse, colorfulness, lab_of, percentiles
from mhmd.measures.light import sharpness
from tests.films import scene_texture

Picture = np.ndarray


def flat(red: int, green: int, blue: int, side: int = 64) -> Picture:
    return np.full((side, side, 3), (red, green, blue), np.uint8)


def gray_of(picture: Picture) -> Picture:
    return cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def test_a_flat_picture() -> None:
    measures = measure(flat(128, 128, 128))
    assert (measures.sharpness, measures.luma_mean, measures.luma_std) == (0, 128, 0)
    assert measures.colorfulness == pytest.approx(0, abs=1e-6)
    assert measures.chroma_mean == pytest.approx(0, abs=0.05)
    assert (measures.text, measures.subtitle_band) == (0, None)


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (16, 16)])
def test_pictures_of_any_size_have_measures(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    measures = measure(picture)
    assert all(np.isfinite(value) for value in (measures.sharpness, measures.off_tint, measures.chroma_p95))


def test_luma_of_halves() -> None:
    picture = flat(0, 0, 0)
    picture[:, 32:] = 255
    measures = measure(picture)
    assert measures.luma_mean == pytest.approx(127.5)
    assert measures.luma_std == pytest.approx(127.5)


def test_sharpness_of_one_bright_pixel() -> None:
    luma = np.zeros((64, 64), np.uint8)
    luma[32, 32] = 10
    assert sharpness(luma) == pytest.approx((40**2 + 4 * 10**2) / 64**2)


def test_sharpness_falls_with_blur_and_depends_little_on_size() -> None:
    picture = cv2.GaussianBlur(scene_texture(3, (640, 512)), (0, 0), 1.5)
    sharp = measure(picture).sharpness
    assert measure(cv2.GaussianBlur(picture, (0, 0), 8)).sharpness < sharp / 4
    assert measure(cv2.resize(picture, (1280, 1024), interpolation=cv2.INTER_CUBIC)).sharpness == pytest.approx(
        sharp, rel=0.1
    )


def test_colorfulness_keeps_the_sign_of_the_opponents() -> None:
    assert colorfulness(flat(200, 100, 50)) == pytest.approx(0.3 * np.hypot(100, 100))
    halves = flat(200, 100, 150)
    halves[:, 32:] = (100, 200, 150)
    assert colorfulness(halves) == pytest.approx(100), "rg is +100 and -100: its mean is 0, its deviation 100"


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_colorfulness_is_what_its_formula_says(rgb: np.ndarray) -> None:
    red, green, blue = np.moveaxis(rgb.astype(np.float64), 2, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert colorfulness(rgb) == pytest.approx(expected, abs=1e-6)


def test_chroma_of_srgb_red() -> None:
    assert chroma_mean(lab_of(flat(255, 0, 0))) == pytest.approx(104.55, abs=0.1)


def test_gray_measures_less_colour_than_any_tint() -> None:
    picture = scene_texture(1, (96, 64))
    gray = gray_of(picture)
    tinted = (gray * np.array([1.0, 0.9, 0.75])).astype(np.uint8)
    assert measure(gray).chroma_mean < 0.1 < 5 < measure(tinted).chroma_mean
    assert measure(gray).colorfulness < 0.1 < 5 < measure(tinted).colorfulness


def test_the_noise_of_a_codec_is_no_colour_but_one_coloured_thing_is() -> None:
    gray = gray_of(scene_texture(1, (256, 192)))
    noise = np.random.default_rng(0).normal(0, 4, gray.shape)
    noisy = np.clip(gray + noise, 0, 255).astype(np.uint8)
    flag = noisy.copy()
    flag[:48, :128] = (150, 60, 60)
    noisy_p95, flag_p95 = (chroma_p95(coarse(lab_of(picture))) for picture in (noisy, flag))
    assert noisy_p95 < 4 < 20 < flag_p95


@pytest.mark.parametrize("hue", [(1.0, 0.85, 0.6), (0.5, 0.7, 1.0), (1.0, 0.6, 0.8)])
@pytest.mark.parametrize("gammas", [(1.0, 1.0, 1.0), (0.7, 1.0, 1.3)])
def test_a_tint_has_one_colour_for_each_lightness(hue: tuple[float, ...], gammas: tuple[float, ...]) -> None:
    picture = scene_texture(1, (256, 192))
    toned = (255 * np.array(hue) * (gray_of(picture) / 255.0) ** np.array(gammas)).astype(np.uint8)
    assert chroma_mean(lab_of(toned)) > 8
    assert measure(toned).off_tint < 0.3


def test_a_cast_over_colours_is_no_tint() -> None:
    picture = scene_texture(1, (256, 192))
    warm = (picture * np.array([1.0, 0.8, 0.5])).astype(np.uint8)
    assert measure(warm).off_tint > 2


def test_sepia_that_clips_is_a_tint() -> None:
    ramp = np.linspace(0.5, 1.6, 256)[None, :, None]  # red and green end at 255 in its bright half
    bright = (scene_texture(1, (256, 192)) * ramp).clip(0, 255)
    matrix = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
    sepia = (bright @ matrix.T).clip(0, 255).astype(np.uint8)
    assert (sepia.max(axis=2) == 255).mean() > 0.3
    assert measure(sepia).off_tint < 1
    assert measure(bright.astype(np.uint8)).off_tint > 3


@given(arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e6, 1e6)), st.floats(0, 100))
def test_percentiles_are_those_of_numpy(values: np.ndarray, share: float) -> None:
    expected = np.percentile(values, [share, 50])
    assert percentiles(values, share, 50) == pytest.approx(expected, rel=1e-12, abs=1e-9)


def test_grain_on_a_plain_ground_is_no_text() -> None:
    grain = np.random.default_rng(0).normal(140, 4, (256, 456, 1)).clip(0, 255)
    assert measure(np.repeat(grain, 3, axis=2).astype(np.uint8)).text == 0

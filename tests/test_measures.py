"""Measures of pictures whose values are known."""

import cv2
import numpy as np
import pytest

from mhmd.measures import chroma_mean, colorfulness, measure, sharpness
from tests.films import scene_texture


def flat(red: int, green: int, blue: int, side: int = 64) -> np.ndarray:
    return np.full((side, side, 3), (red, green, blue), np.uint8)


def test_a_flat_picture() -> None:
    measures = measure(flat(128, 128, 128))
    assert (measures.sharpness, measures.luma_mean, measures.luma_std) == (0, 128, 0)
    assert measures.colorfulness == pytest.approx(0, abs=1e-6)
    assert measures.chroma_mean == pytest.approx(0, abs=0.05)


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


def test_chroma_of_srgb_red() -> None:
    assert chroma_mean(flat(255, 0, 0)) == pytest.approx(104.55, abs=0.1)


def test_gray_measures_less_colour_than_any_tint() -> None:
    picture = scene_texture(1, (96, 64))
    gray = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    tinted = (gray * np.array([1.0, 0.9, 0.75])).astype(np.uint8)
    assert measure(gray).chroma_mean < 0.1 < 5 < measure(tinted).chroma_mean
    assert measure(gray).colorfulness < 0.1 < 5 < measure(tinted).colorfulness

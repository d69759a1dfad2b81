import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from mhmd.historynet.lab import (
    lab_to_srgb,
    lab_to_srgb_keeping_lightness,
    scale_ab,
    srgb_to_lab,
    to_bytes,
    unscale_ab,
)

LEVEL = 100 / 255
"""One 255th of L's range."""


def planes(pixels: np.ndarray) -> torch.Tensor:
    """(M, 3) as one picture."""
    return torch.from_numpy(np.ascontiguousarray(pixels, np.float32)).T.reshape(1, 3, -1, 1)


def pixels(planes: torch.Tensor) -> np.ndarray:
    return planes.reshape(3, -1).T.double().numpy()


def test_lab_is_that_of_scikit_image() -> None:
    rgb = np.concatenate((np.random.default_rng(0).random((5000, 3)), np.eye(3), np.ones((1, 3)), np.zeros((1, 3))))
    np.testing.assert_allclose(pixels(srgb_to_lab(planes(rgb))), rgb2lab(rgb), atol=0.01)


def test_srgb_is_that_of_scikit_image() -> None:
    lab = rgb2lab(np.random.default_rng(1).random((5000, 3)))
    np.testing.assert_allclose(pixels(lab_to_srgb(planes(lab))), lab2rgb(lab), atol=1e-3)


def test_scaled_ab_is_half_at_neutral_and_in_range_over_the_gamut() -> None:
    assert scale_ab(torch.zeros(1)).item() == 0.5
    corners = planes(np.array([[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)]))
    ab = srgb_to_lab(corners)[:, 1:]
    scaled = scale_ab(ab)
    assert scaled.min() > 0.05
    assert scaled.max() < 0.95
    torch.testing.assert_close(unscale_ab(scaled), ab)


def wild(count: int = 40_000) -> np.ndarray:
    """Lab of every lightness, near-black and near-white among them, and of ab far out of sRGB's gamut."""
    rng = np.random.default_rng(2)
    lightness = np.concatenate((rng.random(count // 2) * 100, rng.random(count // 4), 99 + rng.random(count // 4)))
    return np.column_stack((lightness, rng.uniform(-128, 128, (count, 2))))


def test_lightness_survives_rounding_to_bytes_whatever_the_colour() -> None:
    lab = wild()
    kept = rgb2lab(pixels(to_bytes(lab_to_srgb_keeping_lightness(planes(lab)))) / 255)
    assert np.abs(kept[:, 0] - lab[:, 0]).max() < LEVEL
    clipped = rgb2lab(pixels(to_bytes(lab_to_srgb(planes(lab)))) / 255)
    assert np.abs(clipped[:, 0] - lab[:, 0]).max() > 10 * LEVEL


def test_every_gray_stays_exactly_itself() -> None:
    gray = np.repeat(np.arange(256)[:, None], 3, axis=1)
    lab = srgb_to_lab(planes(gray / 255))
    lab[:, 1:] = 0
    np.testing.assert_array_equal(pixels(to_bytes(lab_to_srgb_keeping_lightness(lab))), gray)


def test_only_chroma_gives_way() -> None:
    lab = wild()
    lab = lab[(lab[:, 0] > 20) & (lab[:, 0] < 90)]
    kept = rgb2lab(np.clip(pixels(lab_to_srgb_keeping_lightness(planes(lab))), 0, 1))
    chroma, was = np.hypot(*kept[:, 1:].T), np.hypot(*lab[:, 1:].T)
    assert (chroma <= was + 0.1).all()
    turned = np.angle((kept[:, 1] + 1j * kept[:, 2]) * (lab[:, 1] - 1j * lab[:, 2]))
    assert np.abs(turned * chroma).max() < 0.2  # ab units to the side
    rgb = np.random.default_rng(3).random((1000, 3))
    assert pixels(lab_to_srgb_keeping_lightness(srgb_to_lab(planes(rgb)))) == pytest.approx(rgb, abs=1e-3)

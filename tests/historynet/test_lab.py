import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from mhmd.historynet.lab import (
    ab_of_logits,
    lab_to_srgb,
    lab_to_srgb_keeping_lightness,
    scale_ab,
    srgb_to_lab,
    to_bytes,
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


def test_both_ranges_of_ab_hold_the_gamut_and_have_neutral_in_the_middle() -> None:
    corners = planes(np.array([[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)]))
    ab = srgb_to_lab(corners)[:, 1:]
    assert scale_ab(ab[:, :, :1] * 0, "sigmoid").unique().item() == 0.5
    for ab_range, low, high in (("sigmoid", 0, 1), ("tanh", -1, 1)):
        scaled = scale_ab(ab, ab_range)
        assert low + 0.005 < scaled.min() < scaled.max() < high - 0.005
        logits = torch.logit(scaled) if ab_range == "sigmoid" else torch.atanh(scaled)
        torch.testing.assert_close(ab_of_logits(logits, ab_range), ab, atol=1e-3, rtol=1e-4)
        assert ab_of_logits(torch.zeros(1), ab_range).item() == 0
    assert scale_ab(torch.tensor([-128.0, 64.0]), "sigmoid").tolist() == [0, 0.75]
    assert scale_ab(torch.tensor([-110.0, 55.0]), "tanh").tolist() == [-1, 0.5]


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

"""Colours back to classes, after JPEG."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mhmd.errors import PictureError
from mhmd.parsing.cihp import CLASSES, NEAR, PALETTE, classes_of


def painted(mask: np.ndarray, quality: int) -> bytes:
    """The JPEG of a mask in colours, chroma at half size as most writers store it."""
    rgb = np.array(PALETTE, np.uint8)[mask]
    return cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def blobs(seed: int) -> np.ndarray:
    """Large round regions of all classes over each other."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((224, 224), np.uint8)
    for number in rng.permutation(len(CLASSES)).tolist() * 2:
        center = rng.integers(0, 224, 2).tolist()
        cv2.circle(mask, center, int(rng.integers(20, 50)), number, -1)
    return mask


@pytest.mark.parametrize(("quality", "right"), [(95, 0.985), (75, 0.95)])
def test_nearly_all_pixels_get_their_class_back(quality: int, right: float) -> None:
    for seed in range(3):
        mask = blobs(seed)
        found = classes_of(painted(mask, quality))
        assert (found.mask == mask).mean() > right
        assert 0.7 < found.sure <= 1


def test_edges_get_no_class_of_their_own() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 33:] = CLASSES.index("upper-clothes")
    assert set(np.unique(classes_of(painted(mask, 75)).mask)) <= {0, CLASSES.index("upper-clothes")}


def test_no_two_colours_are_so_near_that_one_is_taken_for_the_other() -> None:
    palette = np.array(PALETTE, float)
    apart = np.linalg.norm(palette[:, None] - palette, axis=2)[np.triu_indices(len(PALETTE), 1)]
    assert len(PALETTE) == len(CLASSES) == 20
    assert apart.min() >= 2 * NEAR


def test_gray_masks_are_refused_and_empty_ones_are_background() -> None:
    gray = np.full((32, 32), 82, np.uint8)
    with pytest.raises(PictureError, match="a gray mask"):
        classes_of(cv2.imencode(".jpg", gray)[1].tobytes())
    assert not classes_of(cv2.imencode(".jpg", gray * 0)[1].tobytes()).mask.any()

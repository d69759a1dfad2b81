"""The second look at two pictures: their light and their colour."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mhmd.duplicates.alike import ALIKE, COLOUR, LIGHT, judge
from mhmd.measures.colour import lab_of
from mhmd.measures.signature import signature, signatures_of

Picture = NDArray[np.uint8]


def verdict(one: Picture, other: Picture) -> int:
    import pyarrow as pa

    rows = signatures_of(
        pa.chunked_array([pa.array([signature(lab_of(each)) for each in (one, other)], pa.binary(96))])
    )
    codes = np.empty(1, np.uint8)
    first, second, groups = np.zeros(1, np.int32), np.ones(1, np.int32), np.zeros(2, np.int32)
    judge(first, second, rows, groups, codes)
    return int(codes[0])


def scene(seed: int, contrast: float, brightness: float = 128, cells: int = 8) -> Picture:
    """Large soft areas of light and colour, of this standard deviation, in levels."""
    chance = np.random.default_rng(seed)
    areas = cv2.resize(chance.normal(0, 1, (cells, cells, 3)), (256, 144), interpolation=cv2.INTER_CUBIC)
    areas = 0.8 * areas.mean(axis=2, keepdims=True) + 0.2 * areas
    return np.clip(brightness + contrast * areas / areas.std(), 0, 255).astype(np.uint8)


def encoded(picture: Picture, quality: int) -> Picture:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize("contrast", [0.0, 0.5, 1, 2, 4, 8, 16, 40])
@pytest.mark.parametrize("brightness", [12, 40, 128])
def test_a_picture_is_like_itself_and_its_copies_however_plain_it_is(contrast: float, brightness: float) -> None:
    for seed in range(5):
        picture = scene(seed, contrast or 1e-9, brightness)
        assert verdict(picture, picture) == ALIKE
        assert verdict(picture, encoded(picture, 50)) == ALIKE
        assert verdict(picture, cv2.resize(cv2.resize(picture, (128, 72)), (256, 144))) == ALIKE


@pytest.mark.parametrize("contrast", [5, 10, 20, 40])
@pytest.mark.parametrize("brightness", [30, 128])
def test_strangers_are_told_apart_in_the_dark_too(contrast: float, brightness: float) -> None:
    codes = [verdict(scene(seed, contrast, brightness), scene(seed + 1, contrast, brightness)) for seed in range(30)]
    assert ALIKE not in codes


def test_brightness_does_not_count_and_missing_colour_does() -> None:
    picture = scene(3, 40)
    for factor in (0.9, 1.1):
        assert verdict(picture, np.clip(picture * factor, 0, 255).astype(np.uint8)) == ALIKE
    gray = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert verdict(picture, gray) == COLOUR
    assert verdict(gray, gray[:, ::-1].copy()) == LIGHT

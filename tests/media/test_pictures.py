"""What detectors see, and what is stored."""

from pathlib import Path

import pytest

from mhmd.media.decode import Decoder
from mhmd.media.pictures import Pictures
from mhmd.media.probe import probe_film
from tests.films import make_film


@pytest.mark.parametrize("bars", [0, 11, 12, 13, 14])
def test_neither_shows_bars(bars: int, tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [24, 24], size=(320, 180), bars=bars)
    pictures = Pictures(probe_film(made.path), 0)
    frame = next(iter(Decoder(made.path, 0))).frame
    for picture, scale in ((pictures.small(frame), 0.8), (pictures.stored(frame), 1)):
        assert picture.shape[1] == 320 * scale
        assert picture.shape[0] == pytest.approx((180 - 2 * bars) * scale, abs=2)
        assert picture.mean(axis=(1, 2)).min() > 40


def test_small_pictures_are_bgr_and_stored_ones_rgb(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [2], size=(160, 90))
    pictures = Pictures(probe_film(made.path), 45)
    frame = next(iter(Decoder(made.path, 0))).frame
    small, stored = pictures.small(frame), pictures.stored(frame)
    assert (small.shape, stored.shape) == ((90, 160, 3), (45, 80, 3))
    assert small.mean(axis=(0, 1))[::-1] == pytest.approx(stored.mean(axis=(0, 1)), abs=2)
    assert stored[..., 0].mean() > stored[..., 2].mean() + 20

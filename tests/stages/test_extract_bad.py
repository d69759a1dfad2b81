"""What has no room, and what has hardly a form: an error that says so, or frames all the same."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mhmd.errors import StorageError
from mhmd.records import Frame
from tests.extracted import OFTEN, extract
from tests.films import Coding, evenly, make_film, moving_pictures, write_film


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """As on a full disk: what is longer cannot be written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("max_per_film", [0, 50])
def test_a_full_disk(max_per_film: int, tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", [48, 48]).path
    config = OFTEN.model_copy(update={"max_per_film": max_per_film})
    with (
        files_of_at_most(8_000),
        pytest.raises(StorageError, match=r"alpha: File too large; wanted room in .*make room"),
    ):
        extract(path, config)
    assert not [*tmp_path.glob("data*/frames/*"), *tmp_path.glob("data*/films/*")]
    assert len(extract(path, config).rows(Frame)) > 1


@pytest.mark.parametrize("size", [(65_520, 16), (16, 65_520), (4096, 16), (3, 2)])
def test_odd_sizes(size: tuple[int, int], tmp_path: Path) -> None:
    path, pictures = tmp_path / "film.mkv", moving_pictures(24, size)
    write_film(path, pictures, evenly(24, Fraction(24)), coding=Coding("ffv1", "yuv444p"))
    frames = extract(path, OFTEN.model_copy(update={"guard_s": 0})).rows(Frame)
    assert len(frames) > 1
    assert (frames["width"] * size[1] / (frames["height"] * size[0])).between(0.9, 1.1).all()


def test_bars_of_a_film_of_a_few_lines(tmp_path: Path) -> None:
    path, pictures = tmp_path / "film.mkv", [picture.copy() for picture in moving_pictures(24, (4096, 16))]
    for picture in pictures:
        picture[:] = np.maximum(picture, 90)
        picture[:4], picture[-4:] = 0, 0
    write_film(path, pictures, evenly(24, Fraction(24)), coding=Coding("ffv1", "yuv444p"))
    frames = extract(path, OFTEN).rows(Frame)
    assert set(frames["crop_h"]) == {8}

"""JPEG, scaling, and OpenCV that does not load."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhmd.errors import PictureError
from mhmd.media.jpeg import decode_jpeg, encode_jpeg, shrink
from tests.films import scene_texture


def test_colours_survive_at_full_size() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = (220, 60, 40)
    stripes[:, 1::2] = (40, 90, 210)
    error = np.abs(decode_jpeg(encode_jpeg(stripes)).astype(int) - stripes).mean()
    assert error < 6, "with chroma halved, stripes of one pixel lose their colours"


def test_quality_costs_bytes() -> None:
    picture = scene_texture(1, (96, 64))
    assert len(encode_jpeg(picture, 60)) < len(encode_jpeg(picture, 95)) < len(encode_jpeg(picture, 100))
    assert encode_jpeg(picture) == encode_jpeg(picture)


@pytest.mark.parametrize("data", [b"", b"no picture", encode_jpeg(scene_texture(1, (32, 32)))[:40]])
def test_what_is_no_jpeg(data: bytes) -> None:
    with pytest.raises(PictureError, match=f"{len(data)} bytes"):
        decode_jpeg(data)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 100))
def test_pictures_are_scaled_down_never_up(width: int, height: int, short_side_px: int) -> None:
    picture = np.full((height, width, 3), 77, np.uint8)
    result = shrink(picture, short_side_px)
    assert min(result.shape[:2]) == min(width, height, short_side_px)
    assert abs(result.shape[1] * height - result.shape[0] * width) <= max(width, height)
    assert (result == 77).all()


def test_opencv_that_does_not_load_is_explained(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from mhmd.shots.adaptive import Adaptive; Adaptive()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("mhmd.errors.DependencyError")
    assert "libGL.so.1" in last
    assert "libgl1" in last

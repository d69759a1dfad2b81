"""What detectors see, and what is stored."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhmd.media.bars import Bars
from mhmd.media.colour import MATRICES, Colour
from mhmd.media.pictures import Cut, SmallPictures, StoredPictures, stored_size, to_bgr
from mhmd.media.probe import Crop, Probe, probe_film
from mhmd.media.pyav import PyavDecoder
from mhmd.media.rgb import ToRgb
from tests.films import Coding, Picture, make_film, write_film

FORMATS = ("yuv420p", "yuv422p", "yuv444p", "yuv410p", "yuvj420p", "yuv420p10le", "yuv444p12le", "rgb24", "gray")


def first_of(path: Path, short_side_px: int = 0) -> tuple[Picture, Picture, Probe]:
    """A film's first frame small, as RGB, and as it is stored, and its probe."""
    probe = probe_film(path)
    frame = next(iter(PyavDecoder(path, 0))).frame
    stored = StoredPictures(probe, short_side_px)(frame, probe.crop(probe.formats[0]))
    small = SmallPictures(probe)
    return small(frame)[small.part][..., ::-1], stored, probe


@pytest.mark.parametrize("bars", [0, 11, 12, 13, 14])
def test_neither_shows_bars(bars: int, tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [24, 24], size=(320, 180), bars=bars)
    small, stored, _ = first_of(made.path)
    for picture, scale in ((small, 0.8), (stored, 1)):
        assert picture.shape[1] == 320 * scale
        assert picture.shape[0] == pytest.approx((180 - 2 * bars) * scale, abs=4)
        assert picture.mean(axis=(1, 2)).min() > 40


@pytest.mark.parametrize("form", FORMATS)
def test_small_pictures_have_the_colours_of_stored_ones(form: str, tmp_path: Path) -> None:
    codec = "ffv1" if form in ("rgb24", "gray", "yuv410p", "yuv444p12le") else "libx264"
    coding = Coding(codec, "bgr0" if form == "rgb24" else form, full_range=form.startswith("yuvj"))
    made = make_film(tmp_path / "film.mkv", [2], size=(512, 288), coding=coding)
    small, stored, _ = first_of(made.path)
    reduced = cv2.resize(stored, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.mean(axis=(0, 1)) - stored.mean(axis=(0, 1))).max() < 1
    assert np.abs(cv2.blur(small, (9, 9)).astype(int) - cv2.blur(reduced, (9, 9))).mean() < 2.5


@pytest.mark.parametrize("form", ["yuv420p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("size", [(512, 288), (864, 486), (1280, 720), (1440, 1080)])
def test_lines_of_small_pictures_are_where_they_were(size: tuple[int, int], form: str, tmp_path: Path) -> None:
    up_and_down = np.abs(np.arange(size[1]) % 160 - 80) * 2.5 + 20
    picture = np.broadcast_to(up_and_down[:, None, None], (*size[::-1], 3)).astype(np.uint8)
    coding = Coding("libx264", form)
    write_film(tmp_path / "film.mkv", [picture] * 2, [Fraction(k, 24) for k in range(3)], coding=coding)
    small, stored, _ = first_of(tmp_path / "film.mkv")
    reduced = cv2.resize(stored, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - reduced).mean() < 2.5


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("form", ["limited", "full"])
def test_the_matrix_is_the_one_that_ffmpeg_has(matrix: str, form: str, tmp_path: Path) -> None:
    coding = Coding(pixel_format="yuv444p", matrix=matrix, full_range=form == "full", tagged=True)  # type: ignore[arg-type]  # one of them
    path = make_film(tmp_path / "film.mp4", [1], coding=coding).path
    frame = next(iter(PyavDecoder(path, 0))).frame
    planes = [frame.to_ndarray()[k].astype(np.float32) for k in range(3)]
    bgr = cv2.transform(cv2.merge(planes), to_bgr(Colour(matrix, form, ""))).clip(0, 255)
    rgb = ToRgb(Colour(matrix, form, "")).picture(frame)
    assert np.abs(bgr[..., ::-1] - rgb).max() < 1.1


def test_a_part_is_the_same_when_the_pixel_format_changes() -> None:
    """As in recordings that were joined."""
    import av

    ramp = cv2.resize(np.array([[0, 80], [160, 240]], np.uint8), (64, 48), interpolation=cv2.INTER_LINEAR)
    cut, crop = Cut(), Crop(16, 6, 40, 36)
    for form in ("yuv420p", "yuv420p10le", "yuv444p", "yuv420p"):
        frame = av.VideoFrame.from_ndarray(cv2.merge((ramp, ramp[::-1].copy(), 255 - ramp)), "rgb24")
        whole = frame.reformat(format=form)
        part = cut(whole, crop).to_ndarray(format="rgb24").astype(int)
        apart = np.abs(part - whole.to_ndarray(format="rgb24")[6:42, 16:56])
        assert apart[2:-2, 2:-2].max() <= 3, form


def test_odd_parts_are_cut_out_exactly(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mkv", [1], coding=Coding(codec="ffv1", pixel_format="yuv444p")).path
    probe, frame = probe_film(path), next(iter(PyavDecoder(path, 0))).frame
    stored = StoredPictures(probe, 0)
    whole = stored(frame, Crop(0, 0, 192, 108))
    assert np.array_equal(stored(frame, Crop(7, 13, 101, 55)), whole[13:68, 7:108])
    assert np.array_equal(stored(frame, Crop(0, 0, 192, 108)), whole), "and the frame is as it was"


@given(
    st.integers(1, 5000),
    st.integers(1, 5000),
    st.fractions(Fraction(1, 4), 4, max_denominator=100),
    st.integers(0, 2000),
)
def test_stored_pictures_have_square_pixels_and_are_never_enlarged(w: int, h: int, aspect: Fraction, side: int) -> None:
    width, height = stored_size(Crop(0, 0, w, h), aspect, side)
    assert width <= w
    assert height <= h
    if min(width, height) > 50:
        assert width / height == pytest.approx(w * aspect / h, rel=0.02)
    if side:
        assert min(width, height) <= side
        assert min(width, height) == side or max(width / w, height / h) > 1 - 1 / min(w, h)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_pictures_are_upright(turns: int, mirrored: bool, tmp_path: Path) -> None:
    picture = np.full((48, 64, 3), 60, np.uint8)
    picture[:24, :32] = (220, 40, 40)  # the red corner is at the top left before turning
    write_film(tmp_path / "film.mkv", [picture] * 2, [Fraction(k) for k in range(3)])
    probe = replace(probe_film(tmp_path / "film.mkv"), rotation_deg=90 * turns, mirrored=mirrored)
    frame = next(iter(PyavDecoder(tmp_path / "film.mkv", 0))).frame
    stored = StoredPictures(probe, 0)(frame, probe.crop(Bars()))
    corners = [stored[5, 5], stored[5, -5], stored[-5, -5], stored[-5, 5]]  # clockwise from the top left
    assert [int(corner[0]) > 150 for corner in corners].index(True) == (turns + mirrored) % 4
    assert stored.shape == ((48, 64, 3) if turns % 2 == 0 else (64, 48, 3))


def test_small_pictures_leave_out_what_all_formats_leave_out(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [2], size=(512, 288))
    probe = replace(probe_film(made.path), formats=(Bars(top=40, bottom=40), Bars(left=20, top=20, bottom=20)))
    small = SmallPictures(probe)
    assert small(next(iter(PyavDecoder(made.path, 0))).frame)[small.part].shape == (124, 256, 3)
    assert small.inside(Bars(top=40, bottom=41)) == Bars(top=20, bottom=20)

"""Bars in pictures and in films."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mhmd.media.bars import MIN_VOTES, Bars, bars_of
from mhmd.media.probe import probe_film
from tests.films import Coding, Picture, Scene, make_film, scene_pictures, write_film


def luma(left: int = 0, top: int = 0, right: int = 0, bottom: int = 0, level: int = 120, noise: int = 4) -> Picture:
    """A picture of 120×80 with black bars, neither quite even."""
    random = np.random.default_rng(left + top + right + bottom)
    picture = random.integers(0, noise + 1, (80, 120)).astype(np.uint8)
    part = picture[top : 80 - bottom, left : 120 - right]
    part += np.uint8(level)
    return picture


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_bars_are_found_and_what_remains_is_even(left: int, top: int, right: int, bottom: int) -> None:
    bars = bars_of([luma(left, top, right, bottom)] * MIN_VOTES)
    assert (bars.left, bars.top) == (left, top)
    assert 0 <= bars.right - right <= 1
    assert 0 <= bars.bottom - bottom <= 1
    assert (120 - bars.left - bars.right) % 2 == 0
    assert (80 - bars.top - bars.bottom) % 2 == 0


def test_one_bright_frame_without_bars_keeps_them_all() -> None:
    assert bars_of([luma(top=10, bottom=10)] * 9 + [luma()]) == Bars()


def test_dark_frames_do_not_vote() -> None:
    night = np.zeros((80, 120), np.uint8)
    night[20:60, 30:90] = 60
    assert bars_of([night] * 9) == Bars()
    assert bars_of([night] * 9 + [luma(top=10, bottom=10)] * MIN_VOTES) == Bars(top=10, bottom=10)
    assert bars_of([luma(top=10, bottom=10)] * (MIN_VOTES - 1)) == Bars()


def test_a_small_bright_middle_is_no_picture_between_bars() -> None:
    assert bars_of([luma(top=30, bottom=30, level=250)] * MIN_VOTES) == Bars()


def test_bars_of_films(tmp_path: Path) -> None:
    dark_first = [Scene(30, "black"), 24, 24, 24, Scene(30, "black")]
    for path in (tmp_path / "film.mp4", tmp_path / "film.mkv"):
        assert probe_film(make_film(path, dark_first, bars=14).path).bars == Bars(top=14, bottom=14)
        assert probe_film(make_film(path, dark_first).path).bars == Bars()


ONE_KEYFRAME = Coding(options={"g": "999", "sc_threshold": "0"})


def test_bars_of_a_film_whose_beginning_is_dark(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [Scene(300, "black"), 60, 60], size=(96, 72), bars=14)
    assert probe_film(made.path).bars == Bars(top=14, bottom=14)


def test_bars_of_a_film_with_one_keyframe(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", bars=14, coding=ONE_KEYFRAME)
    assert probe_film(made.path).bars == Bars(top=14, bottom=14)


def test_one_keyframe_has_one_vote(tmp_path: Path) -> None:
    whole = [*scene_pictures(Scene(60), 1, (96, 72))]
    barred = [cv2.copyMakeBorder(picture[14:-14], 14, 14, 0, 0, cv2.BORDER_CONSTANT) for picture in whole]
    times = [Fraction(k, 24) for k in range(121)]
    write_film(tmp_path / "film.mp4", barred + whole, times, coding=ONE_KEYFRAME)
    assert probe_film(tmp_path / "film.mp4").bars == Bars()

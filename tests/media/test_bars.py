"""Bars in pictures and in films."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhmd.media.bars import MIN_VOTES, Bars, formats_of, is_lit
from mhmd.media.black import black_of
from mhmd.media.probe import probe_film
from tests.films import Coding, Picture, Scene, evenly, make_film, scene_pictures, write_film


def luma(left: int = 0, top: int = 0, right: int = 0, bottom: int = 0, level: int = 120, noise: int = 4) -> Picture:
    """A picture of 120×80 with black bars, neither quite even."""
    random = np.random.default_rng(left + top + right + bottom)
    picture = random.integers(0, noise + 1, (80, 120)).astype(np.uint8)
    part = picture[top : 80 - bottom, left : 120 - right]
    part += np.uint8(level)
    return picture


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_bars_are_found_and_what_remains_is_even(left: int, top: int, right: int, bottom: int) -> None:
    (bars,) = formats_of([luma(left, top, right, bottom)] * MIN_VOTES)
    assert 0 <= bars.left - left <= 1
    assert 0 <= bars.top - top <= 1
    assert 0 <= bars.right - right <= 2
    assert 0 <= bars.bottom - bottom <= 2
    assert {bars.left % 2, bars.top % 2, (bars.left + bars.right) % 2, (bars.top + bars.bottom) % 2} == {0}


@pytest.mark.parametrize(("share", "more"), [(0.2, 2), (0.6, 2), (0.8, 0)])
def test_what_is_mixed_of_bar_and_picture_is_no_picture(share: float, more: int) -> None:
    """As where a film was scaled after its bars were made."""
    picture = luma(top=8, bottom=8)
    picture[[8, 71]] = picture[[8, 71]] * share
    assert formats_of([picture] * MIN_VOTES) == (Bars(top=8 + more, bottom=8 + more),)


@pytest.mark.parametrize(("form", "left", "top"), [("yuv420p", 10, 10), ("yuv411p", 12, 10), ("yuv410p", 12, 12)])
def test_pictures_begin_with_a_whole_pixel_of_chroma(form: str, left: int, top: int, tmp_path: Path) -> None:
    picture = np.full((144, 192, 3), 120, np.uint8)
    picture[:10] = picture[-10:] = picture[:, :10] = picture[:, -10:] = 0
    write_film(tmp_path / "film.mkv", [picture] * 12, evenly(12, Fraction(24)), coding=Coding("ffv1", form))
    assert probe_film(tmp_path / "film.mkv").formats == (Bars(left, top, 10, 10),)


def test_a_figure_on_black_keeps_its_hat_and_its_legs() -> None:
    """One that stands in all frames, as in an interview, is no mark where it lights few pixels of a row."""
    shape = np.zeros((360, 480), np.uint8)
    for top, bottom, left, right in ((20, 52, 215, 265), (52, 58, 195, 285), (58, 110, 215, 265), (290, 345, 215, 235)):
        shape[top:bottom, left:right] = 1
    cv2.fillPoly(shape, [np.array([(210, 110), (270, 110), (400, 290), (80, 290)])], 1.0)
    figures = [shape * np.random.default_rng(seed).integers(90, 250, shape.shape).astype(np.uint8) for seed in range(9)]
    (bars,) = formats_of([figure + np.uint8(6) for figure in figures])
    assert (bars.top, bars.bottom) == (20, 16), "what is black in all of them may be bars"


def tape(level: int, noise: float, *, upright: bool = False) -> list[Picture]:
    """Ten pictures of 320×240 in motion, with bars of 30 px above and below that lie at `level` in noise."""
    random, texture = np.random.default_rng(level), cv2.blur(np.random.default_rng(1).random((240, 420)), (9, 9))
    frames = []
    for shift in range(10):
        picture = 60 + 300 * (texture[:, shift * 10 : shift * 10 + 320] - 0.5).clip(-0.15, 0.5)
        picture[:30] = picture[-30:] = level
        frames.append((picture + random.normal(0, noise, picture.shape)).clip(0, 255).astype(np.uint8))
    return [np.ascontiguousarray(frame.T) for frame in frames] if upright else frames


@pytest.mark.parametrize("noise", [0, 4, 8])
@pytest.mark.parametrize("level", [0, 14, 19, 32])
@pytest.mark.parametrize("upright", [False, True])
def test_bars_of_tapes_are_gray_and_full_of_noise(level: int, noise: float, upright: bool) -> None:
    black, lumas = black_of(tape(level, noise, upright=upright))
    assert level < black <= max(20, level + max(8, 3.6 * noise))
    bars = Bars(left=30, right=30) if upright else Bars(top=30, bottom=30)
    assert formats_of(lumas, black) == (bars,)
    assert not is_lit(tape(level, noise, upright=upright)[0], bars, black)


def test_black_stays_black_where_there_are_no_raised_bars() -> None:
    changing = [tape(level, 0)[0] for level in range(16, 40, 3)]
    assert [black_of(frames)[0] for frames in ([], changing, tape(50, 0), tape(30, 12))] == [20] * 4
    one_sided = [np.where(np.arange(240)[:, None] < 120, frame, 90).astype(np.uint8) for frame in tape(30, 0)]
    assert black_of(one_sided)[0] == 20
    fewer = tape(30, 0)[:5] + [np.full((240, 320), 90, np.uint8)] * 5
    assert black_of(fewer)[0] == 20
    assert len(list(black_of([*tape(0, 0), np.zeros((240, 320), np.uint8)])[1])) == 10, "the dark one is left out"


def test_a_film_may_change_its_format() -> None:
    wide, full, pillar = luma(top=10, bottom=10), luma(), luma(left=20, right=20)
    expected = Bars(top=10, bottom=10), Bars(), Bars(left=20, right=20)
    assert formats_of([wide] * 50 + [full] * 30 + [pillar] * 20) == expected
    assert formats_of([wide] * 95 + [full] * 5) == (Bars(top=10, bottom=10),), "a tenth of the votes is wanted"


def test_a_dark_edge_of_some_scenes_is_no_bar() -> None:
    scenes = [luma(top=top) for top in (4, 6, 9, 13, 16, 20)]
    assert formats_of([luma()] * 10 + scenes * 3) == (Bars(),), "dark at one side only"
    barred = [luma(top=10 + more, bottom=10) for more in (0, 0, 0, 0, 0, 3, 7, 12, 20)]
    assert formats_of(barred * 4) == (Bars(top=10, bottom=10),)


def test_a_ceiling_that_darkens_gradually_is_no_bar() -> None:
    ramp = np.repeat(np.minimum(np.arange(80) * 0.8 + 12, 120)[:, None], 120, axis=1).astype(np.uint8)
    assert formats_of([ramp] * 20) == (Bars(),)


def test_subtitles_in_a_bar_leave_it_a_bar() -> None:
    written = luma(top=12, bottom=12)
    written[72:76, 40:80:4] = 250
    clean, marked = (np.kron(each, np.ones((4, 4), np.uint8)) for each in (luma(top=12, bottom=12), written))
    for share in (5, 15, 25):
        assert formats_of([clean] * (30 - share) + [marked] * share) == (Bars(top=48, bottom=48),)
    assert not is_lit(written, Bars(top=12, bottom=12))


def test_a_mark_that_stands_in_a_bar_leaves_it_a_bar() -> None:
    frames = [np.kron(luma(top=12, bottom=12, level=level), np.ones((4, 4), np.uint8)) for level in range(90, 120)]
    for frame in frames:
        frame[10:40, 400:460] = 200
    assert formats_of(frames) == (Bars(top=48, bottom=48),)
    pillared = [np.kron(luma(left=20, right=20, level=level), np.ones((4, 4), np.uint8)) for level in range(90, 120)]
    for frame in pillared:
        frame[10:40, 420:470] = 200
    assert formats_of(pillared) == (Bars(left=80, right=80),)


def test_a_lamp_in_the_dark_is_no_mark() -> None:
    """Picture that is dark at its upper edge, but for a lamp: it ends gradually, or light moves there."""
    ramp = np.repeat(np.minimum(np.arange(320) * 0.2 + 12, 120)[:, None], 480, axis=1).astype(np.uint8)
    ramp[5:30, 200:240] = 220
    assert formats_of([ramp] * 20) == (Bars(),)
    moving = []
    for n in range(20):
        frame = np.kron(luma(top=12), np.ones((4, 4), np.uint8))
        frame[:44, 20 * n : 20 * n + 60] = 200
        moving.append(frame)
    assert formats_of(moving) == (Bars(),)


def test_bars_that_show_picture_are_lit() -> None:
    bars = Bars(top=10, bottom=10)
    assert not is_lit(luma(top=10, bottom=10), bars)
    assert is_lit(luma(top=10), bars)
    assert is_lit(luma(left=90, level=60), bars), "a quarter of it"
    assert not is_lit(luma(), Bars())


def test_dark_frames_do_not_vote() -> None:
    night = np.zeros((80, 120), np.uint8)
    night[20:60, 30:90] = 60
    assert formats_of([night] * 9) == (Bars(),)
    assert formats_of([night] * 9 + [luma(top=10, bottom=10)] * MIN_VOTES) == (Bars(top=10, bottom=10),)
    assert formats_of([luma(top=10, bottom=10)] * (MIN_VOTES - 1)) == (Bars(),)


def test_a_small_bright_middle_is_no_picture_between_bars() -> None:
    assert formats_of([luma(top=30, bottom=30, level=250)] * MIN_VOTES) == (Bars(),)


def test_bars_of_films(tmp_path: Path) -> None:
    dark_first = [Scene(30, "black"), 24, 24, 24, Scene(30, "black")]
    for path in (tmp_path / "film.mp4", tmp_path / "film.mkv"):
        assert probe_film(make_film(path, dark_first, bars=14).path).formats[0] == Bars(top=14, bottom=14)
        assert probe_film(make_film(path, dark_first).path).formats[0] == Bars()


ONE_KEYFRAME = Coding(options={"g": "999", "sc_threshold": "0"})


def test_bars_of_a_film_whose_beginning_is_dark(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [Scene(300, "black"), 60, 60], size=(96, 72), bars=14)
    assert probe_film(made.path).formats[0] == Bars(top=14, bottom=14)


def test_bars_of_a_film_with_one_keyframe(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", bars=14, coding=ONE_KEYFRAME)
    assert probe_film(made.path).formats[0] == Bars(top=14, bottom=14)


def test_one_keyframe_has_one_vote(tmp_path: Path) -> None:
    whole = [*scene_pictures(Scene(60), 1, (96, 72))]
    barred = [cv2.copyMakeBorder(picture[14:-14], 14, 14, 0, 0, cv2.BORDER_CONSTANT) for picture in whole]
    times = [Fraction(k, 24) for k in range(121)]
    write_film(tmp_path / "film.mp4", barred + whole, times, coding=ONE_KEYFRAME)
    assert Bars() in probe_film(tmp_path / "film.mp4").formats


def boxed(pictures: list[Picture]) -> list[Picture]:
    return [cv2.copyMakeBorder(picture[14:-14], 14, 14, 0, 0, cv2.BORDER_CONSTANT) for picture in pictures]


def formats_in(path: Path, pictures: list[Picture], coding: Coding) -> set[Bars]:
    write_film(path, pictures, [Fraction(k, 24) for k in range(len(pictures) + 1)], coding=coding)
    return {*probe_film(path).formats}


def test_formats_that_begin_late_in_a_film_of_few_keyframes(tmp_path: Path) -> None:
    whole = [*scene_pictures(Scene(250), 1, (96, 72))]
    pillared = [cv2.copyMakeBorder(picture[:, 16:-16], 0, 0, 16, 16, cv2.BORDER_CONSTANT) for picture in whole]
    coding = Coding(options={"g": "250", "sc_threshold": "0"})
    found = formats_in(tmp_path / "film.mp4", whole + boxed(whole) + pillared, coding)
    assert found == {Bars(), Bars(top=14, bottom=14), Bars(left=16, right=16)}


def test_a_format_with_one_keyframe_among_many(tmp_path: Path) -> None:
    shots = [picture for place in range(12) for picture in scene_pictures(Scene(30), place, (96, 72))]
    long = [*scene_pictures(Scene(120), 12, (96, 72))]
    coding = Coding(options={"g": "250", "sc_threshold": "40"})
    assert formats_in(tmp_path / "film.mp4", shots + boxed(long), coding) == {Bars(), Bars(top=14, bottom=14)}

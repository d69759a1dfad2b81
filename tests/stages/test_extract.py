"""Stage extract: which frames of made films are stored, and what their rows say."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from mhmd.errors import FilmDamaged, FilmUnreadable, RecipeError
from mhmd.hashing.phash import phash
from mhmd.measures import measure
from mhmd.measures.light import sharpness
from mhmd.media.pictures import SmallPictures, StoredPictures
from mhmd.media.probe import probe_film
from mhmd.media.pyav import PyavDecoder
from mhmd.records import Frame, Shot
from mhmd.stages.extract import STAGE, TOGETHER, ExtractConfig, exact
from tests.extracted import EVERY, OFTEN, extract
from tests.films import Coding, MadeFilm, Scene, make_film


def expected_frames(made: MadeFilm, interval: Fraction, guard: Fraction) -> list[int]:
    """The frames that belong in the table, by the definition: exact numbers, the whole film at once."""
    small = SmallPictures(probe_film(made.path))
    sharp = [
        sharpness(cv2.cvtColor(small(each.frame)[small.part], cv2.COLOR_BGR2GRAY)) for each in PyavDecoder(made.path, 0)
    ]
    candidates: dict[Fraction, int] = {}
    for frame, time in enumerate(made.times[:-1]):
        cell = time // (interval / 4)
        if cell not in candidates or sharp[frame] > sharp[candidates[cell]]:
            candidates[cell] = frame
    found = []
    for first, end in pairwise([0, *made.cuts, made.frames]):
        low, high = made.times[first] + guard, made.times[end] - guard
        inside = [f for f in candidates.values() if first <= f < end and low <= made.times[f] <= high]
        windows: dict[Fraction, list[int]] = {}
        for frame in inside:
            windows.setdefault((made.times[frame] - low) // interval, []).append(frame)
        whole = [each for window, each in windows.items() if low + (window + Fraction(1, 2)) * interval <= high]
        found += [max(each, key=lambda frame: (sharp[frame], -frame)) for each in whole or [inside] if each]
    return found


@pytest.mark.parametrize("vfr", [False, True])
def test_frames_are_those_of_the_definition(vfr: bool, tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [24, 16, 40, 20], rate=Fraction(25), vfr=vfr)
    result = extract(made.path, OFTEN)
    frames = result.rows(Frame)
    assert frames.frame_index.tolist() == expected_frames(made, Fraction(1, 4), Fraction(1, 5))
    base = Fraction(int(frames.time_base_num[0]), int(frames.time_base_den[0]))
    assert [base * pts for pts in frames.pts] == [made.times[frame] for frame in frames.frame_index]
    assert frames.time_s.tolist() == [float(made.times[frame]) for frame in frames.frame_index]
    assert frames.frame_id.tolist() == [f"alpha_{pts:010d}" for pts in frames.pts]


def test_shots(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [24, Scene(16, "gray"), 40])
    result = extract(made.path, OFTEN)
    shots, frames = result.rows(Shot), result.rows(Frame)
    assert shots.start_frame.tolist() == [0, 24, 40]
    assert shots.end_frame.tolist() == [24, 40, 80]
    assert shots.start_s.tolist() == [0.0, 1.0, 40 / 24]
    assert shots.end_s.tolist() == [1.0, 40 / 24, 80 / 24]
    assert shots.transition.tolist() == ["start", "cut", "cut"]
    shot_of = np.searchsorted(shots.start_frame, frames.frame_index, side="right") - 1
    assert frames["shot"].tolist() == shot_of.tolist()
    assert set(shot_of) == {0, 1, 2}


def test_nothing_is_stored_of_the_neighbouring_shot(tmp_path: Path) -> None:
    looks = [Scene(24), Scene(24, "black"), Scene(24, "gray"), Scene(24)]
    result = extract(make_film(tmp_path / "film.mp4", looks).path, EVERY)
    frames = result.rows(Frame)
    assert len(frames) == 96
    assert frames.groupby("shot").luma_mean.agg(lambda values: values.max() - values.min()).max() < 10
    assert (frames[frames["shot"] == 1].luma_mean < 1).all()
    assert frames[frames["shot"] == 1].phash.isna().all()
    assert frames[frames["shot"] != 1].phash.notna().all()
    assert (frames[frames["shot"] == 2].chroma_mean < 1).all()
    assert (frames[frames["shot"].isin([0, 3])].chroma_mean > 10).all()


def test_rows_speak_of_the_stored_picture(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [30, 30], size=(320, 180), bars=20)
    result = extract(made.path, ExtractConfig(interval_s=0.5, short_side_px=100))
    probe = probe_film(made.path)
    decoded = {each.index: each.frame for each in PyavDecoder(made.path, 0)}
    for row in result.rows(Frame).itertuples():
        picture = result.picture(row.ref)
        assert (row.crop_x, row.crop_y, row.crop_w, row.crop_h) == (0, 20, 320, 140)
        assert picture.shape == (row.height, row.width, 3) == (100, 229, 3)
        assert int(row.phash) == phash(picture)
        assert row.sharpness == measure(picture).sharpness
        assert row.colorfulness == measure(picture).colorfulness
        meant = StoredPictures(probe, 100)(decoded[row.frame_index], probe.crop(probe.formats[0]))
        assert np.abs(picture.astype(int) - meant).mean() < 3


def test_the_row_of_the_film(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [30, 30], bars=14, coding=Coding(matrix="bt709", tagged=True))
    film = extract(made.path, OFTEN).film
    expected = {
        "film_id": "alpha", "duration_s": 2.5, "frames": 60, "codec": "h264", "width": 192, "height": 108,
        "rate_num": 24, "rate_den": 1, "pixel_format": "yuv420p", "color_matrix": "bt709", "color_range": "limited",
        "color_primaries": "unspecified", "color_transfer": "unspecified", "matrix_source": "tagged", "bar_left": 0,
        "bar_top": 14, "bar_right": 0, "bar_bottom": 14, "interlaced": False, "decode_errors": 0,
    }  # fmt: skip
    assert {name: film[name] for name in expected} == expected
    assert extract(made.path, OFTEN, "bt601").film["matrix_source"] == "manifest"


def test_short_side_0_keeps_the_size(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [30])
    for config in (ExtractConfig(interval_s=0.3, short_side_px=0), ExtractConfig(interval_s=0.3, short_side_px=8192)):
        assert extract(made.path, config).rows(Frame)[["width", "height"]].to_numpy().tolist() == [[192, 108]] * 3


def test_a_shot_too_short_for_the_guard_has_no_frames(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [30, 16, 30])
    frames = extract(made.path, EVERY.model_copy(update={"guard_s": 0.4})).rows(Frame)
    assert set(frames["shot"]) == {0, 2}
    assert frames.frame_index.between(10, 20).sum() + frames.frame_index.between(56, 66).sum() == len(frames)


def test_the_same_film_gives_the_same_bytes(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [30, 30])
    first, second = extract(made.path, OFTEN), extract(made.path, OFTEN)
    for record in STAGE.writes:
        assert first.rows(record).equals(second.rows(record)), "refs hold the hash of the JPEGs' tar"


def test_damaged_stretches_are_not_stored(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [60, 60])
    content = bytearray(made.path.read_bytes())
    content[len(content) // 4 : len(content) // 4 + 60] = bytes(60)
    made.path.write_bytes(content)
    every = EVERY.model_copy(update={"max_damage": 0.5})
    result = extract(made.path, every)
    assert result.film["decode_errors"] > 0
    suspects = [decoded.index for decoded in PyavDecoder(made.path, 1) if decoded.suspect]
    assert suspects
    (note,) = result.notes
    assert f"{len(suspects)} of {result.film['frames']} frames" in note
    assert str(result.film["decode_errors"]) in note
    assert extract(make_film(tmp_path / "sound.mp4", [30, 30]).path, EVERY).notes == ()
    assert set(result.rows(Frame).frame_index) == set(range(result.film["frames"])) - set(suspects)
    with pytest.raises(FilmDamaged):
        extract(made.path, every.model_copy(update={"max_damage": 0.0}))


def test_of_a_film_that_ends_early_it_is_said_so_and_no_more(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mkv", [60, 60])
    made.path.write_bytes(made.path.read_bytes()[: made.path.stat().st_size // 2])
    (note,) = extract(made.path, EVERY.model_copy(update={"max_damage": 0.9})).notes
    assert "it ends after" in note
    assert "may show" not in note, "nothing comes after what is lost"


def test_progress_goes_to_the_end(tmp_path: Path) -> None:
    reports = extract(make_film(tmp_path / "film.mp4", [60, 60]).path, ExtractConfig()).reports
    reports = [(done, total) for done, total in reports if total < 1000]  # before it the file's bytes were hashed
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)
    assert reports[-1] == (120, 120)
    assert len(reports) > 120 / TOGETHER


def test_an_unknown_detector_is_named() -> None:
    with pytest.raises(RecipeError, match="one of cascade"):
        ExtractConfig.checked({"detector": "magic"}, "recipe")


def test_limits_leave_an_even_choice(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [40, 20, 40])
    every = extract(made.path, EVERY).rows(Frame)
    four = extract(made.path, EVERY.model_copy(update={"max_per_shot": 4}))
    assert four.rows(Frame).groupby("shot").size().tolist() == [4, 4, 4]
    assert four.rows(Frame).frame_index.tolist() == [5, 15, 25, 35, 42, 47, 52, 57, 65, 75, 85, 95]
    assert {tuple(four.picture(ref).shape) for ref in four.rows(Frame).ref} == {(108, 192, 3)}
    six = extract(made.path, EVERY.model_copy(update={"max_per_film": 5})).rows(Frame)
    assert six.frame_index.tolist() == [10, 30, 50, 70, 90]
    same = every.set_index("frame_id").loc[six.frame_id].drop(columns="ref").reset_index()
    assert same[six.drop(columns="ref").columns].equals(six.drop(columns="ref"))


def test_every_shot_has_its_frames(tmp_path: Path) -> None:
    made = make_film(tmp_path / "film.mp4", [20, 16, 60])
    rare = ExtractConfig(detector="adaptive", interval_s=3, guard_s=0.1)
    counts = [
        extract(made.path, rare.model_copy(update={"min_per_shot": least})).rows(Frame).groupby("shot").size().to_dict()
        for least in (0, 1, 2)
    ]
    assert counts == [{2: 1}, {0: 1, 1: 1, 2: 1}, {0: 2, 1: 2, 2: 2}], (
        "0.8 s have no more than two candidates of 0.75 s"
    )


def test_one_frame_is_no_film(tmp_path: Path) -> None:
    with pytest.raises(FilmUnreadable, match="one frame"):
        extract(make_film(tmp_path / "film.mp4", [1]).path, OFTEN)


def test_decimal_knobs_are_exact() -> None:
    assert exact(0.2) == Fraction(1, 5)
    assert exact(1e-3) == Fraction(1, 1000)

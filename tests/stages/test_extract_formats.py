"""Stage extract: films whose bars change."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from mhmd.records import Frame
from tests.extracted import OFTEN, extract
from tests.films import Scene, scene_pictures, write_film


def film_of_formats(path: Path, parts: list[tuple[int, tuple[int, int]]]) -> Path:
    """A film of 320×180 of shots of so many frames, each with bars of so many px at top and bottom, left and right."""
    pictures = []
    for place, (frames, (down, across)) in enumerate(parts):
        inner = (320 - 2 * across, 180 - 2 * down)
        pictures += [
            cv2.copyMakeBorder(picture, down, down, across, across, cv2.BORDER_CONSTANT)
            for picture in scene_pictures(Scene(frames), place, inner)
        ]
    write_film(path, pictures, [Fraction(k, 24) for k in range(len(pictures) + 1)])
    return path


NONE, WIDE, WIDER, PILLAR = (0, 0), (20, 0), (40, 0), (0, 40)


@pytest.mark.parametrize(
    ("formats", "main"),
    [
        ([WIDE, NONE, WIDE], WIDE),
        ([NONE, NONE, WIDE], NONE),
        ([NONE, NONE, NONE, WIDE, PILLAR], NONE),
        ([WIDE, WIDE, WIDER], WIDE),
    ],
)
def test_a_film_may_change_its_format(formats: list[tuple[int, int]], main: tuple[int, int], tmp_path: Path) -> None:
    """Each shot is cut as it was shot, whichever format is the commonest."""
    result = extract(film_of_formats(tmp_path / "film.mp4", [(48, bars) for bars in formats]), OFTEN)
    crops = result.rows(Frame).groupby("shot")[["crop_y", "crop_h", "crop_x", "crop_w"]].agg(set)
    cuts = [[{down}, {180 - 2 * down}, {across}, {320 - 2 * across}] for down, across in formats]
    assert crops.to_numpy().tolist() == cuts
    assert (result.film["bar_top"], result.film["bar_left"]) == main
    assert all(result.picture(ref).mean(axis=(1, 2)).min() > 30 for ref in result.rows(Frame).ref)


@pytest.mark.parametrize("across", [1, 2, 3, 7, 9])
@pytest.mark.parametrize("width", [320, 512, 640])
def test_thin_bars_are_cut_off(width: int, across: int, tmp_path: Path) -> None:
    """Odd ones, too, of which what is cut off has a column more."""
    inner = (width - 2 * across, 96)
    pictures = [
        cv2.copyMakeBorder(picture, 0, 0, across, across, cv2.BORDER_CONSTANT)
        for place in range(4)
        for picture in scene_pictures(Scene(24), place, inner)
    ]
    write_film(tmp_path / "film.mp4", pictures, [Fraction(k, 24) for k in range(len(pictures) + 1)])
    frames = extract(tmp_path / "film.mp4", OFTEN).rows(Frame)
    even = across + across % 2
    assert set(frames.crop_x) == {even}
    assert set(frames.crop_w) == {width - 2 * even}


@pytest.mark.parametrize(("down", "up", "sigma_px"), [(5, 6, 0.5), (12, 14, 2.0)])
def test_bars_stay_bars_where_the_picture_weaves_in_the_gate(
    down: int, up: int, sigma_px: float, tmp_path: Path
) -> None:
    random = np.random.default_rng(4)
    pictures = [
        cv2.warpAffine(
            cv2.copyMakeBorder(np.maximum(picture, 140), down, up, 58, 58, cv2.BORDER_CONSTANT),
            np.array([[1, 0, random.normal(0, sigma_px)], [0, 1, random.normal(0, sigma_px)]]),
            (640, 360),
        )
        for place in range(4)
        for picture in scene_pictures(Scene(48), place, (524, 360 - down - up))
    ]
    write_film(tmp_path / "film.mp4", pictures, [Fraction(k, 24) for k in range(len(pictures) + 1)])
    frames = extract(tmp_path / "film.mp4", OFTEN).rows(Frame)
    assert frames.crop_w.between(514, 524).all()
    assert frames.crop_h.between(360 - down - up - 10, 360 - down - up).all()


def test_a_format_of_too_few_frames_to_vote_loses_nothing(tmp_path: Path) -> None:
    path = film_of_formats(tmp_path / "film.mp4", [(240, WIDE), (240, WIDE), (24, NONE)])
    frames = extract(path, OFTEN).rows(Frame)
    assert set(frames[frames["shot"] == 2].crop_h) == {180}
    assert set(frames[frames["shot"] != 2].crop_h) == {140}


def test_a_flash_over_the_bars_leaves_them_bars(tmp_path: Path) -> None:
    pictures = [
        cv2.copyMakeBorder(p, 20, 20, 0, 0, cv2.BORDER_CONSTANT) for p in scene_pictures(Scene(96), 0, (320, 140))
    ]
    pictures[40] = np.full_like(pictures[40], 255)
    write_film(tmp_path / "film.mp4", pictures, [Fraction(k, 24) for k in range(97)])
    assert set(extract(tmp_path / "film.mp4", OFTEN).rows(Frame).crop_h) == {140}

"""Films that go through FFmpeg's filters come out whole: never combed, never washed out."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mhmd.media.decode import Decoded, Decoder
from mhmd.media.decoders import decoder_for
from mhmd.media.probe import probe_film
from mhmd.media.pyav import PyavDecoder
from mhmd.media.rgb import ToRgb
from tests.films import (
    HDR_CHART,
    Coding,
    Picture,
    evenly,
    hdr_film,
    interlaced_pictures,
    make_film,
    moving_pictures,
    telecined_pictures,
    write_film,
)


def decode(path: Path) -> tuple[Decoder, list[Decoded]]:
    decoder = decoder_for(path, probe_film(path), max_damage=0)
    return decoder, list(decoder)


def luma(decoded: Sequence[Decoded]) -> list[Picture]:
    planes = [each.frame.planes[0] for each in decoded]
    return [np.frombuffer(memoryview(p), np.uint8).reshape(p.height, -1)[:, : p.width] for p in planes]


def combing(picture: Picture) -> float:
    """How much more lines differ from the next ones than from the next but one, in levels."""
    lines = picture.astype(np.int16)
    return float(np.abs(np.diff(lines, axis=0)).mean() - np.abs(lines[2:] - lines[:-2]).mean())


@pytest.mark.parametrize("top_first", [True, False])
@pytest.mark.parametrize("options", [{"x264-params": "interlaced=1"}, {}], ids=["flagged", "not flagged"])
def test_interlaced_films_come_out_whole(top_first: bool, options: dict[str, str], tmp_path: Path) -> None:
    pictures = interlaced_pictures(moving_pictures(120), top_first=top_first)
    write_film(tmp_path / "film.mp4", pictures, evenly(60, Fraction(25)), Fraction(25), Coding(options=options))
    decoder, frames = decode(tmp_path / "film.mp4")
    assert [each.ticks * Fraction(1, 12800) for each in frames] == evenly(60, Fraction(25))[:-1]
    assert decoder.filters.startswith("bwdif")
    before = [combing(picture) for picture in luma(list(PyavDecoder(tmp_path / "film.mp4", 0)))]
    assert min(before) > 5
    assert max(combing(picture) for picture in luma(frames)[1:-1]) < 1


def test_of_films_interlaced_in_part_the_other_frames_stay_as_they_are(tmp_path: Path) -> None:
    pictures = [*moving_pictures(120), *interlaced_pictures(moving_pictures(80)), *moving_pictures(120, seed=1)]
    write_film(tmp_path / "film.mp4", pictures, evenly(280, Fraction(25)), Fraction(25))
    decoder, frames = decode(tmp_path / "film.mp4")
    assert decoder.filters.startswith("idet")
    before, after = luma(list(PyavDecoder(tmp_path / "film.mp4", 0))), luma(frames)
    assert max(combing(picture) for picture in after[123:159]) < 1  # it takes a few frames to notice
    assert all(np.array_equal(before[place], after[place]) for place in [*range(120), *range(164, 280)])


def test_telecined_films_come_out_as_they_were_shot(tmp_path: Path) -> None:
    shot, rate = moving_pictures(96), Fraction(30000, 1001)
    write_film(tmp_path / "film.mp4", telecined_pictures(shot), evenly(120, rate), rate)
    decoder, frames = decode(tmp_path / "film.mp4")
    write_film(tmp_path / "shot.mp4", shot, evenly(96, Fraction(24)))
    truth = luma(list(PyavDecoder(tmp_path / "shot.mp4", 0)))
    assert (decoder.name, decoder.frames, decoder.errors) == ("ffmpeg", 96, 0)
    away = [np.abs(a.astype(int) - b).mean() for a, b in zip(luma(frames), truth, strict=True)]
    assert max(away) < 2
    assert {round(b.pts - a.pts, -1) for a, b in pairwise(frames)} == {1250}


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
@pytest.mark.parametrize("primaries", [True, False])
def test_hdr_films_are_shown_in_ordinary_light(primaries: bool, transfer: str, tmp_path: Path) -> None:
    path = hdr_film(tmp_path / "film.mkv", transfer, primaries=primaries)
    probe = probe_film(path)
    assert (probe.hdr, probe.coded.matrix, probe.colour.matrix, probe.colour.range) == (
        True,
        "bt2020",
        "bt709",
        "limited",
    )
    _, frames = decode(path)
    found = ToRgb(probe.colour).picture(frames[1].frame)[16, 16::32].astype(int)
    flat = ToRgb(probe.coded).picture(next(iter(PyavDecoder(path, 0))).frame)[16, 16::32].astype(int)
    wanted = (np.array(list(HDR_CHART.values())) * 255).round()
    dim = wanted.max(axis=1) <= 153  # mobius leaves it as it is
    assert np.abs(found - wanted)[dim].max() <= (3 if transfer == "smpte2084" else 12), "zimg's HLG is not exact"
    assert np.abs(flat - wanted)[dim].max() > 30
    skin, white = list(HDR_CHART).index("skin"), list(HDR_CHART).index("white")
    assert np.abs(found[skin] - wanted[skin]).max() <= 14
    assert (found[white] > 205).all()
    assert np.ptp(found[white]) <= 2


def test_hdr_films_of_odd_size_stay_whole(tmp_path: Path) -> None:
    _, frames = decode(hdr_film(tmp_path / "film.mkv", "smpte2084", (287, 33), "yuv420p10le"))
    assert {(each.frame.width, each.frame.height) for each in frames} == {(287, 33)}


def test_a_progressive_film_stays_with_pyav(tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.mp4", [24]).path
    probe = probe_film(path)
    assert decoder_for(path, probe, max_damage=0).name == "pyav"
    assert decoder_for(path, probe, max_damage=0, name="ffmpeg").name == "ffmpeg"

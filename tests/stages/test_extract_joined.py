"""Stage extract: recordings that were joined, whose colours are coded in different ways."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mhmd.errors import FilmUnreadable
from mhmd.media.decode import Decoder
from mhmd.media.decoders import decoder_for
from mhmd.media.ffmpeg import FfmpegDecoder
from mhmd.media.pictures import StoredPictures
from mhmd.media.probe import Crop, probe_film
from mhmd.media.pyav import PyavDecoder
from mhmd.records import Frame
from tests.extracted import OFTEN, extract
from tests.films import Coding, Picture, write_film

FRAMES, RATE = 36, 24
SD, HD = (320, 240), (1280, 720)
U601, U709 = Coding(matrix="bt601"), Coding(matrix="bt709")
T601, T709 = replace(U601, tagged=True), replace(U709, tagged=True)
FULL = replace(T601, full_range=True)
H709 = replace(T709, codec="libx265", options={"x265-params": "log-level=none", "preset": "ultrafast"})
PQ = Coding(matrix="bt2020", pixel_format="yuv420p10le", tagged=True, transfer=16)
WIDE = replace(PQ, transfer=1, primaries=9)

PARTS = (T709, U709, FULL, T601, Coding(matrix="bt2020", pixel_format="yuv420p10le", tagged=True))


def chart(seed: int, size: tuple[int, int] = SD) -> Picture:
    patches = np.random.default_rng(seed).integers(20, 236, (6, 8, 3)).astype(np.uint8)
    return cv2.GaussianBlur(cv2.resize(patches, size, interpolation=cv2.INTER_NEAREST), (0, 0), 4)


def joined(path: Path, parts: Sequence[Coding], lengths: Sequence[int], size: tuple[int, int] = SD) -> Path:
    """Recordings of so many frames in one transport stream, each of one chart; times go on."""
    starts = accumulate(lengths, initial=0)
    for place, (coding, start, frames) in enumerate(zip(parts, starts, lengths, strict=False)):
        times = [Fraction(start + k, RATE) for k in range(frames + 1)]
        part = path.with_suffix(f".{place}.ts")
        write_film(part, [chart(place, size)] * frames, times, coding=coding)
        with path.open("ab") as whole:
            whole.write(part.read_bytes())
    return path


def lab(picture: Picture) -> NDArray[np.float32]:
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab).astype(np.float32)


@pytest.mark.parametrize("manifest", [None, "bt709"])
def test_each_frame_is_read_in_its_own_colour(manifest: str | None, tmp_path: Path) -> None:
    """What has no tag is as what came before it; the manifest's matrix holds for all, but not for the range."""
    result = extract(joined(tmp_path / "film.ts", PARTS, [FRAMES] * len(PARTS)), OFTEN, manifest)
    frames = result.rows(Frame)
    for place, coding in enumerate(PARTS):
        shot = frames[frames["shot"] == place]
        read = (
            manifest or coding.matrix,
            "full" if coding.full_range else "limited",
            "manifest" if manifest else "tagged",
        )
        assert {*zip(shot.color_matrix, shot.color_range, shot.matrix_source, strict=True)} == {read}
        for ref in shot.ref if read[0] == coding.matrix else []:
            assert np.abs(lab(result.picture(ref)) - lab(chart(place))).mean(axis=(0, 1)).max() < 1.2
    assert (result.film["color_matrix"], result.film["color_range"]) == ("bt709", "limited")


def test_the_film_has_the_colour_of_its_first_frame(tmp_path: Path) -> None:
    """The keyframes that are looked at may all come later."""
    path = joined(
        tmp_path / "film.ts", [Coding(matrix="bt601", tagged=True), Coding(matrix="bt709", tagged=True)], [6, 480]
    )
    assert probe_film(path).colour.matrix == "bt601"


def ab_errors(path: Path, decoder: Decoder, size: tuple[int, int] = SD) -> list[float]:
    stored = StoredPictures(probe_film(path), 0)
    middles = (place * FRAMES + FRAMES // 2 for place in range(2))
    frames = {each.index: each.frame for each in decoder if each.index % FRAMES == FRAMES // 2}
    seen = [stored(frames[index], Crop(0, 0, *size)) for index in middles]
    return [float(np.abs(lab(one) - lab(chart(place, size))).mean()) for place, one in enumerate(seen)]


@pytest.mark.parametrize(
    ("parts", "size"),
    [
        ([T709, T601], SD),
        ([T601, T709], SD),
        ([U601, T601], SD),
        ([T601, U601], SD),
        ([T601, FULL], SD),
        ([U709, T709], HD),
    ],
)
def test_ffmpeg_converts_to_the_colour_of_the_first_frame(
    parts: list[Coding], size: tuple[int, int], tmp_path: Path
) -> None:
    path = joined(tmp_path / "film.ts", parts, [FRAMES] * 2, size)
    assert max(ab_errors(path, FfmpegDecoder(path, 0), size)) < 1.3


@pytest.mark.parametrize(
    ("parts", "size"),
    [
        ([U601, T709], SD),
        ([U601, FULL], SD),
        ([FULL, T601], SD),
        ([H709, replace(H709, tagged=False)], HD),
    ],
)
def test_what_ffmpeg_would_mistake_is_refused(parts: list[Coding], size: tuple[int, int], tmp_path: Path) -> None:
    path = joined(tmp_path / "film.ts", parts, [FRAMES] * 2, size)
    with pytest.raises(FilmUnreadable, match=r"its colours are coded as .* and later .* cut it there into two films"):
        list(decoder_for(path, probe_film(path), max_damage=0, name="ffmpeg"))


@pytest.mark.parametrize(
    ("parts", "lights"),
    [
        ([PQ, T709], "in (PQ, but in ordinary light|ordinary light, but in PQ)"),
        ([WIDE, PQ], "in (PQ, but in wide colours|wide colours, but in PQ)"),
        ([PQ, replace(PQ, transfer=18)], "in (PQ, but in HLG|HLG, but in PQ)"),
    ],
)
def test_films_of_several_lights_are_refused(parts: list[Coding], lights: str, tmp_path: Path) -> None:
    path = joined(tmp_path / "film.ts", parts, [FRAMES * 2] * 2)
    with pytest.raises(FilmUnreadable, match=lights + r" in \d+ of \d+ frames looked at; .* cut it there"):
        probe_film(path)


def test_hdr_in_the_middle_of_a_film_is_refused(tmp_path: Path) -> None:
    path = joined(tmp_path / "film.ts", [T709, PQ], [FRAMES] * 2)
    with pytest.raises(FilmUnreadable, match="in ordinary light and from frame 36 on PQ"):
        list(PyavDecoder(path, 0))

"""Stage extract: recordings that were joined, whose colours are coded in different ways."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mhmd.media.probe import probe_film
from mhmd.records import Frame
from tests.extracted import OFTEN, extract
from tests.films import Coding, Picture, write_film

FRAMES, RATE = 36, 24

PARTS = (
    Coding(matrix="bt709", tagged=True),
    Coding(matrix="bt709"),
    Coding(matrix="bt601", full_range=True, tagged=True),
    Coding(matrix="bt601", tagged=True),
    Coding(matrix="bt2020", pixel_format="yuv420p10le", tagged=True),
)


def chart(seed: int) -> Picture:
    patches = np.random.default_rng(seed).integers(20, 236, (6, 8, 3)).astype(np.uint8)
    return cv2.GaussianBlur(cv2.resize(patches, (320, 240), interpolation=cv2.INTER_NEAREST), (0, 0), 4)


def joined(path: Path, parts: Sequence[Coding], lengths: Sequence[int]) -> Path:
    """Recordings of so many frames in one transport stream, each of one chart; times go on."""
    starts = accumulate(lengths, initial=0)
    for place, (coding, start, frames) in enumerate(zip(parts, starts, lengths, strict=False)):
        times = [Fraction(start + k, RATE) for k in range(frames + 1)]
        part = path.with_suffix(f".{place}.ts")
        write_film(part, [chart(place)] * frames, times, coding=coding)
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

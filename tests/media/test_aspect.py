"""The shape of pixels: of frames that differ, and of lines that are no picture."""

from fractions import Fraction
from pathlib import Path

import pytest

from mhmd.errors import FilmUnreadable
from mhmd.media.probe import probe_film
from tests.films import Coding, evenly, moving_pictures, write_film

RATE = Fraction(25)
NARROW, WIDE = Fraction(16, 15), Fraction(64, 45)


def recording(path: Path, parts: list[tuple[Fraction, int]]) -> Path:
    """A transport stream of parts with pixels of these shapes and so many frames; every twelfth is a keyframe."""
    start = 0
    for place, (aspect, frames) in enumerate(parts):
        part = path.with_suffix(f".{place}.ts")
        times = [time + start / RATE for time in evenly(frames, RATE)]
        coding = Coding(options={"x264-params": f"sar={aspect}"})
        write_film(part, moving_pictures(frames, step_px=1), times, RATE, coding)
        with path.open("ab") as whole:
            whole.write(part.read_bytes())
        start += frames
    return path


def test_the_shape_of_a_film_is_the_commonest(tmp_path: Path) -> None:
    """A recording begins a little before its film."""
    path = recording(tmp_path / "film.ts", [(NARROW, 12), (WIDE, 276)])
    assert probe_film(path).pixel_aspect == WIDE


def test_pixels_that_change_their_shape_are_refused(tmp_path: Path) -> None:
    path = recording(tmp_path / "film.ts", [(NARROW, 120), (WIDE, 120)])
    with pytest.raises(FilmUnreadable, match=r"pixels are .*, but .* in .* frames looked at"):
        probe_film(path)


def test_two_rules_for_one_shape_are_one(tmp_path: Path) -> None:
    path = recording(tmp_path / "film.ts", [(NARROW, 96), (Fraction(12, 11), 120)])
    assert probe_film(path).pixel_aspect == Fraction(12, 11)


@pytest.mark.parametrize(("lines", "picture"), [(608, 576), (512, 486)])
def test_lines_above_the_picture_do_not_count_in_its_shape(lines: int, picture: int, tmp_path: Path) -> None:
    """D-10 says that its picture is 4:3; the lines above it belong to the blanking."""
    told = Fraction(4, 3) * lines / 720
    coding = Coding(codec="mpeg2video", options={"aspect": f"{told.numerator}:{told.denominator}", "g": "1"})
    write_film(tmp_path / "film.mxf", moving_pictures(12, (720, lines)), evenly(12, RATE), RATE, coding)
    assert probe_film(tmp_path / "film.mxf").pixel_aspect == Fraction(4, 3) * picture / 720

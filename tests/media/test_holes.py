"""Holes inside a film: bytes that are no packets, or that a transport stream lacks."""

from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import pytest

from mhmd.errors import FilmDamaged
from mhmd.media.decode import Decoder
from mhmd.media.decoders import DECODERS
from mhmd.media.ffmpeg import FfmpegDecoder
from mhmd.media.pyav import PyavDecoder
from tests.films import Coding, make_film, moving_pictures, write_film

TS_PACKET = 188


def decoded(path: Path, name: str, max_damage: float = 1) -> Decoder:
    decoder = (PyavDecoder if name == "pyav" else FfmpegDecoder)(path, max_damage)
    assert sum(1 for _ in decoder)
    return decoder


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
@pytest.mark.parametrize("suffix", [".mkv", ".flv"])
def test_bytes_that_are_no_packets(suffix: str, codec: str, name: str, tmp_path: Path) -> None:
    codec = "flv1" if suffix == ".flv" else codec
    path = make_film(tmp_path / f"film{suffix}", [48] * 6, coding=Coding(codec, options={"g": "12"})).path
    content = bytearray(path.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    path.write_bytes(content)
    with pytest.raises(FilmDamaged, match=r"[3-5]\.\d of 1[12]\.\d s are missing in between"):
        decoded(path, name, 0.05)
    assert "missing in between" in decoded(path, name).damage


@pytest.mark.parametrize("name", DECODERS)
def test_what_a_transport_stream_lacks(name: str, tmp_path: Path) -> None:
    path = make_film(tmp_path / "film.ts", [48] * 6).path
    content = path.read_bytes()
    third = len(content) // TS_PACKET // 3 * TS_PACKET
    path.write_bytes(content[:third] + content[2 * third + 5 * TS_PACKET :])
    with pytest.raises(FilmDamaged, match=r"[3-5]\.\d of 1[12]\.\d s are missing in between"):
        decoded(path, name, 0.05)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts", ".flv"])
def test_pictures_that_stand_are_no_holes(suffix: str, name: str, tmp_path: Path) -> None:
    lengths = [Fraction(1, 24)] * 8 + [Fraction(3)] + [Fraction(1, 24)] * 8 + [Fraction(2)] * 3 + [Fraction(1, 24)] * 8
    codec = "flv1" if suffix == ".flv" else "libx264"
    times = list(accumulate(lengths, initial=Fraction(0)))
    write_film(tmp_path / f"film{suffix}", moving_pictures(len(lengths)), times, coding=Coding(codec))
    decoder = decoded(tmp_path / f"film{suffix}", name, 0)
    assert (decoder.frames, decoder.damage) == (len(lengths), "")

"""What probing tells of films, and what it says of files that are none."""

import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mhmd.errors import FilmMissing, FilmUnreadable
from mhmd.media.bars import Bars
from mhmd.media.container import opened
from mhmd.media.interlace import Scanning
from mhmd.media.probe import Crop, probe_film
from tests.films import (
    Coding,
    Picture,
    Scene,
    evenly,
    interlaced_pictures,
    make_film,
    moving_pictures,
    scene_pictures,
    telecined_pictures,
    write_film,
)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("films") / "film.mp4", bars=14).path


def test_what_a_film_is(film: Path) -> None:
    probe = probe_film(film)
    assert (probe.codec, probe.width, probe.height, probe.pixel_format) == ("h264", 192, 108, "yuv420p")
    assert (probe.rate, probe.frames, probe.scan) == (Fraction(24), 90, "progressive")
    assert probe.crop(probe.formats[0]) == Crop(0, 14, 192, 80)


@pytest.mark.parametrize("size", [(161, 91), (17, 9), (2, 2)])
def test_odd_sizes_stay_whole(size: tuple[int, int], tmp_path: Path) -> None:
    coding = Coding(codec="ffv1", pixel_format="yuv444p")
    probe = probe_film(make_film(tmp_path / "film.mkv", [20], size=size, coding=coding).path)
    assert probe.crop(probe.formats[0]) == Crop(0, 0, *size)


SAYS_INTERLACED = {"x264-params": "interlaced=1", "g": "15"}


def scanned(path: Path, kind: str, options: dict[str, str], codec: str = "libx264") -> Path:
    """A film of moving bars, of 25 frames a second or, telecined, of 30."""
    rate, pictures = Fraction(25), moving_pictures(200)
    if kind == "progressive":
        pictures = pictures[:120]
    elif kind == "telecined":
        rate, pictures = Fraction(30000, 1001), telecined_pictures(pictures)
    else:
        pictures = interlaced_pictures(pictures, top_first=kind == "tff")
    write_film(path, pictures, evenly(len(pictures), rate), rate, Coding(codec=codec, options=options))
    return path


CODED_BADLY = {"g": "15", "crf": "36", "preset": "fast"}


@pytest.mark.parametrize(
    "options", [SAYS_INTERLACED, {"g": "15"}, CODED_BADLY], ids=["flagged", "not flagged", "coded badly"]
)
@pytest.mark.parametrize(
    ("kind", "scan", "order"),
    [
        ("progressive", "progressive", "tff"),
        ("tff", "interlaced", "tff"),
        ("bff", "interlaced", "bff"),
        ("telecined", "telecined", "tff"),
    ],
)
def test_scanning_is_seen_whatever_the_flags_say(
    kind: str, scan: str, order: str, options: dict[str, str], tmp_path: Path
) -> None:
    probe = probe_film(scanned(tmp_path / "film.mp4", kind, options))
    assert (probe.scanning.scan, probe.scanning.order) == (scan, order)


@pytest.mark.parametrize("top_first", [True, False])
def test_a_part_that_is_interlaced_is_seen(top_first: bool, tmp_path: Path) -> None:
    """At the film's end: of five runs that are looked at one lies in it, for the most part."""
    pictures = moving_pictures(316)
    mixed = [*pictures[:284], *interlaced_pictures(pictures[284:], top_first=top_first)]
    rate = Fraction(25)
    write_film(tmp_path / "film.mp4", mixed, evenly(len(mixed), rate), rate, Coding(options={"g": "15"}))
    scanning = probe_film(tmp_path / "film.mp4").scanning
    assert scanning == Scanning("interlaced", "tff" if top_first else "bff", in_part=True)


def test_a_short_part_that_is_interlaced_is_seen_where_it_looks_combed(tmp_path: Path) -> None:
    """Between the five runs that are spread over the film: one keyframe in twenty lies in it."""
    pictures, rate = moving_pictures(600, step_px=2), Fraction(25)
    pictures[345:390] = interlaced_pictures(moving_pictures(90))
    write_film(tmp_path / "film.mp4", pictures, evenly(600, rate), rate, Coding(options={"g": "15"}))
    assert probe_film(tmp_path / "film.mp4").scanning == Scanning("interlaced", "tff", in_part=True)


def test_flags_are_believed_where_nothing_moves(tmp_path: Path) -> None:
    still = [moving_pictures(1)[0]] * 60
    for options, scan in ((SAYS_INTERLACED, "interlaced"), ({"g": "15"}, "progressive")):
        write_film(tmp_path / "film.mp4", still, evenly(60, Fraction(25)), Fraction(25), Coding(options=options))
        assert probe_film(tmp_path / "film.mp4").scan == scan


def test_lines_that_alternate_are_not_fields(tmp_path: Path) -> None:
    pictures = [picture.copy() for picture in moving_pictures(60)]
    for picture in pictures:
        picture[1::2] //= 2
    write_film(tmp_path / "film.mp4", pictures, evenly(60, Fraction(25)), Fraction(25))
    assert probe_film(tmp_path / "film.mp4").scan == "progressive"


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_the_turn_that_shows_a_film_upright(turn: int, mirrored: bool, film: Path, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "film.mp4"), "w") as container, av.open(str(film)) as plain:
        stream = container.add_stream_from_template(plain.streams.video[0])
        stream.set_display_rotation(-turn, hflip=mirrored)  # counter-clockwise
        for packet in plain.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    probe = probe_film(tmp_path / "film.mp4")
    assert (probe.width, probe.height, probe.mirrored) == (192, 108, mirrored)
    # "mirrored after it", says PyAV: the turn before is the other way round
    assert probe.rotation_deg == (-turn % 360 if mirrored else turn)


@pytest.mark.parametrize(
    ("aspect", "found"), [("16/15", Fraction(16, 15)), ("2/1", 2), ("0/0", 1), ("100/1", 1), ("1/100", 1)]
)
def test_pixels_that_are_not_square(aspect: str, found: Fraction | int, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", [24], coding=Coding(options={"x264-params": f"sar={aspect}"}))
    assert probe_film(film.path).pixel_aspect == found


def grainy(scene: Scene) -> Iterator[Picture]:
    """A gray scene whose chroma has noise, as a scan of an old print has."""
    random = np.random.default_rng(1)
    for picture in scene_pictures(replace(scene, look="gray"), 0, (192, 108)):
        yield (picture + random.normal(0, 12, picture.shape)).clip(0, 255).astype(np.uint8)


def test_monochrome_films(film: Path, tmp_path: Path) -> None:
    assert not probe_film(film).monochrome
    gray = Scene(40, "gray")
    assert probe_film(make_film(tmp_path / "gray.mp4", [gray, gray]).path).monochrome
    coded_gray = Coding(codec="ffv1", pixel_format="gray")
    assert probe_film(make_film(tmp_path / "coded.mkv", [gray], coding=coded_gray).path).monochrome
    write_film(tmp_path / "grainy.mp4", grainy(gray), evenly(40, Fraction(24)))
    assert probe_film(tmp_path / "grainy.mp4").monochrome


def test_films_that_are_not_monochrome(tmp_path: Path) -> None:
    gray = Scene(40, "gray")
    assert not probe_film(make_film(tmp_path / "one.mp4", [gray, Scene(24), gray]).path).monochrome
    sepia = [(each * [0.95, 0.85, 0.7]).astype(np.uint8) for each in scene_pictures(gray, 0, (192, 108))]
    write_film(tmp_path / "sepia.mp4", sepia, evenly(40, Fraction(24)))
    assert not probe_film(tmp_path / "sepia.mp4").monochrome
    assert not probe_film(make_film(tmp_path / "black.mp4", [Scene(40, "black")]).path).monochrome, "who knows"


def test_missing_films(tmp_path: Path) -> None:
    with pytest.raises(FilmMissing, match="no file"):
        probe_film(tmp_path / "film.mp4")
    with pytest.raises(FilmMissing, match="is a folder"):
        probe_film(tmp_path)
    with pytest.raises(FilmMissing, match="too long"):
        probe_film(tmp_path / ("x" * 300))


def test_files_that_are_no_films(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    for content, told in (
        (b"", "is empty"),
        (b"these are words\n" * 500, "Invalid data"),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n", "not let in"),
    ):
        path.write_bytes(content)
        with pytest.raises(FilmUnreadable, match=told):
            probe_film(path)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film.mp4")
    with pytest.raises(FilmUnreadable, match="not a regular file"):
        probe_film(tmp_path / "film.mp4")


def test_encrypted_films(film: Path, tmp_path: Path) -> None:
    keys = {"encryption_scheme": "cenc-aes-ctr", "encryption_key": "00" * 16, "encryption_kid": "11" * 16}
    common, fairplay = tmp_path / "common.mp4", tmp_path / "fairplay.mp4"
    with av.open(str(common), "w", options=keys) as container, av.open(str(film)) as plain:
        stream = container.add_stream_from_template(plain.streams.video[0])
        for packet in plain.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    fairplay.write_bytes(film.read_bytes().replace(b"avc1", b"drmi"))
    for path, told in ((common, "is encrypted; wanted"), (fairplay, "no decoder for its video")):
        with pytest.raises(FilmUnreadable, match=told):
            probe_film(path)


@pytest.mark.parametrize("side_px", [12000, 30000])
def test_headers_that_declare_giants(side_px: int, tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.avi", [2], size=(64, 64), coding=Coding(codec="ffv1")).path
    small, giant = (64).to_bytes(4, "little") * 2, side_px.to_bytes(4, "little") * 2
    assert small in film.read_bytes()
    film.write_bytes(film.read_bytes().replace(small, giant))
    with pytest.raises(FilmUnreadable, match="at most 67108864 px"):
        probe_film(film)


def test_the_decoder_refuses_giants_that_come_later(film: Path) -> None:
    with opened(film) as (_, stream):
        assert stream.codec_context.options["max_pixels"] == "67108864"


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_a_dark_head_does_not_hide_the_bars(pixel_format: str, tmp_path: Path) -> None:
    night = [np.full((108, 192, 3), 2, np.uint8)] * 400
    day = [np.pad(picture, ((14, 14), (0, 0), (0, 0))) for picture in scene_pictures(Scene(120, seed=3), 0, (192, 80))]
    coding = Coding(pixel_format=pixel_format, options={"g": "9999", "sc_threshold": "0"})
    write_film(tmp_path / "film.mp4", night + day, evenly(520, Fraction(24)), coding=coding)
    assert probe_film(tmp_path / "film.mp4").formats == (Bars(top=14, bottom=14),)


def test_long_films_are_looked_at_in_more_places(tmp_path: Path) -> None:
    shots = [Scene(144, "gray"), Scene(4), Scene(152, "gray")]
    for seconds, seen in ((2000, True), (200, False)):
        coding = Coding(options={"g": "2"})
        film = make_film(tmp_path / "film.mkv", shots, rate=Fraction(300, seconds), size=(64, 48), coding=coding)
        assert probe_film(film.path).monochrome != seen

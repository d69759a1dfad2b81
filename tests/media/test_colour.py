"""Films of known colours, decoded with the matrix and range that they were made with."""

import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mhmd.errors import FilmUnreadable, ManifestError
from mhmd.media.colour import WEIGHTS, Colour, colour_of
from mhmd.media.decoders import decoder_for
from mhmd.media.pictures import StoredPictures
from mhmd.media.planes import planes_of
from mhmd.media.probe import Crop, probe_film
from mhmd.media.program import find_ffmpeg
from mhmd.media.pyav import PyavDecoder
from mhmd.media.rgb import ToRgb
from tests.films import Coding, Picture, evenly, write_film

SD, HD = (384, 288), (1280, 720)

CODEC_ERROR = 1.2
"""Mean Lab-ab error of 4:2:0 and the codec alone; a wrong matrix or range gives 2.5 and more."""


def chart(size: tuple[int, int]) -> Picture:
    """Patches of random colours, softened as a lens does."""
    patches = np.random.default_rng(0).integers(20, 236, (8, 12, 3)).astype(np.uint8)
    return cv2.GaussianBlur(cv2.resize(patches, size, interpolation=cv2.INTER_NEAREST), (0, 0), 4)


def error(seen: Picture | NDArray[np.float64], meant: Picture) -> tuple[float, float]:
    """Mean absolute errors of Lab: of L, and of a and b."""
    labs = [cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab) for picture in (seen, meant)]
    difference = np.abs(labs[0] - labs[1])
    return float(difference[..., 0].mean()), float(difference[..., 1:].mean())


def film_of(path: Path, size: tuple[int, int], coding: Coding) -> Path:
    write_film(path, [chart(size)] * 2, [Fraction(k, 24) for k in range(3)], coding=coding)
    return path


def decoded(path: Path, colour: Colour) -> Picture:
    frame = next(iter(PyavDecoder(path, 0))).frame
    return ToRgb(colour).picture(frame)


CASES = {
    "sd untagged": (SD, Coding(), ("bt601", "limited", "guessed")),
    "hd untagged": (HD, Coding(matrix="bt709"), ("bt709", "limited", "guessed")),
    "sd tagged 709": (SD, Coding(matrix="bt709", tagged=True), ("bt709", "limited", "tagged")),
    "hd tagged 601": (HD, Coding(matrix="bt601", tagged=True), ("bt601", "limited", "tagged")),
    "2020": (SD, Coding(matrix="bt2020", tagged=True), ("bt2020", "limited", "tagged")),
    "240m": (SD, Coding(matrix="smpte240m", tagged=True), ("smpte240m", "limited", "tagged")),
    "full range": (SD, Coding(matrix="bt709", full_range=True, tagged=True), ("bt709", "full", "tagged")),
    "full by format": (SD, Coding(pixel_format="yuvj420p", full_range=True), ("bt601", "full", "guessed")),
    "10 bit": (HD, Coding(matrix="bt709", pixel_format="yuv420p10le"), ("bt709", "limited", "guessed")),
    "4:4:4": (SD, Coding(pixel_format="yuv444p"), ("bt601", "limited", "guessed")),
    "rgb": (SD, Coding(codec="ffv1", pixel_format="bgr0"), ("rgb", "full", "tagged")),
}


@pytest.mark.parametrize("case", CASES)
def test_colours_come_out_as_they_went_in(case: str, tmp_path: Path) -> None:
    size, coding, expected = CASES[case]
    path = film_of(tmp_path / "film.mkv", size, coding)
    colour = probe_film(path).colour
    assert (colour.matrix, colour.range, colour.source) == expected
    lightness, ab = error(decoded(path, colour), chart(size))
    assert ab < CODEC_ERROR
    assert lightness < 0.4


def at_left(plane: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """A plane in the size of luma; chroma lies at every second column and between two rows, as in MPEG-2 and later."""
    across, down = plane.shape[1] / size[0], plane.shape[0] / size[1]
    places = np.array([[across, 0, 0], [0, down, down / 2 - 0.5]])
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(plane, places, size, flags=how, borderMode=cv2.BORDER_REPLICATE)


def in_real_numbers(path: Path, colour: Colour) -> NDArray[np.float64]:
    """The first frame as RGB, its decoded planes converted without any rounding: what the codec alone has lost."""
    frame = next(iter(PyavDecoder(path, 0))).frame
    levels = [plane / 2.0 ** (frame.format.components[0].bits - 8) for plane in planes_of(frame)]
    y, cb, cr = (at_left(plane, (frame.width, frame.height)) for plane in levels)
    light, chroma, black = (1.0, 1.0, 0) if colour.range == "full" else (255 / 219, 255 / 224, 16)
    red, blue = WEIGHTS[colour.matrix]
    r = light * (y - black) + 2 * (1 - red) * chroma * (cr - 128)
    b = light * (y - black) + 2 * (1 - blue) * chroma * (cb - 128)
    g = (light * (y - black) - red * r - blue * b) / (1 - red - blue)
    return np.stack([r, g, b], axis=-1).clip(0, 255)


@pytest.mark.parametrize("case", [case for case in CASES if case != "rgb"])
def test_conversion_adds_next_to_nothing_to_the_error_of_the_codec(case: str, tmp_path: Path) -> None:
    size, coding, _ = CASES[case]
    path = film_of(tmp_path / "film.mkv", size, coding)
    colour = probe_film(path).colour
    codec = error(in_real_numbers(path, colour), chart(size))[1]
    assert error(decoded(path, colour), chart(size))[1] < codec + 0.15


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libvpx-vp9"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_the_container_alone_tells(suffix: str, codec: str, tmp_path: Path) -> None:
    coding = Coding(codec, matrix="bt709", full_range=codec != "libvpx-vp9")  # whose stream always tells the range
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    film_of(tmp_path / f"untagged{suffix}", SD, replace(coding, options=quiet))
    tags = ["-colorspace", "bt709", "-color_range", "pc" if coding.full_range else "tv", "-color_trc", "bt709"]
    path = tmp_path / f"film{suffix}"
    arguments = [
        "-loglevel",
        "error",
        "-i",
        f"untagged{suffix}",
        "-c",
        "copy",
        *tags,
        "-color_primaries",
        "bt709",
        path.name,
    ]
    subprocess.run([find_ffmpeg(), *arguments], cwd=tmp_path, check=True)
    probe = probe_film(path)
    assert (probe.colour.matrix, probe.colour.source, probe.colour.transfer) == ("bt709", "tagged", "bt709")
    frame = next(iter(PyavDecoder(path, 0))).frame
    stored = StoredPictures(probe, 0)
    assert stored.colour(frame) == probe.colour
    lightness, ab = error(stored(frame, Crop(0, 0, *SD)), chart(SD))
    assert ab < CODEC_ERROR
    assert lightness < 0.4


def test_hdr_that_the_container_alone_tells(tmp_path: Path) -> None:
    coding = Coding("libx265", "yuv420p10le", options={"x265-params": "log-level=none"})
    film_of(tmp_path / "untagged.mkv", SD, coding)
    tags = ["-colorspace", "bt2020nc", "-color_trc", "smpte2084"]
    arguments = ["-loglevel", "error", "-i", "untagged.mkv", "-c", "copy", *tags, "film.mkv"]
    subprocess.run([find_ffmpeg(), *arguments], cwd=tmp_path, check=True)
    assert probe_film(tmp_path / "film.mkv").hdr


IN_PRIMARIES = {
    9: [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]],
    12: [[0.8225, 0.1774, 0.0000], [0.0332, 0.9669, 0.0000], [0.0171, 0.0724, 0.9108]],
}
"""Linear light of BT.709's primaries in those of BT.2020, and in P3's with white D65; a row for each of these."""


@pytest.mark.parametrize("primaries", IN_PRIMARIES)
@pytest.mark.parametrize(
    ("codec", "form", "size"),
    [
        ("libx264", "yuv420p", SD),
        ("libx264", "yuv420p10le", HD),
        ("ffv1", "yuv420p", (383, 287)),
        ("ffv1", "bgr0", SD),
    ],
)
def test_wide_colours_are_shown_as_an_ordinary_screen_does(
    codec: str, form: str, size: tuple[int, int], primaries: int, tmp_path: Path
) -> None:
    light = (chart(size) / 255) ** 2.4 @ np.transpose(IN_PRIMARIES[primaries])
    coded = (light.clip(0, 1) ** (1 / 2.4) * 255).round().astype(np.uint8)
    coding = Coding(codec, form, "bt709" if form == "bgr0" else "bt2020", tagged=True, transfer=1, primaries=primaries)
    path = tmp_path / "film.mkv"
    write_film(path, [coded] * 24, evenly(24, Fraction(24)), coding=coding)
    probe = probe_film(path)
    decoder = decoder_for(path, probe, max_damage=0)
    frame = next(iter(decoder)).frame
    lightness, ab = error(ToRgb(probe.colour).picture(frame), chart(size))
    assert (frame.width, frame.height, frame.format.name) == (*size, probe.frame_format)
    assert ab < CODEC_ERROR
    assert lightness < 0.4
    assert error(decoded(path, probe.coded), chart(size))[1] > 2 * CODEC_ERROR


def test_colours_beyond_an_ordinary_screen_end_at_its_own(tmp_path: Path) -> None:
    """Channel by channel, in linear light: nothing else moves with the one that ends."""
    corners = [[r, g, b] for r in (40, 255) for g in (40, 255) for b in (40, 255)]
    coded = np.repeat(np.repeat(np.array(corners, np.uint8)[None], 64, axis=0), 16, axis=1)
    write_film(
        path := tmp_path / "film.mkv",
        [coded] * 3,
        evenly(3, Fraction(24)),
        coding=Coding("ffv1", "bgr0", "bt709", tagged=True, transfer=1, primaries=9),
    )
    probe = probe_film(path)
    frame = next(iter(decoder_for(path, probe, max_damage=0))).frame
    light = ((coded / 255) ** 2.4 @ np.linalg.inv(np.transpose(IN_PRIMARIES[9]))).clip(0, 1)
    away = np.abs(ToRgb(probe.colour).picture(frame) - light ** (1 / 2.4) * 255)
    assert away[:, np.arange(8 * 16) % 16 > 7].max() < 4


def test_the_measure_tells_a_wrong_matrix_and_a_wrong_range(tmp_path: Path) -> None:
    path = film_of(tmp_path / "film.mp4", HD, Coding(matrix="bt709"))
    assert error(decoded(path, Colour("bt601", "limited", "")), chart(HD))[1] > 2 * CODEC_ERROR
    assert error(decoded(path, Colour("bt709", "full", "")), chart(HD))[0] > 2


def test_the_manifest_goes_before_the_tag(tmp_path: Path) -> None:
    path = film_of(tmp_path / "film.mp4", SD, Coding(matrix="bt709", tagged=True))
    colour = probe_film(path, "bt601").colour
    assert (colour.matrix, colour.source) == ("bt601", "manifest")
    with pytest.raises(ManifestError, match="bt709"):
        probe_film(path, "rec709")


def test_gray_keeps_its_levels(tmp_path: Path) -> None:
    gray = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    path = tmp_path / "film.mkv"
    write_film(path, [gray], [Fraction(0), Fraction(1)], coding=Coding(codec="ffv1", pixel_format="gray"))
    colour = probe_film(path).colour
    assert colour.range == "full"
    assert np.abs(decoded(path, colour).astype(int) - gray).max() <= 1


def test_luma_spans_black_to_white_in_both_ranges(tmp_path: Path) -> None:
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[:, 32:] = 255
    for full in (False, True):
        path = tmp_path / f"{full}.mkv"
        write_film(path, [halves], [Fraction(0), Fraction(1)], coding=Coding(full_range=full, tagged=True))
        luma = ToRgb(probe_film(path).colour).luma(next(iter(PyavDecoder(path, 0))).frame)
        assert luma[:, :28].max() <= 2
        assert luma[:, 36:].min() >= 253


def test_a_matrix_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    frame = next(iter(PyavDecoder(film_of(tmp_path / "film.mp4", SD, Coding()), 0))).frame
    frame.colorspace = 8  # YCgCo
    with pytest.raises(FilmUnreadable, match="number 8"):
        colour_of(frame)
    assert colour_of(frame, "bt601").matrix == "bt601"

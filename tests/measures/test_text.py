"""Text on a plain ground is told from pictures, and subtitles are found in them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from mhmd.measures import measure
from mhmd.media.jpeg import decode_jpeg, encode_jpeg

Picture = np.ndarray
Colour = tuple[int, int, int]

LIMIT = 0.8
WORDS = ("Directed by Anna Petrova", "Costumes: B. Nobody", "Produced in 1943")


def ground(level: int, slope: int = 0, size: tuple[int, int] = (683, 512)) -> Picture:
    """A plain ground that gets brighter by `slope` from the top to the bottom."""
    column = level + slope * np.linspace(0, 1, size[1])
    return np.repeat(np.repeat(column[:, None, None], size[0], axis=1), 3, axis=2).astype(np.uint8)


def written(picture: Picture, lines: tuple[str, ...], size: int, top: int, colour: Colour, outline: int = 0) -> Picture:
    """Lines of Pillow's own font, centred, from a row down."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        place = (picture.shape[1] / 2, top + number * 1.3 * size)
        font = ImageFont.load_default(size)
        draw.text(place, line, colour, font, "ma", stroke_width=outline, stroke_fill=(0, 0, 0))
    return np.array(image)


def scene(seed: int, size: tuple[int, int] = (683, 512)) -> Picture:
    """A picture of things: shapes of all sizes, each with its own colour and shade, a little soft, with grain."""
    random = np.random.default_rng(seed)
    picture = ground(150, -60, size)
    for _ in range(90):
        centre = tuple(int(value) for value in random.integers(0, size))
        axes = tuple(int(value) for value in 4 + random.exponential(40, 2))
        colour = tuple(int(value) for value in random.integers(10, 240, 3))
        cv2.ellipse(picture, centre, axes, float(random.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    grain = random.normal(0, 4, picture.shape)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 1) + grain, 0, 255).astype(np.uint8)


def text_of(picture: Picture) -> float:
    """The measure, after a codec's noise."""
    return measure(decode_jpeg(encode_jpeg(picture, 70))).text


CARDS = {
    "white on black": written(ground(0), WORDS, 30, 180, (255, 255, 255)),
    "black on white": written(ground(235), WORDS, 40, 160, (10, 10, 10)),
    "yellow on a gradient": written(ground(20, 60), WORDS, 34, 170, (240, 200, 60)),
    "white on blue": written(ground(0) + np.array((20, 40, 130), np.uint8), WORDS, 30, 180, (255, 255, 255)),
    "red, outlined, on green": written(ground(0) + np.array((60, 120, 60), np.uint8), WORDS, 40, 160, (220, 30, 20), 2),
    "large letters": written(ground(30), ("HISTORY",), 130, 190, (230, 230, 230)),
    "small rolling credits": written(ground(0), WORDS * 8, 18, -6, (230, 230, 230)),
    "one line, wide": written(ground(0, 0, (1204, 512)), WORDS[:1], 24, 250, (255, 255, 255)),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_text(name: str) -> None:
    assert text_of(CARDS[name]) > LIMIT


def test_a_frame_around_a_card_and_its_grain_do_not_matter() -> None:
    card = cv2.rectangle(CARDS["white on black"].copy(), (20, 20), (660, 490), (255, 255, 255), 2)
    grain = np.random.default_rng(0).normal(20, 5, card.shape)
    assert text_of(np.clip(card + grain, 0, 255).astype(np.uint8)) > LIMIT


@pytest.mark.parametrize("places", [(240, 350, 460), (200, 290, 380, 470)])
def test_a_row_of_people_in_colour_before_a_plain_wall_is_no_text(places: tuple[int, ...]) -> None:
    picture = ground(150, 40)
    for x in places:
        cv2.circle(picture, (x, 255), 28, (224, 172, 140), -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, 238), (32, 16), 0, 180, 360, (60, 30, 20), -1, cv2.LINE_AA)
        cv2.rectangle(picture, (x - 45, 285), (x + 45, 360), (170, 30, 40), -1)
        for stripe in range(x - 45, x + 45, 15):
            cv2.rectangle(picture, (stripe, 285), (stripe + 6, 360), (230, 220, 200), -1)
        for leg in (x - 22, x + 22):
            cv2.rectangle(picture, (leg - 16, 360), (leg + 16, 440), (40, 60, 150), -1)
            cv2.rectangle(picture, (leg - 20, 435), (leg + 20, 450), (30, 20, 20), -1)
    assert text_of(cv2.GaussianBlur(picture, (0, 0), 1).astype(np.uint8)) < 0.4


@pytest.mark.parametrize("seed", range(3))
def test_pictures_are_no_text_even_under_subtitles_and_signs(seed: int) -> None:
    picture = scene(seed)
    assert text_of(picture) < 0.4
    assert text_of(written(picture, WORDS[:2], 30, 420, (255, 255, 255), 2)) < 0.4
    assert text_of(written(picture, ("GROCERIES",), 80, 60, (255, 255, 255))) < 0.4


@pytest.mark.parametrize("lines", [1, 2])
@pytest.mark.parametrize(("level", "slope"), [(120, 60), (225, 0)])
def test_subtitles_alone_make_no_text_of_a_plain_sky_or_snow(level: int, slope: int, lines: int) -> None:
    picture = cv2.circle(ground(level, slope), (340, 200), 20, (180, 40, 40), -1, cv2.LINE_AA)
    shown = measure(written(picture, WORDS[:lines], 30, 410, (255, 255, 255), 2))
    assert shown.subtitle_band is not None
    assert shown.text < LIMIT / 2


@pytest.mark.parametrize("colour", [(255, 255, 255), (250, 230, 60)])
@pytest.mark.parametrize("tint", [(255, 255, 255), (255, 190, 90), (120, 160, 255)])
@pytest.mark.parametrize("lines", [1, 2])
def test_subtitles_are_no_colour_of_a_gray_or_tinted_picture(lines: int, tint: Colour, colour: Colour) -> None:
    gray = cv2.cvtColor(scene(5), cv2.COLOR_RGB2GRAY)[..., None]
    picture = (gray * (np.array(tint) / 255)).astype(np.uint8)
    plain, shown = (measure(each) for each in (picture, written(picture, WORDS[:lines], 30, 410, colour, 2)))
    assert shown.subtitle_band is not None
    assert shown.off_tint < 1.3
    assert shown.chroma_p95 == pytest.approx(plain.chroma_p95, abs=1)
    assert shown.colorfulness == pytest.approx(plain.colorfulness, rel=0.1, abs=0.5)
    assert shown.chroma_mean == pytest.approx(plain.chroma_mean, rel=0.1, abs=0.5)


def test_lights_in_the_night_are_no_text() -> None:
    night = ground(6)
    random = np.random.default_rng(1)
    for x, y in random.integers((0, 200), (683, 420), (60, 2)):
        cv2.circle(night, (int(x), int(y)), int(random.integers(2, 9)), (250, 230, 180), -1, cv2.LINE_AA)
    assert text_of(night) < LIMIT


def test_a_ground_without_anything_is_no_text() -> None:
    assert text_of(ground(0)) == text_of(ground(40, 90)) == 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("top", "lines"), [(445, 1), (410, 2), (20, 1)])
def test_subtitles_are_found_where_they_are(seed: int, top: int, lines: int) -> None:
    picture = scene(seed)
    assert measure(picture).subtitle_band is None
    shown = written(picture, WORDS[:lines], 32, top, (255, 255, 255), 2)
    changed = np.flatnonzero((shown != picture).any(axis=(1, 2)))
    band = measure(decode_jpeg(encode_jpeg(shown))).subtitle_band
    assert band is not None
    assert abs(band[0] - changed[0]) <= 12
    assert abs(band[1] - changed[-1] - 1) <= 12


def test_words_in_the_middle_or_at_one_side_are_no_subtitles() -> None:
    picture = scene(5)
    assert measure(written(picture, WORDS[:1], 32, 240, (255, 255, 255), 2)).subtitle_band is None
    sign = written(ground(0, 0, (300, 512)), ("CAFE 1943",), 32, 420, (255, 255, 255))
    picture[400:470, 383:] = sign[400:470]
    assert measure(picture).subtitle_band is None


@pytest.mark.parametrize(("wide", "gap", "top", "bottom"), [(6, 14, 380, 512), (4, 10, 440, 470), (3, 6, 450, 490)])
def test_fences_are_no_subtitles(wide: int, gap: int, top: int, bottom: int) -> None:
    picture = scene(6)
    for x in range(0, 683, wide + gap):
        picture[top:bottom, x : x + wide] = 235
        picture[top:bottom, x + wide : x + wide + 2] = 20
    assert measure(picture).subtitle_band is None


def test_a_leaning_fence_is_no_subtitle() -> None:
    picture = scene(6)
    for x in range(0, 683, 12):
        cv2.line(picture, (x, 450), (x + 15, 480), (240, 240, 240), 3, cv2.LINE_AA)
    assert measure(picture).subtitle_band is None


def test_gravel_is_no_subtitle() -> None:
    gravel = np.random.default_rng(3).integers(0, 2, (128, 171), np.uint8) * 220
    picture = scene(7)
    picture[340:] = cv2.resize(gravel, (683, 512), interpolation=cv2.INTER_NEAREST)[340:, :, None]
    assert measure(picture).subtitle_band is None

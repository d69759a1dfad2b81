"""Rules on measures: the first that holds is the reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhmd.stages.screen import MEASURES, RULES, ScreenConfig, rejections, repeats

GOOD = {
    "luma_mean": 120.0,
    "luma_std": 40.0,
    "sharpness": 300.0,
    "chroma_p95": 30.0,
    "off_tint": 6.0,
    "text": 0.1,
    "blend": 0.0,
}
GRAY = {"chroma_p95": 1.0, "off_tint": 0.2}
TINTED = {"off_tint": 0.9}
DEFAULTS = ScreenConfig()
OFF = ScreenConfig(
    min_luma=0,
    min_contrast=0,
    max_blend=1,
    max_text=1,
    min_chroma=0,
    min_off_tint=0,
    min_sharpness=0,
    repeat_radius=-1,
)


def columns(*frames: dict[str, float]) -> dict[str, np.ndarray]:
    """Measures of frames that are good but for what is said of each."""
    return {name: np.array([{**GOOD, **frame}[name] for frame in frames]) for name in MEASURES}


def reasons(*frames: dict[str, float], config: ScreenConfig = DEFAULTS) -> list[str | None]:
    """What rejects frames that are alike in nothing."""
    return rejections(columns(*frames), [None] * len(frames), config).tolist()


@pytest.mark.parametrize(
    ("measures", "reason"),
    [
        ({}, None),
        ({"luma_mean": 5.0}, "black"),
        ({"luma_std": 1.0}, "black"),
        ({"sharpness": 3.0}, "blurred"),
        (GRAY, "gray"),
        (TINTED, "tinted"),
        ({"text": 0.9}, "text"),
        ({"blend": 0.5}, "transition"),
        ({**GRAY, "sharpness": 3.0}, "gray"),
        ({**GRAY, "text": 0.9}, "text"),
        ({**GRAY, "blend": 0.5}, "transition"),
        ({**GRAY, "luma_mean": 5.0, "sharpness": 3.0}, "black"),
    ],
)
def test_each_frame_has_its_first_reason(measures: dict[str, float], reason: str | None) -> None:
    assert reasons({}, measures) == [None, reason]


def test_every_rule_can_be_turned_off() -> None:
    bad = {name: 1.0 if name in ("blend", "text") else 0.0 for name in MEASURES}
    assert rejections(columns(bad, bad), [0, 0], OFF).tolist() == [None, None]
    assert {name for name, _ in RULES} == {"black", "transition", "text", "gray", "tinted", "blurred"}


def test_a_film_without_colour_is_said_to_be_monochrome() -> None:
    black, card = {"luma_mean": 1.0}, {**GRAY, "text": 1.0}
    film = [black, card, *[GRAY] * 49, TINTED]
    assert reasons(*film) == ["black", "text", *["monochrome"] * 50]
    assert reasons(*film, {}) == ["black", "text", *["monochrome"] * 50, None], "one of 51 is in colour"
    assert reasons(*film, {}, {}) == ["black", "text", *["gray"] * 49, "tinted", None, None]
    assert reasons(*film, config=OFF) == [None] * 52
    assert reasons(black, card) == ["black", "text"]


def test_noise_is_no_colour_in_a_film_without_colour() -> None:
    """Chroma noise of tapes: what passes for pale colour in one frame is none where no keyframe has any."""
    noise, pale = {"chroma_p95": 7.0, "off_tint": 2.5}, {"chroma_p95": 9.0}
    found = rejections(columns(*[noise] * 60, pale), [None] * 61, DEFAULTS, monochrome=True)
    assert found.tolist() == [*["monochrome"] * 60, None]
    assert reasons(*[noise] * 60, pale) == [None] * 61
    assert rejections(columns(noise), [None], OFF, monochrome=True).tolist() == [None]


def test_a_repeat_is_near_the_last_passing_frame() -> None:
    hashes = [0, 0b11, 0b1111, 0b1111, None, 0b1111, 0b1110]
    rejected = rejections(columns(*[{}] * 7), hashes, ScreenConfig(repeat_radius=2))
    assert rejected.tolist() == [None, "repeat", None, "repeat", None, None, "repeat"]


def test_rejected_frames_are_repeated_by_none() -> None:
    rejected = rejections(columns({}, {"luma_mean": 0.0}, {}), [0, 7 << 20, 7 << 20], ScreenConfig())
    assert rejected.tolist() == [None, "black", None]


HASHES = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 2**64 - 1), st.integers(2**64 - 9, 2**64 - 1)), st.booleans())
)


@given(HASHES, st.integers(-1, 64))
def test_no_two_neighbours_that_are_left_are_within_the_radius(
    frames: list[tuple[int | None, bool]], radius: int
) -> None:
    hashes, passing = [value for value, _ in frames], np.array([passes for _, passes in frames], bool)
    found = repeats(hashes, passing, radius)
    last: int | None = None
    for position in np.flatnonzero(passing):
        value = hashes[position]
        near = value is not None and last is not None and bin(value ^ last).count("1") <= radius
        assert near == (position in found)
        last = last if near else value


def test_no_frames_give_no_reasons() -> None:
    assert rejections({name: np.array([]) for name in MEASURES}, [], ScreenConfig()).tolist() == []

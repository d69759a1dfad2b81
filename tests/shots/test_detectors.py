"""Every detector on scenes of moving textures: what it finds, what it leaves, what it promises."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhmd.shots import DETECTORS, detector
from mhmd.shots.doubts import FAR_CHANGE, FAR_FRAMES, SAME, Doubt, Moment, far_in_doubt, is_relit
from mhmd.shots.scores import tiny
from tests.shots.fed import fed
from tests.shots.footage import CUT, SIZE, Join, Pictures, film, scene

SLOW = ("cascade", "transnetv2")
BLACK, WHITE = 0, 255


def still(picture: Pictures, frames: int) -> Pictures:
    return np.repeat(picture[None], frames, axis=0)


@pytest.mark.parametrize("name", DETECTORS)
def test_cuts(name: str) -> None:
    pictures, truth = film([scene(n, seed) for seed, n in enumerate((30, 25, 40, 30))], [CUT] * 3)
    found = fed(detector(name), pictures)
    assert [(each.kind, each.start_frame) for each in found] == [("cut", each.start_frame) for each in truth]


@pytest.mark.parametrize(("name", "join"), [*((name, Join(16)) for name in SLOW), ("cascade", Join(24, through=BLACK))])
def test_dissolves_and_fades_have_extent(name: str, join: Join) -> None:
    scenes = [scene(60, 2), scene(50, 5), scene(60, 6)]
    pictures, truth = film(scenes, [join, CUT])
    found = fed(detector(name), pictures)
    assert [each.kind for each in found] == [each.kind for each in truth]
    assert found[0].start_frame == pytest.approx(truth[0].start_frame, abs=3)
    assert found[0].end_frame == pytest.approx(truth[0].end_frame, abs=3)
    assert found[1].start_frame == truth[1].start_frame


@pytest.mark.parametrize(("name", "join"), [("transnetv2", Join(16)), ("cascade", Join(24, through=WHITE))])
def test_still_scenes_dissolve_too(name: str, join: Join) -> None:
    pictures, truth = film([still(scene(1, seed)[0], 50) for seed in (1, 4)], [join])
    (found,) = fed(detector(name), pictures)
    assert found.kind == truth[0].kind
    assert found.start_frame < truth[0].end_frame
    assert found.end_frame > truth[0].start_frame


def test_a_black_head_fades_in_under_the_cascade() -> None:
    black = np.zeros((30, SIZE[1], SIZE[0], 3), np.uint8)
    (found,) = fed(detector("cascade"), film([black, scene(60, 4)], [Join(18)])[0])
    assert found.kind == "fade"
    assert found.start_frame == pytest.approx(12, abs=4)
    assert found.end_frame == pytest.approx(30, abs=4)


@pytest.mark.parametrize("level", [BLACK, WHITE])
@pytest.mark.parametrize(
    ("fade", "hold", "seeds"), [(12, 16, (1, 4)), (16, 48, (1, 4)), (30, 60, (1, 4)), (36, 24, (2, 5))]
)
def test_two_fades_with_a_hold_between_are_one_to_the_cascade(
    fade: int, hold: int, seeds: tuple[int, int], level: int
) -> None:
    held = np.full((hold + 2 * fade, SIZE[1], SIZE[0], 3), level, np.uint8)
    before, after = (scene(90, seed) for seed in seeds)
    (found,) = fed(detector("cascade"), film([before, held, after], [Join(fade), Join(fade)])[0])
    assert found.kind == "fade"
    assert found.start_frame == pytest.approx(90 - fade, abs=6)
    assert found.end_frame == pytest.approx(90 + hold + fade, abs=12)


@pytest.mark.parametrize(
    ("hold", "backwards"), [(0, False), (12, False), (48, False), (6, True), (12, True), (48, True)]
)
def test_a_cut_to_black_and_the_fade_after_it_are_one_to_the_cascade(hold: int, backwards: bool) -> None:
    """And a fade to black and the cut from there."""
    dark = scene(60, 4)
    weight = ((np.arange(18) + 1) / 19)[:, None, None, None]
    dark[:18] = np.round(dark[:18] * weight)
    pictures = np.concatenate([scene(50, 1), np.zeros((hold, *dark.shape[1:]), np.uint8), dark])
    (found,) = fed(detector("cascade"), pictures[::-1] if backwards else pictures)
    start, end = (60 - 18, 60 + hold) if backwards else (50, 50 + hold + 18)
    assert found.kind == "fade"
    assert found.start_frame == pytest.approx(start, abs=8 if backwards else 3)
    assert found.end_frame == pytest.approx(end, abs=3)


def test_two_cuts_with_black_between_stay_two_to_the_cascade() -> None:
    black = np.zeros((24, SIZE[1], SIZE[0], 3), np.uint8)
    found = fed(detector("cascade"), np.concatenate([scene(50, 1), black, scene(50, 4)]))
    assert [(each.kind, each.start_frame) for each in found] == [("cut", 50), ("cut", 74)]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_flash_is_no_cut_to_the_cascade(frames: int) -> None:
    pictures = scene(80, 3)
    pictures[40 : 40 + frames] = 240
    assert fed(detector("cascade"), pictures) == []


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("frames", [1, 2, 60])
def test_a_still_film_has_no_transitions(name: str, frames: int) -> None:
    assert fed(detector(name), still(scene(1, 0)[0], frames)) == []


@pytest.mark.parametrize("name", DETECTORS)
def test_a_film_without_frames_has_no_transitions(name: str) -> None:
    finder = detector(name)
    assert finder.finish() == []
    assert finder.settled == 0


@pytest.mark.parametrize("name", SLOW)
def test_a_film_that_is_a_fade_keeps_a_frame_before_and_after(name: str) -> None:
    pictures = film([scene(12, 1), scene(12, 4)], [Join(10)])[0]
    fed(detector(name), pictures)


def test_where_nothing_is_in_doubt_the_cascade_settles_soon() -> None:
    finder = detector("cascade")
    pictures = film([still(scene(1, seed)[0], 60) for seed in (0, 1)], [CUT])[0]
    behind = []
    for index, picture in enumerate(pictures):
        finder.feed(index, index / 24, picture)
        behind.append(index - finder.settled)
    assert max(behind) <= 50
    assert behind[50] <= 30


def test_the_cascade_needs_no_torch() -> None:
    program = """
import sys
from mhmd.shots import detector
from tests.shots.fed import fed
from tests.shots.footage import Join, film, scene
scenes = [scene(1, seed).repeat(40, axis=0) for seed in (0, 1)]
assert [each.kind for each in fed(detector("cascade"), film(scenes, [Join(12)])[0])] == ["dissolve"]
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(("rate", "seconds"), [(24, 2.5), (50, 1.5), (120, 1.0)])
def test_slow_dissolves_are_found_at_any_rate_and_cuts_to_the_frame(rate: int, seconds: float) -> None:
    stills = [still(scene(1, seed)[0], round(rate * (seconds + 1.5))) for seed in (1, 4, 5)]
    pictures, (slow, cut) = film(stills, [Join(round(rate * seconds)), CUT])
    finder, found = detector("cascade"), []
    for index, picture in enumerate(pictures):
        found += finder.feed(index, index / rate, picture)
        assert index - finder.settled <= 188 * -(-rate // 37)
    found += finder.finish()
    assert [each.kind for each in found] == ["dissolve", "cut"]
    assert found[0].start_frame == pytest.approx(slow.start_frame, abs=rate * seconds / 4)
    assert found[0].end_frame == pytest.approx(slow.end_frame, abs=rate * seconds / 4)
    assert found[1].start_frame == cut.start_frame


def test_a_fade_in_steps_is_whole_though_its_steps_look_like_cuts() -> None:
    pictures, (slow,) = film([scene(46, 1), scene(46, 2)], [Join(16, through=BLACK)])
    found = fed(detector("cascade"), pictures.repeat(5, axis=0))  # slow motion: every frame stands five times
    assert [each.kind for each in found] == ["fade"]
    assert found[0].start_frame == pytest.approx(5 * slow.start_frame, abs=10)
    assert found[0].end_frame == pytest.approx(5 * slow.end_frame, abs=10)


@pytest.mark.parametrize("seconds", [0.7, 1.5, 3])
@pytest.mark.parametrize("barred", [False, True])
def test_a_change_of_light_is_no_dissolve_to_the_cascade(seconds: float, barred: bool) -> None:
    frames = round(24 * seconds)
    down = (1 + np.cos(np.linspace(0, np.pi, frames))) / 2
    light = 0.35 + 0.65 * np.concatenate([np.ones(40), down, np.zeros(40), down[::-1], np.ones(40)])
    pictures = (scene(1, 4) * light[:, None, None, None]).astype(np.uint8)
    if barred:
        pictures[:, :8] = pictures[:, -8:] = 0
    assert fed(detector("cascade"), pictures) == []


def test_bars_do_not_make_two_pictures_alike() -> None:
    one, other = (tiny(scene(1, seed)[0] // 4 + 180) for seed in (1, 4))
    one[:9] = one[-9:] = other[:9] = other[-9:] = 0
    assert np.corrcoef(one.mean(axis=-1).ravel(), other.mean(axis=-1).ravel())[0, 1] > SAME
    assert not is_relit(one, other)
    assert is_relit(one, one // 2)


@pytest.mark.parametrize(("frames", "found"), [(FAR_FRAMES - 1, 0), (FAR_FRAMES, 1), (40, 1)])
def test_pictures_that_change_altogether_are_in_doubt_though_nothing_is_blended(frames: int, found: int) -> None:
    changes = [0.0] * 9 + [FAR_CHANGE] * frames + [0.5] * 9
    doubts = far_in_doubt([Moment(100 + place, 0.0, change, []) for place, change in enumerate(changes)])
    assert doubts == [Doubt(109, 109 + frames, 0.3, 1)] * found


def test_the_cascade_needs_no_sensible_times() -> None:
    pictures, truth = film([scene(60, 1), scene(60, 4)], [CUT])
    finder = detector("cascade")
    found = [each for picture in pictures for each in finder.feed(0, 0.0, picture)] + finder.finish()
    assert [(each.kind, each.start_frame) for each in found] == [("cut", truth[0].start_frame)]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5), st.integers(0, 30)), min_size=1, max_size=5))
def test_the_cascade_keeps_its_promises_on_any_film(parts: list[tuple[int, int, int]]) -> None:
    scenes = [scene(frames, seed, (48, 27)) for frames, seed, _ in parts]
    joins = [Join(min(n, len(a), len(b))) for a, b, (_, _, n) in zip(scenes, scenes[1:], parts, strict=False)]
    fed(detector("cascade"), film(scenes, joins)[0])

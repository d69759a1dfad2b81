"""Which frames the probe looks at."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from mhmd.media.container import opened, time_base_of
from mhmd.media.samples import AFTER_EVERY, samples_of
from tests.films import Coding, Scene, scene_pictures, write_film

FRAMES, RATE = 480, 24


def looked_at(path: Path, start_s: int, coding: Coding) -> list[int]:
    """Which frames of a film that starts late are looked at, by their number."""
    times = [start_s + Fraction(k, RATE) for k in range(FRAMES + 1)]
    write_film(path, scene_pictures(Scene(FRAMES), 0, (96, 72)), times, coding=coding)
    with opened(path) as (container, stream):
        seen = [frame.pts for frame in samples_of(container, stream, path, (96, 72))]
        first, tick = stream.start_time or 0, time_base_of(stream)
    return sorted(round((pts - first) * tick * RATE) for pts in seen if pts is not None)


@pytest.mark.parametrize("start_s", [0, 600])
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "mpg"])
def test_keyframes_all_over_the_film(container: str, start_s: int, tmp_path: Path) -> None:
    """Matroska does not tell when the first frame after a seek is decoded, and tells ends of films, not lengths."""
    codec = "mpeg2video" if container == "mpg" else "libx264"
    coding = Coding(codec, options={"g": "12", "bf": "2", "sc_threshold": "0"})
    seen = looked_at(tmp_path / f"film.{container}", start_s, coding)
    assert len(seen) == len({*seen})
    assert max(b - a for a, b in pairwise([0, *seen, FRAMES])) <= 36


def test_frames_that_follow_a_keyframe_of_several_points(tmp_path: Path) -> None:
    seen = looked_at(tmp_path / "film.mp4", 0, Coding(options={"g": "160", "sc_threshold": "0"}))
    assert seen == [at + after for at in (0, 160, 320) for after in range(0, 5 * AFTER_EVERY, AFTER_EVERY)]

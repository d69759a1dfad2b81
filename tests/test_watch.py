"""What is seen of every frame while a film goes by."""

from fractions import Fraction
from itertools import accumulate, islice
from pathlib import Path

import numpy as np
import pytest

from mhmd.media.probe import probe_film
from mhmd.media.pyav import PyavDecoder
from mhmd.sampling import Candidate, Pick
from mhmd.watch import Watch
from tests.films import write_film
from tests.shots.footage import Join, film, scene


@pytest.mark.parametrize("rate", [25, 50, 60])
def test_a_dissolve_is_as_mixed_at_any_rate(rate: int, tmp_path: Path) -> None:
    """Three seconds of it, in a picture that moves by 50 px a second."""
    step = 50 / rate / 2
    frames = range(round(3.6 * rate))
    still = [scene(48, seed, (280, 54))[0] for seed in (1, 2)]
    moving = [np.stack([each[:, round(2 * step * n) : round(2 * step * n) + 96] for n in frames]) for each in still]
    pictures, [dissolve] = film(moving, [Join(3 * rate)])
    times = tuple(accumulate([Fraction(0), *[Fraction(1, rate)] * len(pictures)]))
    write_film(tmp_path / "film.mp4", pictures, times, Fraction(rate))
    watch = Watch(probe_film(tmp_path / "film.mp4"))
    frames_of = iter(PyavDecoder(tmp_path / "film.mp4", 0))
    while together := list(islice(frames_of, 7)):
        watch.sharpness([watch.small(decoded.frame) for decoded in together])
        last = together[-1]
    watch.finish()
    blends = [watch.blend(Pick(Candidate(k, k, k, 0.0, last.frame), 0, 0, k)) for k in range(len(pictures))]
    middle = (dissolve.start_frame + dissolve.end_frame) // 2
    assert min(blends[middle - rate // 4 : middle + rate // 4]) > 0.5
    assert max(blends[: rate // 4]) < 0.2

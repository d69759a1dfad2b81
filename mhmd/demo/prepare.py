"""Puts the demo's inputs into a folder: three films, their manifests, and two gray pictures to colour."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.demo.footage import clip, photograph
from mhmd.demo.render import RATE, TAKES, render, starts
from mhmd.entries import FilmEntry, LabelEntry
from mhmd.records import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

FILMS = (
    FilmEntry(film_id="portraits", title="Portraits", path="films/portraits.mp4", split="train"),
    FilmEntry(film_id="bikes", title="Bikes", path="films/bikes.mp4", split="val"),
    FilmEntry(film_id="bigbuckbunny", title="Big Buck Bunny", path="films/bigbuckbunny.mp4", split="test"),
)
BIKES_SUIT_S = (1.20, 3.04)
"""The shot of a man in a suit."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a photograph, px."""

    photograph: str
    left: int
    top: int
    width: int
    height: int


PICTURES = (Crop("admiral", 56, 0, 420, 560), Crop("astronaut", 40, 0, 360, 480))


@dataclass(frozen=True, slots=True)
class DemoInputs:
    """What the demo works on."""

    films: Path
    labels: Path
    pictures: tuple[Path, ...]


def labels() -> list[LabelEntry]:
    """The demo's labels: for show, nobody studied these films. Ranges refine the garment of their film."""
    return [
        _label("portraits", "America", "non-formal"),
        *(
            _garment("portraits", start / RATE, start / RATE + take.seconds, "military uniform")
            for start, take in zip(starts(), TAKES, strict=False)
            if take.photograph == "admiral"
        ),
        _label("bikes", "Britain and France", "non-formal"),
        _garment("bikes", *BIKES_SUIT_S, "formal"),
        _label("bigbuckbunny", "America", "non-formal"),
    ]


def prepare(folder: Path) -> DemoInputs:
    """Write the demo's inputs into `folder`, the same bytes every time.

    Raises DependencyError when the packages of `mhmd[demo]` are not installed, before anything is written.
    """
    clips = [clip(film.film_id) for film in FILMS[1:]]
    grays = [_gray(crop) for crop in PICTURES]
    (folder / "films").mkdir(parents=True, exist_ok=True)
    for source in clips:
        shutil.copyfile(source, folder / "films" / source.name)
    render(folder / FILMS[0].path)
    (folder / "pictures").mkdir(exist_ok=True)
    pictures = tuple(folder / "pictures" / f"{crop.photograph}.png" for crop in PICTURES)
    for path, gray in zip(pictures, grays, strict=True):
        path.write_bytes(gray)
    films = _written(folder / "films.parquet", FilmEntry, FILMS)
    return DemoInputs(films, _written(folder / "labels.parquet", LabelEntry, labels()), pictures)


def _label(film_id: str, nationality: str, garment: str) -> LabelEntry:
    return LabelEntry(film_id=film_id, era="After WWII", nationality=nationality, garment=garment)


def _garment(film_id: str, start_s: float, end_s: float, garment: str) -> LabelEntry:
    return LabelEntry(film_id=film_id, start_s=start_s, end_s=end_s, garment=garment)


def _gray(crop: Crop) -> bytes:
    """The PNG of a part of a photograph, in gray."""
    from mhmd.media.opencv import cv2

    picture = photograph(crop.photograph)
    part = picture[crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]
    done, data = cv2.imencode(".png", cv2.cvtColor(part, cv2.COLOR_RGB2GRAY))
    assert done, f"OpenCV cannot encode a picture of shape {part.shape}"
    return bytes(data)


def _written(path: Path, record: type[Record], rows: Sequence[Record]) -> Path:
    from mhmd.storage import Storage, table_of

    Storage(str(path.parent)).write_table(path.name, table_of(record, rows))
    return path

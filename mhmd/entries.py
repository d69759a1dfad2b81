"""The manifests: tables that people write, and `mhmd split`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mhmd.records import Record, column


@dataclass(frozen=True, slots=True)
class FilmEntry(Record):
    """A row of the films manifest."""

    TABLE: ClassVar[str] = "films manifest"
    film_id: str = column("string", "unique, `[a-z0-9_-]+`")
    title: str = column("string", "the movie or series this file is of; a split never divides one")
    path: str = column("string", "the file; relative paths start at the manifest's folder")
    split: str | None = column("string", "train, val or test: forces the title's split", null=True)
    color_matrix: str | None = column("string", "bt601, bt709 or bt2020: overrides what the file says", null=True)


@dataclass(frozen=True, slots=True)
class LabelEntry(Record):
    """A row of the labels manifest: a film, a range of it, or one frame, and some or all attributes."""

    TABLE: ClassVar[str] = "labels manifest"
    film_id: str = column("string", "a film of the films manifest")
    start_s: float | None = column("float64", "start of a range, s; null for the whole film", null=True)
    end_s: float | None = column("float64", "end of the range (not in it), s", null=True)
    frame_id: str | None = column("string", "one frame", null=True)
    era: str | None = column("string", "name in the taxonomy; null leaves it to a wider row", null=True)
    nationality: str | None = column("string", "name in the taxonomy; null leaves it to a wider row", null=True)
    garment: str | None = column("string", "name in the taxonomy; null leaves it to a wider row", null=True)
    confidence: float | None = column("float64", "the annotator's, 0 to 1", null=True)


@dataclass(frozen=True, slots=True)
class SplitEntry(Record):
    """A row of the splits manifest."""

    TABLE: ClassVar[str] = "splits manifest"
    title: str = column("string", "a title of the films manifest")
    split: str = column("string", "train, val or test")


@dataclass(frozen=True, slots=True)
class LabelName(Record):
    """A row of a taxonomy: one label, and how many images of it MHMD published."""

    TABLE: ClassVar[str] = "taxonomy"
    label_id: int = column("int32", "index of the label, from 0")
    era: str = column("string", "name of the era")
    nationality: str = column("string", "name of the nationality")
    garment: str = column("string", "name of the garment")
    images: int = column("int64", "images of this label in MHMD as published")


MANIFESTS: tuple[type[Record], ...] = (FilmEntry, LabelEntry, SplitEntry, LabelName)

"""The manifests: tables that people write, and `mhmd split`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mhmd.records import Record, column


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmEntry(Record):
    """A row of the films manifest."""

    TABLE: ClassVar[str] = "films manifest"
    film_id: str = column("string", "unique, `[a-z0-9_-]+`")
    title: str = column("string", "the movie or series this file is of; a split never divides one")
    path: str = column("string", "the file; relative paths start at the manifest's folder and stay inside it")
    group: str | None = column(
        "string", "titles that belong together: a franchise, other cuts", null=True, default=None
    )
    year: int | None = column("int32", "when it was made, 1870 to 2100", null=True, default=None)
    split: str | None = column("string", "train, val or test: forces the title's split", null=True, default=None)
    color_matrix: str | None = column(
        "string", "bt601, bt709, bt2020 or smpte240m: overrides what the file says", null=True, default=None
    )
    rights: str | None = column("string", "under what terms you hold it, in your words", null=True, default=None)
    sha256: str | None = column("string", "content hash of the file, which is then verified", null=True, default=None)
    exclude: str | None = column(
        "string", "a reason: no stage works on it, and the card says so", null=True, default=None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEntry(Record):
    """A row of the labels manifest: a film, a shot or range of it, or one frame, and some or all attributes."""

    TABLE: ClassVar[str] = "labels manifest"
    film_id: str = column("string", "a film of the films manifest")
    start_s: float | None = column("float64", "start of a range, s from the first frame", null=True, default=None)
    end_s: float | None = column("float64", "end of the range (not in it), s", null=True, default=None)
    shot: int | None = column(
        "int32", "number of a shot; beside a range: what of it lies in both", null=True, default=None
    )
    frame_id: str | None = column("string", "one frame", null=True, default=None)
    era: str | None = column("string", "name in the taxonomy; null leaves it to a wider row", null=True, default=None)
    nationality: str | None = column(
        "string", "name in the taxonomy; null leaves it to a wider row", null=True, default=None
    )
    garment: str | None = column(
        "string", "name in the taxonomy; null leaves it to a wider row", null=True, default=None
    )
    confidence: float | None = column("float64", "the annotator's, 0 to 1", null=True, default=None)
    annotator: str | None = column("string", "who says so", null=True, default=None)
    note: str | None = column("string", "anything", null=True, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry(Record):
    """A row of the table that tells `mhmd import-mhmd` the order of the original's label vectors."""

    TABLE: ClassVar[str] = "label order"
    index: int = column("int32", "place in the vector, from 0")
    label_id: int = column("int32", "the label there, an index in the taxonomy")


MANIFESTS: tuple[type[Record], ...] = (FilmEntry, LabelEntry, SplitEntry, LabelName, IndexEntry)

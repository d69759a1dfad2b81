"""Writes the original MHMD into a workspace: what `extract`, `label` and `parse` would have made of films."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import PictureError
from mhmd.measures import Measures
from mhmd.original.films import FILMS, films_there, write_films
from mhmd.original.layout import SPLIT_OF_SET, Found, Original, find, label_order
from mhmd.parsing import cihp
from mhmd.records import Film, Frame, Label, Mask, Shot
from mhmd.sink import Sink
from mhmd.taxonomy import Taxonomy, load_taxonomy

if TYPE_CHECKING:
    from mhmd.storage import Storage

BATCH = 128
"""Pictures read and measured at once."""

PROBLEMS_TOLD = 50
JPEG = b"\xff\xd8"

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken: rows of film, split, pictures, labelled; what is to be said; and how many things are wrong."""

    films: list[tuple[str, str, int, int]]
    lines: list[str]
    left_out: int


@dataclass(frozen=True, slots=True)
class Read:
    """A picture of theirs with what is measured of it, and its mask as PNG."""

    source: Original
    jpeg: bytes
    size: tuple[int, int]
    measures: Measures
    phash: int | None
    mask_png: bytes
    mask: Mask


def import_mhmd(
    folder: Path, data: str, labels: Path | None, title: str, workers: int, progress: Progress = lambda *_: None
) -> Imported:
    """Write the pictures of the original in `folder` into a workspace, and its films manifest `films.parquet`.

    Rows that this manifest has already stay as people made them; films that it excludes are left out. Pictures keep
    their bytes; masks become class indices. A set is taken for one film, or each title of it where
    `title` tells titles (see `mhmd.original.layout.find`); without titles, its split is what the set's name says.
    `labels` names the order of their vectors. What cannot be used is left out and named. Raises DatasetError,
    ManifestError, UsageError before anything is written.
    """
    from mhmd.storage import Storage

    taxonomy = load_taxonomy()
    found = find(folder, title)
    order, how = label_order(found, labels, taxonomy)
    storage = Storage(data)
    ids = _film_ids(found)
    problems = list(found.problems)
    old = films_there(data)
    taken_down = {row["film_id"] for row in old if row.get("exclude")}
    films, rows = [], []
    for (of_set, name), pictures in sorted(found.pictures.items()):
        film = ids[of_set, name]
        if film in taken_down:
            how += f"; {film} is excluded in {FILMS} and left out"
            continue
        taken, labelled = _Film(storage, film, order, taxonomy, workers, progress).write(pictures, problems)
        split = "" if title else SPLIT_OF_SET.get(of_set.casefold(), "")
        films.append((film, split, taken, labelled))
        path = str((folder / of_set).absolute())
        rows.append((film, name or f"MHMD {of_set}", path, split or None))
    write_films(storage, rows, old)
    told = [
        how,
        *problems[:PROBLEMS_TOLD],
        *([f"and {len(problems) - PROBLEMS_TOLD} more"] if len(problems) > PROBLEMS_TOLD else []),
    ]
    return Imported(films, told, len(problems))


def _film_ids(found: Found) -> dict[tuple[str, str], str]:
    """A name of `[a-z0-9_-]` for each set and title."""
    ids: dict[tuple[str, str], str] = {}
    for key in sorted(found.pictures):
        plain = re.sub("[^a-z0-9_-]+", "-", "-".join(filter(None, key)).casefold()).strip("-") or "mhmd"
        name, number = plain, 2
        while name in ids.values():
            name, number = f"{plain}-{number}", number + 1
        ids[key] = name
    return ids


class _Film:
    """Writes one film's tables and tars."""

    def __init__(
        self,
        storage: Storage,
        film_id: str,
        order: dict[int, int],
        taxonomy: Taxonomy,
        workers: int,
        progress: Progress,
    ) -> None:
        self._storage, self._film_id = storage, film_id
        self._order, self._taxonomy = order, taxonomy
        self._workers, self._progress = workers, progress
        self._frames = Sink(storage, film_id, (Shot, Frame, Film), Frame.TABLE, lambda *_: None)
        self._masks = Sink(storage, film_id, (Mask,), Mask.TABLE, lambda *_: None)
        self._labels = Sink(storage, film_id, (Label,), "", lambda *_: None)
        self._hash = hashlib.sha256()

    def write(self, pictures: Sequence[Original], problems: list[str]) -> tuple[int, int]:
        """Write everything; how many pictures were taken and how many of them have a label."""
        taken = labelled = 0
        first: Read | None = None
        try:
            for batch in self._read(pictures, problems):
                first = first or next(iter(batch), None)
                labelled += self._add(taken, batch)
                taken += len(batch)
            if first is not None:
                self._finish(taken, first)
        finally:
            self._frames.discard()
            self._masks.discard()
        return taken, labelled

    def _read(self, pictures: Sequence[Original], problems: list[str]) -> Iterator[list[Read]]:
        with ThreadPoolExecutor(self._workers) as pool:
            for start in range(0, len(pictures), BATCH):
                results = list(pool.map(_read, pictures[start : start + BATCH]))
                problems.extend(each for each in results if isinstance(each, str))
                yield [each for each in results if isinstance(each, Read)]
                self._progress(min(start + BATCH, len(pictures)), len(pictures), self._film_id)

    def _add(self, start: int, batch: Sequence[Read]) -> int:
        frames, masks, labels = [], [], []
        for number, read in enumerate(batch, start):
            frame_id = f"{self._film_id}_{number:010d}"
            self._hash.update(read.source.path.name.encode() + b"\0" + hashlib.sha256(read.jpeg).digest())
            frames.append(self._frame(frame_id, number, read, self._frames.put(f"{frame_id}.jpg", read.jpeg)))
            ref = self._masks.put(f"{frame_id}.png", read.mask_png)
            masks.append(replace(read.mask, film_id=self._film_id, frame_id=frame_id, ref=ref))
            labels.append(self._label(frame_id, read.source.index))
        self._frames.rows(Frame, frames)
        self._masks.rows(Mask, masks)
        self._labels.rows(Label, labels)
        return sum(label.label_id >= 0 for label in labels)

    def _finish(self, taken: int, first: Read) -> None:
        digest = self._hash.hexdigest()
        self._frames.rows(Shot, [Shot(self._film_id, 0, 0, taken, 0.0, float(taken), "start", 0.0)])
        self._frames.rows(Film, [self._film(taken, first, digest)])
        self._frames.commit(digest, {self._film_id: {}})
        content = {}
        for record in (Frame, Film, Shot):
            stamp = self._storage.stamp(f"{record.TABLE}/{self._film_id}.parquet")
            assert stamp is not None
            content[record.TABLE] = stamp.content
        self._masks.commit(digest, {self._film_id: {Frame.TABLE: content[Frame.TABLE]}})
        self._labels.commit(digest, {self._film_id: content})

    def _frame(self, frame_id: str, number: int, read: Read, ref: str) -> Frame:
        height, width = read.size
        return Frame(
            film_id=self._film_id,
            frame_id=frame_id,
            shot=0,
            frame_index=number,
            pts=number,
            time_base_num=1,
            time_base_den=1,
            time_s=float(number),
            width=width,
            height=height,
            crop_x=0,
            crop_y=0,
            crop_w=width,
            crop_h=height,
            color_matrix="bt601",  # as JFIF has it
            color_range="full",
            matrix_source="tagged",
            phash=read.phash,
            blend=0.0,
            ref=ref,
            **asdict(read.measures),
        )

    def _label(self, frame_id: str, index: int) -> Label:
        label_id = self._order.get(index, -1)
        known = self._taxonomy.labels[label_id] if label_id >= 0 else None
        return Label(
            film_id=self._film_id,
            frame_id=frame_id,
            label_id=label_id,
            era=known.era if known else None,
            nationality=known.nationality if known else None,
            garment=known.garment if known else None,
            source="frame" if known else None,
            confidence=None,
        )

    def _film(self, taken: int, first: Read, digest: str) -> Film:
        height, width = first.size
        return Film(
            film_id=self._film_id,
            sha256=digest,
            duration_s=float(taken),
            frames=taken,
            codec="jpeg",
            width=width,
            height=height,
            rate_num=0,
            rate_den=1,
            pixel_format="unknown",
            color_matrix="bt601",
            color_range="full",
            color_primaries="unspecified",
            color_transfer="unspecified",
            matrix_source="tagged",
            bar_left=0,
            bar_top=0,
            bar_right=0,
            bar_bottom=0,
            pixel_aspect_num=1,
            pixel_aspect_den=1,
            rotation_deg=0,
            mirrored=False,
            monochrome=False,
            interlaced=False,
            telecined=False,
            decoder="none",
            filters="",
            decode_errors=0,
        )


def _read(source: Original) -> Read | str:
    """A picture with its measures, or what is wrong with it."""
    from mhmd.hashing.phash import phash
    from mhmd.measures import measure
    from mhmd.media.jpeg import decode_jpeg
    from mhmd.parsing.mask import encode_mask
    from mhmd.parsing.row import mask_row

    name = f"{source.path.parent.name}/{source.path.name}"
    try:
        jpeg = source.path.read_bytes()
        if not jpeg.startswith(JPEG):  # its bytes are kept under that name
            return f"{name}: {len(jpeg)} bytes that are no JPEG"
        rgb = decode_jpeg(jpeg)
        classes = cihp.classes_of(source.mask.read_bytes())
    except PictureError as error:
        return f"{name}: {error.found}; wanted {error.wanted}"
    except OSError as error:
        return f"{name}: {Path(error.filename or source.path).name} cannot be read: {error.strerror}"
    if classes.mask.shape != rgb.shape[:2]:
        return f"{name}: is {rgb.shape[:2]}, and its mask {classes.mask.shape}"
    row = mask_row("", "", cihp.VOCABULARY, classes.mask, classes.sure)
    size = (rgb.shape[0], rgb.shape[1])
    return Read(source, jpeg, size, measure(rgb), phash(rgb), encode_mask(classes.mask), row)

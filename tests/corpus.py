"""A workspace made of tables alone, as if films had been extracted, screened, deduplicated, labelled and parsed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mhmd.execute import Job
from mhmd.inputs import table_path
from mhmd.make import make_unit
from mhmd.media.jpeg import encode_jpeg
from mhmd.parsing.mask import encode_mask
from mhmd.records import Film, Frame, Label, Mask, Overlap, Record, Screening, Shot, Verdict
from mhmd.splits import SPLITS
from mhmd.stage import CORPUS, Where
from mhmd.stages.shard import STAGE, ShardConfig
from mhmd.storage import Stamp, Storage, schema_of

CLASSES = ("background", "hair", "body", "face", "clothes", "others")
LABEL = (13, "During WWII", "China", "formal")
BLANK = {pa.string(): "", pa.float64(): 0.0, pa.bool_(): False, pa.binary(96): bytes(96)}


@dataclass(frozen=True)
class Corpus:
    """A workspace of so many films with so many frames each; film k is of title k and of split k mod 3."""

    root: Path
    films: tuple[str, ...]
    frames: int
    size: tuple[int, int] = (24, 16)

    @property
    def where(self) -> Where:
        root = str(self.root)
        return Where(f"{root}/data", f"{root}/out", f"{root}/films.parquet", splits=f"{root}/splits.parquet")

    def keys(self, film: str) -> list[str]:
        return [f"{film}_{number:010d}" for number in range(self.frames)]

    def write(self, film: str, record: type[Record], values: Mapping[str, Any], rows: int | None = None) -> None:
        """Store a table of a film; what `values` does not give is blank."""
        rows = self.frames if rows is None else rows
        columns = []
        for field in schema_of(record):
            given = values.get(field.name)
            if given is None and not field.nullable:
                given = [[]] * rows if isinstance(field.type, pa.ListType) else BLANK.get(field.type, 0)
            whole = isinstance(given, list | np.ndarray | pa.Array)
            columns.append(pa.array(given if whole else [given] * rows, field.type))
        table = pa.Table.from_arrays(columns, schema=schema_of(record))
        Storage(self.where.data).write_table(table_path(record, film), table, Stamp("made up"))

    def labels(self, film: str, label: tuple[int, str, str, str] = LABEL) -> None:
        names = dict(zip(("label_id", "era", "nationality", "garment"), label, strict=True))
        self.write(film, Label, {"film_id": film, "frame_id": self.keys(film), **names, "source": "film"})

    def shard(self, **knobs: object) -> dict[str, int]:
        """Make the dataset in this process; what was counted."""
        return self.shard_to(self.where.out, **knobs)

    def shard_to(self, out: str, **knobs: object) -> dict[str, int]:
        """The same in another place."""
        job = Job(STAGE.module, ShardConfig(**knobs).model_dump_json(), replace(self.where, out=out), self.films)
        return dict(make_unit(job, CORPUS, lambda *_: None).counts)


def picture_of(film: int, frame: int, size: tuple[int, int]) -> np.ndarray:
    """The picture of a frame: a gradient of its own."""
    across = np.linspace(0, 200, size[0])[None, :, None]
    tone = np.array([7 * film % 50, 11 * frame % 50, 23])
    return np.broadcast_to(across + tone, (size[1], size[0], 3)).astype(np.uint8)


def mask_of(frame: int, size: tuple[int, int]) -> np.ndarray:
    """The mask of a frame: all classes, beginning with another one each."""
    return ((np.arange(size[0] * size[1]).reshape(size[1], size[0]) + frame) % len(CLASSES)).astype(np.uint8)


def bytes_of(film: int, frame: int, size: tuple[int, int]) -> tuple[bytes, bytes]:
    """JPEG and mask of a frame."""
    return encode_jpeg(picture_of(film, frame, size)), encode_mask(mask_of(frame, size))


def make_corpus(
    root: Path,
    films: int = 3,
    frames: int = 4,
    size: tuple[int, int] = (24, 16),
    pictures: Callable[[int, int, tuple[int, int]], tuple[bytes, bytes]] | None = bytes_of,
) -> Corpus:
    """A whole workspace with its manifests. Without `pictures` refs point at nothing: enough to assemble."""
    names = tuple(f"film{number:03d}" for number in range(films))
    corpus = Corpus(root, names, frames, size)
    for number, film in enumerate(names):
        refs = _references(corpus, film)
        if pictures is not None:
            both = [pictures(number, frame, size) for frame in range(frames)]
            refs = _stored(corpus, film, {"frames": [one for one, _ in both], "masks": [mask for _, mask in both]})
        _write_film(corpus, film, refs)
    titles = [f"Title {number}" for number in range(films)]
    paths = [f"{film}.mp4" for film in names]
    pq.write_table(pa.table({"film_id": names, "title": titles, "path": paths}), root / "films.parquet")
    splits = [SPLITS[number % 3] for number in range(films)]
    pq.write_table(pa.table({"title": titles, "split": splits}), root / "splits.parquet")
    return corpus


def _references(corpus: Corpus, film: str) -> dict[str, list[str]]:
    """Refs of pictures that are not there, of usual sizes."""
    sizes = {"frames": 90_000, "masks": 7_000}
    return {of: [f"{of}/{film}.tar:{k * size}:{size}" for k in range(corpus.frames)] for of, size in sizes.items()}


def _stored(corpus: Corpus, film: str, data: dict[str, list[bytes]]) -> dict[str, list[str]]:
    """Store pictures; their refs."""
    refs = {}
    for folder, each in data.items():
        Storage(corpus.where.data).write(f"{folder}/{film}.tar", b"".join(each))
        starts = np.cumsum([0, *map(len, each)])
        refs[folder] = [f"{folder}/{film}.tar:{at}:{len(d)}" for at, d in zip(starts, each, strict=False)]
    return refs


def _write_film(corpus: Corpus, film: str, refs: dict[str, list[str]]) -> None:
    keys, (width, height) = corpus.keys(film), corpus.size
    times = np.arange(corpus.frames, dtype=np.float64)
    whole = {"width": width, "height": height, "crop_w": width, "crop_h": height}
    both = {"film_id": film, "frame_id": keys}
    corpus.write(film, Film, {"film_id": film}, 1)
    corpus.write(film, Shot, {"film_id": film}, 1)
    corpus.write(film, Frame, {**both, **whole, "time_s": times, "ref": refs["frames"]})
    corpus.write(film, Screening, both)
    corpus.write(film, Overlap, {}, 0)
    corpus.write(film, Verdict, {**both, "kept": [True] * corpus.frames})
    corpus.labels(film)
    shares = {"person_share": np.linspace(0, 1, corpus.frames), "parser": "selfie-multiclass"}
    classes = pa.array([CLASSES] * corpus.frames, pa.list_(pa.string()))
    corpus.write(film, Mask, {**both, **shares, "ref": refs["masks"], "classes": classes})

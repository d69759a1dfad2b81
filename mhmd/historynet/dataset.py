"""What a folder of shards says of itself: `stats.json`, and a row a sample in `samples.parquet`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mhmd.dataset.read import described
from mhmd.errors import DatasetError
from mhmd.historynet.config import TrainConfig
from mhmd.splits import SPLITS, Split
from mhmd.storage import Storage

Labels = tuple[tuple[str, str, str], ...]
LABEL_COLUMNS = ("label_id", "era_id", "nationality_id", "garment_id")
_COLUMNS = ("key", "split", "shard", "width", "height", "offset", "size_bytes", *LABEL_COLUMNS)
_MOST = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class SplitRows:
    """The samples of one split, by row, in the order of the shards."""

    keys: pa.Array
    shards: tuple[str, ...]
    shard: NDArray[np.int32]  # M, index among `shards`
    labels: NDArray[np.int32]  # M, 4: label, era, nationality, garment; -1 = none
    sizes: NDArray[np.int32]  # M, 2: width, height of the picture, px
    places: NDArray[np.int64]  # M, 2: where in the shard the sample begins, and how long it is, bytes

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(self.shard)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A folder of shards. `labels` are (era, nationality, garment) by label_id; mask class 0 is background."""

    files: Storage = field(repr=False)
    train: SplitRows = field(repr=False)
    val: SplitRows = field(repr=False)
    test: SplitRows = field(repr=False)
    mask_classes: tuple[str, ...]  # empty where there are no masks
    labels: Labels
    key: str  # hash of all rows, labels and mask classes

    def split(self, name: Split) -> SplitRows:
        """The split of that name. Raises DatasetError when it is empty."""
        rows = {"train": self.train, "val": self.val, "test": self.test}[name]
        if rows.samples == 0:
            raise DatasetError(
                f"the {name} split of {self.files.url} is empty",
                wanted="samples",
                do="give a title to it with mhmd split",
            )
        return rows

    def require(self, config: TrainConfig) -> None:
        """Raises DatasetError when there are no masks or labels and the network's losses need them, or too few samples.

        The message names the stage that makes what is missing.
        """
        if config.weight_parsing and not self.mask_classes:
            raise DatasetError(
                f"the shards of {self.files.url} have no masks",
                wanted=f"masks for variant {config.variant}",
                do="run mhmd parse, then mhmd shard; or set weight_parsing to 0",
            )
        needs_labels = config.weight_class and config.class_head != "imagenet"
        if needs_labels and not (self.train.labels[:, 0] >= 0).any():
            raise DatasetError(
                f"no train sample of {self.files.url} has a label",
                wanted=f"labels for variant {config.variant}",
                do="run mhmd label, then mhmd shard; or set weight_class to 0",
            )
        if self.train.samples < config.batch:
            raise DatasetError(
                f"the train split of {self.files.url} has {self.train.samples} samples",
                wanted=f"at least a batch, {config.batch}",
                do="add films, or make batch smaller",
            )


def open_dataset(url: str) -> Dataset:
    """The dataset at a folder or an fsspec URL.

    Raises DatasetError where there is none, or when it does not say what training needs.
    """
    files = Storage(url)
    stats, rows = described(files, _COLUMNS)
    try:
        return _read(files, stats, rows)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{url}: {type(error).__name__} {error}",
            wanted="stats.json and samples.parquet as `mhmd shard` writes them",
            do="run mhmd shard again",
        ) from None


def _read(files: Storage, stats: dict[str, Any], rows: pa.Table) -> Dataset:  # Any: JSON
    labels = tuple((str(era), str(nationality), str(garment)) for era, nationality, garment in stats["labels"])
    if not labels:
        raise ValueError("labels are empty")
    classes = tuple(str(name) for name in stats["mask_classes"])
    splits = {name: _split_rows(rows, name, tuple(stats["shards"].get(name, ()))) for name in SPLITS}
    for name, found in splits.items():
        if found.samples != int(stats["samples"][name]):
            raise DatasetError(
                f"samples.parquet of {files.url} has {found.samples} samples of {name}",
                wanted=f"{stats['samples'][name]}, as its stats.json says",
                do="run mhmd check",
            )
        _require_sound(found, labels, f"samples.parquet of {files.url}")
    return Dataset(files, **splits, mask_classes=classes, labels=labels, key=_key(rows, labels, classes))


def _require_sound(rows: SplitRows, labels: Labels, name: str) -> None:
    """Raises DatasetError for a number that no sample can have: a GPU would stop at a class that a head has not."""
    counts = (len(labels), *(len(set(names)) for names in zip(*labels, strict=True)))
    columns = (*rows.labels.T, *rows.sizes.T, *rows.places.T)
    names = (*LABEL_COLUMNS, "width", "height", "offset", "size_bytes")
    ranges = (*((-1, count - 1) for count in counts), (1, _MOST), (1, _MOST), (0, _MOST), (1, _MOST))
    for column, values, (least, greatest) in zip(names, columns, ranges, strict=True):
        wrong = np.flatnonzero((values < least) | (values > greatest))
        if len(wrong):
            raise DatasetError(
                f"{column} of {rows.keys[wrong[0]]} in {name} is {values[wrong[0]]}",
                wanted=f"{least} to {greatest}" if greatest < _MOST else f"at least {least}",
                do="run mhmd shard again",
            )


def _split_rows(rows: pa.Table, split: str, shards: tuple[str, ...]) -> SplitRows:
    part = rows.filter(pc.equal(rows["split"], split)).combine_chunks()
    place = pc.index_in(part["shard"], pa.array(shards, pa.string()))
    if place.null_count:
        raise ValueError(f"a sample of {split} lies in no shard of stats.json")

    def columns(*names: str) -> NDArray[np.int64]:
        return np.stack([part[name].to_numpy().astype(np.int64) for name in names], axis=1)

    return SplitRows(
        keys=part["key"],
        shards=shards,
        shard=place.to_numpy().astype(np.int32),
        labels=columns(*LABEL_COLUMNS).astype(np.int32),
        sizes=columns("width", "height").astype(np.int32),
        places=columns("offset", "size_bytes"),
    )


def _key(rows: pa.Table, labels: Labels, classes: tuple[str, ...]) -> str:
    told = hashlib.sha256(json.dumps([labels, classes]).encode())
    sink = pa.BufferOutputStream()
    plain = pa.table({name: rows[name].combine_chunks() for name in _COLUMNS})
    with pa.ipc.new_stream(sink, plain.schema) as writer:
        writer.write_table(plain)
    told.update(sink.getvalue())
    return told.hexdigest()[:16]

"""What a folder of shards says of itself in `stats.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from mhmd.errors import DatasetError
from mhmd.storage import file_system

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class SplitShards:
    """One split: how many samples, and where."""

    samples: int
    shards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A folder of shards. `labels` are (era, nationality, garment) by label_id; mask class 0 is background."""

    url: str
    train: SplitShards
    val: SplitShards
    test: SplitShards
    parser: str
    mask_classes: tuple[str, ...]
    labels: tuple[tuple[str, str, str], ...]

    def split(self, name: Split) -> SplitShards:
        """The split of that name; it may be empty."""
        return {"train": self.train, "val": self.val, "test": self.test}[name]


def open_dataset(url: str) -> Dataset:
    """The dataset at a folder or an fsspec URL.

    Raises DatasetError when there is no `stats.json`, or one that does not say what training needs.
    """
    filesystem, root = file_system(url)
    path = f"{root}/stats.json"
    try:
        text = filesystem.cat_file(path)
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(
            f"{url} has no stats.json", wanted="a folder that `mhmd shard` wrote", do="run mhmd shard first"
        ) from None
    try:
        return _read(url, json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{url}/stats.json: {type(error).__name__} {error}",
            wanted="samples, shards, parser, mask_classes and labels as `mhmd shard` writes them",
            do="run mhmd shard again",
        ) from None


def _read(url: str, stats: dict[str, Any]) -> Dataset:  # Any: JSON
    splits = {name: SplitShards(int(stats["samples"][name]), tuple(stats["shards"].get(name, ()))) for name in SPLITS}
    labels = [(str(era), str(nationality), str(garment)) for era, nationality, garment in stats["labels"]]
    if not labels or not stats["mask_classes"]:
        raise ValueError("labels or mask_classes are empty")
    return Dataset(
        url, **splits, parser=stats["parser"], mask_classes=tuple(stats["mask_classes"]), labels=tuple(labels)
    )

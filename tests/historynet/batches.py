"""Batches of shards, for tests of the data."""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import torch

from mhmd.historynet.config import TrainConfig
from mhmd.historynet.data import Batch, Part, train_batches
from mhmd.historynet.dataset import Dataset

CPU, WHOLE = torch.device("cpu"), Part()
Make = Callable[..., str]


def config(**knobs: object) -> TrainConfig:
    crops = {"size_px": 48, "batch": 4, "framing": "crop", "min_crop": 0.5, "width": 0.01, "max_damaged": 0.2}
    return TrainConfig.model_validate(crops | knobs)


def some_train(
    dataset: Dataset, count: int, first: int = 0, part: Part = WHOLE, workers: int = 2, **knobs: object
) -> list[Batch]:
    return list(islice(train_batches(dataset, config(**knobs), first, CPU, part=part, workers=workers), count))


def keys(batches: list[Batch]) -> list[str]:
    return [key for batch in batches for key in batch.keys]


def same(one: Batch, other: Batch) -> bool:
    tensors = ("seen", "lightness", "ab", "mask", "labels")
    return one.keys == other.keys and all(torch.equal(getattr(one, t), getattr(other, t)) for t in tensors)


def restated(folder: str, **values: object) -> str:
    path = Path(folder) / "stats.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    return folder

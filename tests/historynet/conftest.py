"""A dataset of small pictures whose colour follows from their lightness, so that it can be learnt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mhmd.dataset.published import STATS
from mhmd.dataset.sink import DatasetSink
from mhmd.dataset.write import ShardPlan
from mhmd.historynet.config import TrainConfig
from mhmd.records import SampleInfo, SampleRow
from mhmd.sample import Sample, members
from mhmd.splits import SPLITS
from mhmd.storage import table_of

LABELS = [["before", "china", "formal"], ["during", "china", "formal"], ["after", "china", "formal"]]
CLASSES = ["background", "hair", "clothes"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def sample(number: int, split: str, height: int = 48, width: int = 80) -> Sample:
    """Blue where dark, orange and of mask class 2 where bright: a part at the left, of a width that differs."""
    bright = np.zeros((height, width), bool)
    bright[:, : width // 3 + 3 * (number % 7)] = True
    bgr = np.where(bright[..., None], (90, 160, 230), (110, 60, 30)).astype(np.int16)
    bgr = (bgr + np.random.default_rng(number).integers(-9, 10, (height, width, 1))).clip(0, 255).astype(np.uint8)
    jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111])[1]
    mask = cv2.imencode(".png", bright.astype(np.uint8) * 2)[1]
    key = f"film_{split}_{number:010d}"
    info = SampleInfo(
        key=key,
        film_id=f"film_{split}",
        title=split,
        frame_id=key,
        split=split,
        label_id=number % 4 - 1,
        era_id=number % 4 - 1,
        nationality_id=0,
        garment_id=0,
        era="",
        nationality="",
        garment="",
        shot=0,
        time_s=float(number),
        width=width,
        height=height,
        crop_x=0,
        crop_y=0,
        crop_w=width,
        crop_h=height,
        parser="drawn",
        person_share=0.0,
        clothes_share=0.0,
    )
    return Sample(jpeg.tobytes(), mask.tobytes(), info)


def write_shards(
    folder: Path, train: int = 20, val: int = 5, a_shard: int = 8, draw: Callable[[int, str], Sample] = sample
) -> str:
    """Write a dataset and give its path."""
    made: dict[str, list[Sample]] = {}
    for split, count in (("train", train), ("val", val)):
        for first in range(0, count, a_shard):
            name = f"{split}-{first // a_shard:06d}.tar"
            made[name] = [draw(number, split) for number in range(first, min(first + a_shard, count))]
    sink = DatasetSink(str(folder), "drawn", lambda *_: None)
    plans = [ShardPlan(name, name, lambda of=samples: map(members, of)) for name, samples in made.items()]
    rows = [
        SampleRow(**asdict(one.info), shard=shard.name, offset=start, size_bytes=end - start)
        for shard in sink.shards(plans, train + val)
        for one, (start, end) in zip(made[shard.name], pairwise(shard.offsets), strict=True)
    ]
    shards = {split: [name for name in made if name.startswith(split)] for split in SPLITS}
    counts = {"train": train, "val": val, "test": 0}
    sink.json(STATS, {"samples": counts, "shards": shards, "mask_classes": CLASSES, "labels": LABELS})
    sink.samples(table_of(SampleRow, rows))
    sink.commit()
    return str(folder)


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> str:
    """20 train samples in three shards, 5 of val in one, no test."""
    return write_shards(tmp_path_factory.mktemp("data") / "out")


@pytest.fixture
def make_shards(tmp_path: Path) -> Callable[..., str]:
    """A function that writes a dataset of other sizes into a folder of its own."""
    return lambda **sizes: write_shards(tmp_path / "own-shards", **sizes)


@pytest.fixture
def tiny() -> Callable[..., TrainConfig]:
    """A function that gives the smallest network's config, with the knobs it is given."""
    smallest = {"width": 0.01, "size_px": 32, "batch": 4, "steps": 6, "learning_rate": 1e-3, "batchnorm_momentum": 0.1}
    return lambda **knobs: TrainConfig.model_validate({**smallest, **knobs})

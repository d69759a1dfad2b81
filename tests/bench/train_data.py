"""A folder of shards as large pictures make them: soft textures with noise, and masks of blobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from mhmd.dataset.published import STATS
from mhmd.dataset.sink import DatasetSink
from mhmd.dataset.write import ShardPlan
from mhmd.media.jpeg import encode_jpeg
from mhmd.parsing.mask import encode_mask
from mhmd.records import SampleInfo, SampleRow
from mhmd.sample import Sample, members
from mhmd.storage import table_of

_EMPTY = {"str": "", "int": 0, "float": 0.0}


def write_dataset(folder: Path, samples: int, height: int, width: int) -> str:
    """One train shard of so many samples, and no others; gives its path."""
    sink = DatasetSink(str(folder), "drawn", lambda *_: None)
    infos: list[SampleInfo] = []

    def drawn() -> Iterator[list[tuple[str, bytes]]]:
        for number in range(samples):
            made = _sample(number, height, width)
            infos.append(made.info)
            yield members(made)

    [shard] = sink.shards([ShardPlan("train-000000.tar", "drawn", drawn)], samples)
    places = zip(infos, pairwise(shard.offsets), strict=True)
    rows = [SampleRow(**asdict(info), shard=shard.name, offset=a, size_bytes=b - a) for info, (a, b) in places]
    stats = {
        "samples": {"train": samples, "val": 0, "test": 0},
        "shards": {"train": [shard.name]},
        "mask_classes": ["background", "hair", "body-skin", "face-skin", "clothes", "others"],
        "labels": [["during", "china", "formal"]],
    }
    sink.json(STATS, stats)
    sink.samples(table_of(SampleRow, rows))
    sink.commit()
    return str(folder)


def _sample(number: int, height: int, width: int) -> Sample:
    rng = np.random.default_rng(number)
    soft = cv2.resize(
        rng.uniform(20, 235, (18, 32, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    rgb = (soft + rng.normal(0, 4, soft.shape)).clip(0, 255).astype(np.uint8)
    blobs = cv2.resize(rng.uniform(0, 6, (9, 16)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    key = f"film_{number:010d}"
    empty = {field.name: _EMPTY[str(field.type)] for field in fields(SampleInfo)}
    known = {"key": key, "frame_id": key, "split": "train", "width": width, "height": height}
    info = SampleInfo(**(empty | known))
    return Sample(encode_jpeg(rgb), encode_mask(blobs.clip(0, 5).astype(np.uint8)), info)

"""A folder of shards as large pictures make them: soft textures with noise, and masks of blobs."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import asdict, fields
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq

from mhmd.media.jpeg import encode_jpeg
from mhmd.parsing.mask import encode_mask
from mhmd.records import SampleInfo, SampleRow
from mhmd.sample import Sample, members
from mhmd.storage import table_of

_EMPTY = {"str": "", "int": 0, "float": 0.0}


def write_dataset(folder: Path, samples: int, height: int, width: int) -> str:
    """One train shard of so many samples, and no others; gives its path."""
    folder.mkdir(parents=True)
    shard, rows = "train-000000.tar", []
    with tarfile.open(folder / shard, "w") as tar:
        for number in range(samples):
            made = _sample(number, height, width)
            rows.append(SampleRow(**asdict(made.info), shard=shard))
            for name, data in members(made):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    pq.write_table(table_of(SampleRow, rows), folder / "samples.parquet")
    stats = {
        "samples": {"train": samples, "val": 0, "test": 0},
        "shards": {"train": [shard]},
        "mask_classes": ["background", "hair", "body-skin", "face-skin", "clothes", "others"],
        "labels": [["during", "china", "formal"]],
    }
    (folder / "stats.json").write_text(json.dumps(stats))
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

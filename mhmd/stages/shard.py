"""shard: Put kept frames, their masks and labels into tars of one split each."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from mhmd.config import Config
from mhmd.dataset.assemble import READS, Wanted
from mhmd.entries import LabelName
from mhmd.records import SampleRow
from mhmd.stage import Stage

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.dataset.published import Shard
    from mhmd.dataset.sink import DatasetSink
    from mhmd.dataset.write import Members, ShardPlan
    from mhmd.inputs import Inputs

MIB = 1 << 20
BATCH = 64
"""Samples whose bytes are fetched together: side by side, where they lie under a URL."""

FORM = 1
"""Goes up when a shard's bytes change for the same rows."""


class ShardConfig(Config):
    """Knobs of `shard`."""

    shard_mb: int = Field(
        384,
        ge=1,
        le=4096,
        description="no shard is larger, MiB, but one of a single sample",
    )
    max_samples: int = Field(0, ge=0, description="no shard has more samples; 0 = any number")
    seed: int = Field(0, ge=0, description="order of the samples in a split, which mixes films")
    min_person_share: float = Field(
        0.0, ge=0, le=1, description="frames with fewer persons, by share of pixels, stay out; 0 keeps landscapes"
    )
    unlabelled: Literal["keep", "drop"] = Field("keep", description="what becomes of frames without one of the labels")
    size: int = Field(
        0, ge=0, le=8192, description="short side of the pictures, px, never enlarged; 0 keeps them, byte for byte"
    )
    crop_subtitles: bool = Field(
        False, description="whether burnt-in subtitles are cut off, with all between them and the nearer edge"
    )


def wanted_of(config: ShardConfig) -> Wanted:
    """What the knobs ask of the samples."""
    return Wanted(config.min_person_share, config.unlabelled == "keep", config.size, config.crop_subtitles)


def plans_of(
    rows: pa.Table, split: str, config: ShardConfig, inputs: Inputs, times: float = 1.0
) -> list[tuple[ShardPlan, pa.Table]]:
    """The shards of a split and the rows of each, from its rows in order of the key.

    Samples are taken to have so many `times` the bytes that are estimated.
    """
    import pyarrow as pa

    from mhmd.dataset.plan import cut, mixed, tar_bytes
    from mhmd.dataset.write import ShardPlan
    from mhmd.storage import content_of
    from mhmd.tar import END_BYTES

    rows = rows.take(pa.array(mixed(rows["key"].to_pylist(), config.seed), pa.int64()))
    plans = []
    sizes = [math.ceil(times * size) for size in tar_bytes(rows)]
    for number, part in enumerate(cut(sizes, config.shard_mb * MIB - END_BYTES, config.max_samples)):
        mine = rows.slice(part.start, len(part)).combine_chunks()
        digest = hashlib.sha256(f"{FORM} {content_of(mine)}".encode()).hexdigest()
        plans.append((ShardPlan(f"{split}-{number:06d}.tar", digest, partial(_members, inputs, mine)), mine))
    return plans


def _members(inputs: Inputs, rows: pa.Table) -> Iterator[Members]:
    """The members of each sample."""
    from mhmd.records import SampleInfo
    from mhmd.sample import FIELDS, Sample, members, reshaped

    with inputs.blobs() as blobs:
        for start in range(0, rows.num_rows, BATCH):
            batch = rows.slice(start, BATCH).to_pylist()
            data = blobs.many([ref for row in batch for ref in (row["image_ref"], row["mask_ref"])])
            for row, jpeg, mask in zip(batch, data[::2], data[1::2], strict=True):
                sample = Sample(jpeg, mask, SampleInfo(*(row[name] for name in FIELDS)))
                if not row["as_stored"]:
                    sample = reshaped(sample, (row["top"], row["bottom"]))
                yield members(sample)


def _larger(shards: Sequence[Shard], config: ShardConfig) -> dict[str, float]:
    """How many times its bound the largest shard of a split has, where samples took more bytes than was estimated."""
    found: dict[str, float] = {}
    for shard in shards:
        split, over = shard.name.partition("-")[0], shard.size_bytes / (config.shard_mb * MIB)
        if over > 1 and len(shard.offsets) > 2:  # a sample that is larger by itself stays so
            found[split] = max(found.get(split, 1.01), over)
    return found


def run(inputs: Inputs, config: ShardConfig, sink: DatasetSink) -> None:
    """Assemble the dataset of all films."""
    import pyarrow as pa

    from mhmd.dataset.assemble import assemble
    from mhmd.dataset.describe import describe
    from mhmd.splits import SPLITS
    from mhmd.taxonomy import Taxonomy

    taxonomy = Taxonomy.of(inputs.rows(LabelName))
    assembled = assemble(inputs, taxonomy, wanted_of(config))
    rows = assembled.rows
    of_split = {split: rows.filter(pa.compute.equal(rows["split"], split)) for split in SPLITS}
    times = dict.fromkeys(SPLITS, 1.0)
    while True:
        planned = [each for split in SPLITS for each in plans_of(of_split[split], split, config, inputs, times[split])]
        shards = sink.shards([plan for plan, _ in planned], rows.num_rows)
        larger = _larger(shards, config)
        if not larger:
            break
        times = {split: times[split] * larger.get(split, 1.0) for split in SPLITS}
    parts = []
    for shard, (_, part) in zip(shards, planned, strict=True):
        sizes = [end - start for start, end in zip(shard.offsets, shard.offsets[1:], strict=False)]
        values = {"shard": pa.array([shard.name] * len(sizes)), "offset": shard.offsets[:-1], "size_bytes": sizes}
        for name, column in values.items():
            part = part.append_column(name, pa.array(column, pa.string() if name == "shard" else pa.int64()))
        parts.append(part)
    samples = pa.concat_tables(parts)
    describe(inputs, sink, taxonomy, samples, shards, assembled)


STAGE = Stage(
    name="shard",
    version=5,
    config=ShardConfig,
    scope="dataset",
    reads=(*READS, LabelName),
    writes=(SampleRow,),
    run=run,
)

"""shard: Put kept frames, their masks and labels into tars of one split each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from pydantic import Field

from mhmd.blocks import copies
from mhmd.config import Config
from mhmd.entries import FilmEntry, LabelName, SplitEntry
from mhmd.errors import MissingInput
from mhmd.records import Frame, Label, Mask, Record, SampleInfo, SampleRow, Screening, Verdict, columns_of
from mhmd.splits import SPLITS
from mhmd.stage import Stage

if TYPE_CHECKING:
    import pandas as pd

    from mhmd.inputs import Inputs
    from mhmd.sink import DatasetSink
    from mhmd.taxonomy import Taxonomy

MIB = 1 << 20


class ShardConfig(Config):
    """Knobs of `shard`."""

    shard_mb: int = Field(384, ge=1, le=4096, description="A shard is closed when it would grow over this (MiB)")
    seed: int = Field(0, ge=0, description="Order of the samples in a split, which mixes films")
    min_person_share: float = Field(
        0.0, ge=0, le=1, description="Frames with a smaller share of persons stay out, as landscapes do"
    )
    crop_subtitles: bool = Field(
        False, description="Whether burnt-in subtitles are cut off, with all between them and the nearer edge"
    )


def cut(sizes: Sequence[int], limit: int) -> Iterator[range]:
    """Consecutive ranges of positions whose sizes sum to at most `limit`; a larger one stands alone."""
    start, total = 0, 0
    for position, size in enumerate(sizes):
        if position > start and total + size > limit:
            yield range(start, position)
            start, total = position, 0
        total += size
    if len(sizes) > start:
        yield range(start, len(sizes))


def mixed(keys: Sequence[str], seed: int) -> list[int]:
    """Positions of the keys in an order drawn from the seed and each key alone."""
    drawn = [hashlib.sha256(f"{seed}:{key}".encode()).digest() for key in keys]
    return sorted(range(len(keys)), key=drawn.__getitem__)


def assemble(inputs: Inputs, taxonomy: Taxonomy) -> tuple[pd.DataFrame, dict[str, int]]:
    """A row for every kept frame that goes into a shard, and how many of each split were left out.

    Rows have the columns of `SampleInfo`, refs and the subtitles' band, in order of the key. Left out are frames of val
    and test that a film of another split repeats. Raises MissingInput when a table does not cover the frames, or a
    title has no split.
    """
    import pyarrow.compute as pc

    passing = inputs.rows(Screening).filter(pc.field("rejected_by").is_null())
    verdicts = inputs.rows(Verdict, columns=("film_id", "frame_id", "kept", "duplicate_of"))
    if sorted(verdicts["frame_id"].to_pylist()) != sorted(passing["frame_id"].to_pylist()):
        raise _older(Verdict, "are not of the frames that pass screening now")
    geometry = ("width", "height", "crop_x", "crop_y", "crop_w", "crop_h")
    columns = ("film_id", "frame_id", "shot", "time_s", *geometry, "subtitle_band", "ref")
    frames = inputs.rows(Frame, columns=columns).to_pandas()
    kept = verdicts.filter(pc.field("kept"))["frame_id"].to_pandas()
    rows = frames.rename(columns={"ref": "image_ref"}).merge(kept, on="frame_id")
    labels = inputs.rows(Label, columns=("frame_id", "label_id", "era", "nationality", "garment"))
    masks = inputs.rows(Mask, columns=("frame_id", "ref", "parser", "person_share", "clothes_share"))
    rows = rows.merge(labels.to_pandas(), on="frame_id", how="left", validate="one_to_one", indicator="found")
    if (rows.pop("found") != "both").any():
        raise _older(Label, "do not cover all kept frames")
    rows = rows.merge(masks.rename_columns({"ref": "mask_ref"}).to_pandas(), on="frame_id", validate="one_to_one")
    if rows["parser"].nunique() > 1:
        raise _older(Mask, f"are of several parsers: {', '.join(sorted(rows['parser'].unique()))}")
    for attribute in ("era", "nationality", "garment"):
        rows[attribute] = rows[attribute].fillna("")
        ids = {name: taxonomy.attribute_id(attribute, name) for name in rows[attribute].unique()}
        rows[f"{attribute}_id"] = rows[attribute].map(ids)
    films = _splits(inputs)
    rows = rows.merge(films, on="film_id")
    copied = rows["frame_id"].isin(
        copies(verdicts, dict(zip(films["film_id"], films["split"], strict=True))).to_pylist()
    )
    left_out = {split: int((rows["split"] == split)[copied].sum()) for split in SPLITS[1:]}
    rows = rows[~copied].assign(key=rows["frame_id"])
    ordered: pd.DataFrame = rows.sort_values("key", ignore_index=True)
    return ordered, left_out


def _splits(inputs: Inputs) -> pd.DataFrame:
    """Title and split of each film."""
    films: pd.DataFrame = inputs.rows(FilmEntry, columns=("film_id", "title")).to_pandas()
    films = films[films["film_id"].isin(inputs.films)]
    films = films.merge(inputs.rows(SplitEntry, columns=("title", "split")).to_pandas(), on="title", how="left")
    lost = sorted(films.loc[films["split"].isna(), "title"].unique())
    if lost:
        raise MissingInput(
            f"no split for {', '.join(lost)}", wanted="one for every title", do="run `mhmd split` to extend the splits"
        )
    return films


def _older(record: type[Record], how: str) -> MissingInput:
    return MissingInput(
        f"the {record.TABLE} {how}", wanted=f"{record.TABLE} made from them", do=f"run `mhmd {record.STAGE}` again"
    )


def run(inputs: Inputs, config: ShardConfig, sink: DatasetSink) -> None:
    """Assemble the dataset of all films."""

    from mhmd.card import card
    from mhmd.taxonomy import Taxonomy

    taxonomy = Taxonomy.of(inputs.rows(LabelName))
    rows, left_out = assemble(inputs, taxonomy)
    shards: dict[str, list[str]] = {}
    done = 0
    for split in SPLITS:
        part = rows[rows["split"] == split]
        part = part.iloc[mixed(part["key"].tolist(), config.seed)]
        sizes = [_size(image) + _size(mask) for image, mask in zip(part["image_ref"], part["mask_ref"], strict=True)]
        shards[split] = []
        for number, positions in enumerate(cut(sizes, config.shard_mb * MIB)):
            shards[split].append(f"{split}-{number:06d}.tar")
            _write(inputs, sink, shards[split][-1], part.iloc[positions.start : positions.stop], config)
            done += len(positions)
            sink.progress(done, len(rows))
    counts = {split: int((rows["split"] == split).sum()) for split in SPLITS}
    masks = inputs.rows(Mask, columns=("parser", "classes")).slice(0, 1).to_pylist()
    named = inputs.rows(FilmEntry, columns=("film_id", "exclude")).to_pylist()
    excluded = {row["film_id"]: row["exclude"] for row in named if row["exclude"]}
    stats = {
        "samples": counts,
        "shards": shards,
        "parser": masks[0]["parser"] if masks else "",
        "mask_classes": masks[0]["classes"] if masks else [],
        "labels": [[label.era, label.nationality, label.garment] for label in taxonomy.labels],
        "films": list(inputs.films),
        "films_missing": sorted({row["film_id"] for row in named} - set(inputs.films) - excluded.keys()),
        "films_excluded": excluded,
        "copies_left_out": left_out,
    }
    sink.json("stats.json", stats)
    sink.file("README.md", card(rows, stats).encode())


def _write(inputs: Inputs, sink: DatasetSink, shard: str, part: pd.DataFrame, config: ShardConfig) -> None:
    """Write one shard and its rows of `samples.parquet`."""
    from mhmd.sample import Sample, members, without_band

    sink.tar(shard)
    names = [column.field for column in columns_of(SampleInfo)]
    records = []
    rows = zip(*(part[name].tolist() for name in (*names, "image_ref", "mask_ref", "subtitle_band")), strict=True)
    for *row, image_ref, mask_ref, band in rows:
        sample = Sample(inputs.bytes(image_ref), inputs.bytes(mask_ref), SampleInfo(*row))
        if config.crop_subtitles and band is not None:
            sample = without_band(sample, (int(band[0]), int(band[1])))
        for member, data in members(sample):
            sink.put(member, data)
        records.append(SampleRow(**asdict(sample.info), shard=shard))
    sink.rows(records)


def _size(ref: str) -> int:
    return int(ref.rsplit(":", 1)[1])


STAGE = Stage(
    name="shard",
    version=3,
    config=ShardConfig,
    scope="dataset",
    reads=(Frame, Screening, Verdict, Label, Mask, FilmEntry, SplitEntry, LabelName),
    writes=(SampleRow,),
    run=run,
)

"""What a dataset says of itself: tables, indices and texts, all derived from its samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mhmd.dataset.facts import Facts
from mhmd.entries import FilmEntry
from mhmd.records import SampleRow
from mhmd.splits import SPLITS

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.dataset.assemble import Assembled
    from mhmd.dataset.published import Shard
    from mhmd.dataset.sink import DatasetSink
    from mhmd.inputs import Inputs
    from mhmd.taxonomy import Taxonomy


def describe(
    inputs: Inputs,
    sink: DatasetSink,
    taxonomy: Taxonomy,
    rows: pa.Table,
    shards: Sequence[Shard],
    assembled: Assembled,
) -> None:
    """Write everything but the shards and the sums."""
    from mhmd.dataset.card import card
    from mhmd.dataset.croissant import croissant
    from mhmd.dataset.datasheet import datasheet
    from mhmd.storage import schema_of

    facts = _facts(inputs, taxonomy, rows.select(schema_of(SampleRow).names), shards, assembled)
    sink.samples(facts.rows.cast(schema_of(SampleRow)))
    for split in SPLITS:
        if facts.of(split):
            sink.json(f"wids-{split}.json", wids(facts, split))
    sink.json("stats.json", stats(facts))
    sink.file("DATASHEET.md", datasheet(facts).encode())
    sink.file("README.md", card(facts).encode())
    sink.json("croissant.json", croissant(facts, sink.sums))


def stats(facts: Facts) -> dict[str, object]:
    """`stats.json`: what training must know, and what shards were made from."""
    return {
        "samples": {split: facts.samples(split) for split in SPLITS},
        "shards": {split: [shard.name for shard in facts.of(split)] for split in SPLITS},
        "parser": facts.parser,
        "mask_classes": list(facts.mask_classes),
        "labels": [list(names) for names in facts.labels],
        "films": sorted(set(facts.rows["film_id"].unique().to_pylist())),
        "films_missing": list(facts.missing),
        "films_excluded": dict(facts.excluded),
        "left_out": dict(facts.left_out),
        "bytes": {shard.name: shard.size_bytes for shard in facts.shards},
        "made_from": {shard.name: shard.digest for shard in facts.shards},
    }


def wids(facts: Facts, split: str) -> dict[str, object]:
    """The index that `wids.ShardListDataset` reads: random access by the number of a sample."""
    shards = [
        {"url": shard.name, "nsamples": len(shard.offsets) - 1, "filesize": shard.size_bytes}
        for shard in facts.of(split)
    ]
    return {"wids_version": 1, "name": split, "shardlist": shards}


def _facts(inputs: Inputs, taxonomy: Taxonomy, rows: pa.Table, shards: Sequence[Shard], assembled: Assembled) -> Facts:
    films = inputs.rows(FilmEntry)
    named = films["film_id"].to_pylist()
    reasons = zip(named, films["exclude"].to_pylist(), strict=True)
    excluded = {film: reason for film, reason in reasons if reason is not None}
    return Facts(
        rows,
        films,
        tuple(sorted(set(named) - set(inputs.films) - excluded.keys())),
        excluded,
        assembled.left_out,
        shards,
        str(rows["parser"][0].as_py()),
        assembled.mask_classes,
        tuple((label.era, label.nationality, label.garment) for label in taxonomy.labels),
    )

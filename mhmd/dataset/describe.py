"""What a dataset says of itself: tables, indices and texts, all derived from its samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhmd.entries import FilmEntry
from mhmd.records import SampleRow
from mhmd.splits import SPLITS

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.dataset.assemble import Assembled
    from mhmd.dataset.sink import DatasetSink
    from mhmd.dataset.write import Shard
    from mhmd.inputs import Inputs
    from mhmd.taxonomy import Taxonomy


@dataclass(frozen=True)
class Facts:
    """What the texts tell.

    `rows` are those of `samples.parquet`, `films` those of the manifest; `missing` films failed or were not made,
    `left_out` counts frames by the reason they stayed out for.
    """

    rows: pa.Table
    films: pa.Table
    missing: tuple[str, ...]
    excluded: Mapping[str, str]
    left_out: Mapping[str, int]
    shards: Sequence[Shard]
    parser: str
    mask_classes: tuple[str, ...]
    labels: tuple[tuple[str, str, str], ...]

    def of(self, split: str) -> list[Shard]:
        """The shards of a split."""
        return [shard for shard in self.shards if shard.name.startswith(f"{split}-")]

    def samples(self, split: str) -> int:
        """How many samples a split has."""
        return sum(len(shard.offsets) - 1 for shard in self.of(split))


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


def counted(rows: pa.Table, *by: str) -> list[tuple[object, ...]]:
    """How many rows there are of each combination of values, in order of these."""
    found = rows.group_by(list(by)).aggregate([([], "count_all")]).sort_by([(name, "ascending") for name in by])
    return [tuple(row.values()) for row in found.select([*by, "count_all"]).to_pylist()]


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [[str(cell).replace("|", r"\|") for cell in line] for line in (head, ["---"] * len(head), *rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


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

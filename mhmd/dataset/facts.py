"""What the texts of a dataset tell, and how they put it into tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.dataset.published import Shard


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


def absent(facts: Facts) -> str:
    """What is not in the dataset though the manifest names it."""
    excluded = "; ".join(f"{film} ({reason})" for film, reason in sorted(facts.excluded.items())) or "none"
    left_out = "; ".join(f"{count} with {reason}" for reason, count in facts.left_out.items() if count) or "none"
    return (
        f"Films of the manifest that are not in this dataset: {', '.join(facts.missing) or 'none'}.\n"
        f"Films that were excluded: {excluded}.\n"
        f"Kept frames that were left out: {left_out}.\n"
    )


def counted(rows: pa.Table, *by: str) -> list[tuple[object, ...]]:
    """How many rows there are of each combination of values, in order of these."""
    found = rows.group_by(list(by)).aggregate([([], "count_all")]).sort_by([(name, "ascending") for name in by])
    return [tuple(row.values()) for row in found.select([*by, "count_all"]).to_pylist()]


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [[str(cell).replace("|", r"\|") for cell in line] for line in (head, ["---"] * len(head), *rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"

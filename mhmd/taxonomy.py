"""Eras, nationalities, garments, and the labels that they form: MHMD's 42, or those of another file."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from mhmd.entries import LabelName
from mhmd.records import columns_of
from mhmd.resources import resource

if TYPE_CHECKING:
    import pyarrow as pa

ATTRIBUTES = ("era", "nationality", "garment")
"""The attributes that form a label, in the order of the taxonomy's tree."""


@dataclass(frozen=True)
class Taxonomy:
    """The labels in order of their ids, and the names of each attribute in order of first appearance."""

    labels: tuple[LabelName, ...]

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """The taxonomy of rows of `LabelName`, as `mhmd.manifest.read_taxonomy` gives them."""
        names = [column.name for column in columns_of(LabelName)]
        return cls(tuple(LabelName(**row) for row in table.select(names).to_pylist()))

    @cached_property
    def eras(self) -> tuple[str, ...]:
        """Names of the eras; an era's id is its index."""
        return tuple(dict.fromkeys(label.era for label in self.labels))

    @cached_property
    def nationalities(self) -> tuple[str, ...]:
        """Names of the nationalities; a nationality's id is its index."""
        return tuple(dict.fromkeys(label.nationality for label in self.labels))

    @cached_property
    def garments(self) -> tuple[str, ...]:
        """Names of the garments; a garment's id is its index."""
        return tuple(dict.fromkeys(label.garment for label in self.labels))

    @cached_property
    def _ids(self) -> dict[tuple[str | None, str | None, str | None], int]:
        return {(label.era, label.nationality, label.garment): label.label_id for label in self.labels}

    def label_id(self, era: str | None, nationality: str | None, garment: str | None) -> int:
        """Id of the label of three names; -1 when a name is not given, or no label has this combination."""
        return self._ids.get((era, nationality, garment), -1)

    def names(self, attribute: str) -> tuple[str, ...]:
        """All names of one of `ATTRIBUTES`."""
        return {"era": self.eras, "nationality": self.nationalities, "garment": self.garments}[attribute]

    def attribute_id(self, attribute: str, name: str | None) -> int:
        """Index of a name among those of its attribute; -1 when it is not given or none of them."""
        names = self.names(attribute)
        return names.index(name) if name in names else -1

    def nearest(self, attribute: str, name: str) -> str | None:
        """The name that was probably meant, whatever the case of its letters; None when nothing is like it."""
        folded = {known.casefold(): known for known in self.names(attribute)}
        near = get_close_matches(name.strip().casefold(), folded, n=1, cutoff=0.7)
        return folded[near[0]] if near else None

    def no_label(self, era: str, nationality: str, garment: str) -> str:
        """Says that no label has these three names, and which garments their era and nationality do have."""
        garments = [label.garment for label in self.labels if (label.era, label.nationality) == (era, nationality)]
        return f"no label is {era} / {nationality} / {garment}; garments there: {', '.join(garments) or 'none'}"


def load_taxonomy(path: str | Path | None = None) -> Taxonomy:
    """The taxonomy of a Parquet or CSV file with the columns of `LabelName`; without a path MHMD's 42 labels.

    Raises ManifestError as `mhmd.manifest.read_taxonomy` does.
    """
    from mhmd.manifest import read_taxonomy

    return Taxonomy.of(read_taxonomy(path or resource("manifests/labels.parquet")))

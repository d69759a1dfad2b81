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


SPELLINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "era": {
        "Before WWII": (
            "pre-war", "before the war", "before WW2", "pre-WWII", "pre-WW2", "before World War II",
            "before the Second World War",
        ),
        "During WWII": (
            "wartime", "WWII", "WW2", "during WW2", "during the war", "World War II", "during World War II",
            "Second World War", "during the Second World War",
        ),
        "After WWII": (
            "post-war", "after the war", "after WW2", "post-WWII", "post-WW2", "after World War II",
            "after the Second World War",
        ),
    },
    "nationality": {
        "China": ("Chinese", "CN", "PRC"),
        "America": ("American", "US", "U.S.", "USA", "U.S.A.", "United States"),
        "Germany": ("German", "DE"),
        "Russia": ("Russian", "USSR", "Soviet", "Soviet Union", "RU"),
        "Britain and France": (
            "Britain & France", "Britain/France", "Britain, France", "France and Britain", "Britain", "British",
            "UK", "United Kingdom", "Great Britain", "England", "English", "France", "French",
        ),
        "Japan": ("Japanese", "JP"),
    },
    "garment": {
        "communist uniform": ("communist", "communist military uniform"),
        "national military uniform": ("national uniform", "nationalist uniform", "nationalist military uniform"),
        "military uniform": ("military", "military uniforms"),
        "formal": ("formal clothes", "formal clothing", "formal dress", "formal wear"),
        "non-formal": ("informal", "non-formal clothes", "non-formal clothing", "informal clothes"),
    },
}  # fmt: skip
"""Other spellings of MHMD's names that are taken for them; case, blanks, hyphens and underscores count for nothing.

Britain and France are one nationality there, so each alone is taken for both.
"""


def folded(name: str) -> str:
    """What is left of a name when case, blanks, hyphens and underscores count for nothing."""
    return "".join(name.replace("-", " ").replace("_", " ").casefold().split())


@dataclass(frozen=True)
class Taxonomy:
    """The labels in order of their ids, and the names of each attribute in order of first appearance."""

    labels: tuple[LabelName, ...]

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """The taxonomy of rows of `LabelName`, as `mhmd.manifest.read.read_taxonomy` gives them."""
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

    def canonical(self, attribute: str, name: str) -> str | None:
        """The taxonomy's own spelling of a name, by `folded` and `SPELLINGS`; None for anything else."""
        return self._spellings[attribute].get(folded(name))

    def nearest(self, attribute: str, name: str) -> str | None:
        """The name that was probably meant; None when nothing is like it."""
        spellings = self._spellings[attribute]
        near = get_close_matches(folded(name), spellings, n=1, cutoff=0.7)
        return spellings[near[0]] if near else None

    @cached_property
    def _spellings(self) -> dict[str, dict[str, str]]:
        """The own spelling of each folded one, by attribute; the taxonomy's own names win over `SPELLINGS`."""
        found: dict[str, dict[str, str]] = {}
        for attribute in ATTRIBUTES:
            names = self.names(attribute)
            others = {folded(other): name for name in names for other in SPELLINGS[attribute].get(name, ())}
            found[attribute] = others | {folded(name): name for name in names}
        return found

    def fits(self, era: str | None, nationality: str | None, garment: str | None) -> bool:
        """Whether any label has these names; one that is not given may be any."""
        given = (era, nationality, garment)
        labels = ((label.era, label.nationality, label.garment) for label in self.labels)
        return any(all(name in (None, own) for name, own in zip(given, label, strict=True)) for label in labels)

    def no_label(self, era: str | None, nationality: str | None, garment: str | None) -> str:
        """Says that no label has these names, and which garments their era and nationality do have."""
        garments = [
            label.garment
            for label in self.labels
            if era in (None, label.era) and nationality in (None, label.nationality)
        ]
        said = " / ".join(name or "any" for name in (era, nationality, garment))
        return f"no label is {said}; garments there: {', '.join(dict.fromkeys(garments)) or 'none'}"


def load_taxonomy(path: str | Path | None = None) -> Taxonomy:
    """The taxonomy of a Parquet or CSV file with the columns of `LabelName`; without a path MHMD's 42 labels.

    Raises ManifestError as `mhmd.manifest.read.read_taxonomy` does.
    """
    from mhmd.manifest.read import read_taxonomy

    return Taxonomy.of(read_taxonomy(path or resource("manifests/labels.parquet")))

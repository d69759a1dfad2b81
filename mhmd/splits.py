"""Dealing titles to train, val and test: a title never lies in two splits, and never moves once dealt."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from mhmd.config import Config
from mhmd.errors import ManifestError

if TYPE_CHECKING:
    import pyarrow as pa

SPLITS = ("train", "val", "test")
_FIRST_SERVED = ("train", "test", "val")


class SplitConfig(Config):
    """How new titles are dealt; what is left of 1 is train's share."""

    seed: int = Field(0, ge=0, description="another seed deals new titles in another order")
    val_share: float = Field(0.1, ge=0, lt=1, description="share of titles that go to val; 0 leaves val out")
    test_share: float = Field(0.1, ge=0, lt=1, description="share of titles that go to test; 0 leaves test out")

    @model_validator(mode="after")
    def _train_gets_some(self) -> Self:
        if self.val_share + self.test_share >= 1:
            raise ValueError("val_share + test_share below 1, so that train gets titles")
        return self

    @property
    def shares(self) -> dict[str, float]:
        """Share of titles a split, summing to 1."""
        return {"train": 1 - self.val_share - self.test_share, "val": self.val_share, "test": self.test_share}


def forced_splits(films: pa.Table) -> dict[str, str]:
    """Title → split of every title that a film of the films manifest forces into one.

    Raises ManifestError when films of one title name different splits.
    """
    rows = films.select(["title", "split"]).to_pandas().dropna(subset="split").drop_duplicates()
    torn = rows[rows.duplicated("title", keep=False)].sort_values(["title", "split"])
    if len(torn):
        found = "; ".join(f"{title!r}: {', '.join(of.split)}" for title, of in torn.groupby("title"))
        raise ManifestError(
            f"the films manifest forces titles into several splits: {found}",
            wanted="one split a title",
            do="give all films of the title the same split",
        )
    return dict(zip(rows.title, rows.split, strict=True))


def deal(
    titles: Sequence[str], *, forced: Mapping[str, str], existing: Mapping[str, str], config: SplitConfig
) -> dict[str, str]:
    """Title → split of every title of `titles` and `existing`, sorted by title.

    `existing` never moves and `forced` wins over dealing. The others are dealt in an order that only the seed and
    their own names decide: first one to every split that has a share and no title yet (train, then test, then val:
    so one title gives train, two give train and test), then always to the split that is furthest below its share.

    Raises ManifestError when a title is forced out of the split it already has.
    """
    _refuse_moves(forced, existing)
    present = set(titles)
    split_of = {**existing, **{title: split for title, split in forced.items() if title in present}}
    open_splits = [split for split in _FIRST_SERVED if config.shares[split] > 0]
    counts = {split: sum(split_of.get(title) == split for title in present) for split in SPLITS}
    for title in sorted(present - split_of.keys(), key=lambda title: _lot(config.seed, title)):
        empty = [split for split in open_splits if counts[split] == 0]
        missing = {split: config.shares[split] * len(present) - counts[split] for split in open_splits}
        split = empty[0] if empty else max(open_splits, key=missing.__getitem__)
        split_of[title] = split
        counts[split] += 1
    return dict(sorted(split_of.items()))


def _refuse_moves(forced: Mapping[str, str], existing: Mapping[str, str]) -> None:
    moved = [title for title in sorted(forced) if existing.get(title, forced[title]) != forced[title]]
    if moved:
        found = "; ".join(f"{title!r} is in {existing[title]} and forced to {forced[title]}" for title in moved)
        raise ManifestError(
            found,
            wanted="titles that stay in the split they were dealt",
            do="change the films manifest's split, or take the title's row out of the splits manifest",
        )


def _lot(seed: int, title: str) -> str:
    return hashlib.sha256(f"{seed}\0{title}".encode()).hexdigest()

"""Dealing titles to train, val and test: a title never lies in two splits, and never moves once dealt.

What is dealt are blocks: titles that belong together (`mhmd.splits.blocks`). The order is drawn from the seed and the
titles' names alone, larger blocks first. Then
1. train gets blocks until it has every label, the label that fewest blocks have first, and of its blocks the one with
   most labels that are wanted;
2. test and val in turn get blocks likewise as long as they have room, whichever is further below its share;
3. the others go to a split that has none yet (train, test, val) or that is furthest below its share.
As long as there are blocks enough, every split that has a share gets one.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from mhmd.config import Config
from mhmd.errors import ManifestError
from mhmd.splits import SPLITS, plain
from mhmd.splits.blocks import Link, blocks_of, refuse_torn

if TYPE_CHECKING:
    import pyarrow as pa

_FIRST_SERVED = ("train", "test", "val")


class SplitConfig(Config):
    """How new titles are dealt; what is left of 1 is train's share."""

    seed: int = Field(0, ge=0, description="another seed deals new titles in another order")
    val_share: float = Field(0.1, ge=0, lt=1, description="share of titles that go to val; 0 leaves val out")
    test_share: float = Field(0.1, ge=0, lt=1, description="share of titles that go to test; 0 leaves test out")

    max_shared: int = Field(
        50, ge=0, description="titles that share more near-duplicate frames than this are dealt as one (frames)"
    )

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
    named: dict[str, set[str]] = {}
    for title, split in zip(films["title"].to_pylist(), films["split"].to_pylist(), strict=True):
        if split is not None:
            named.setdefault(title, set()).add(split)
    several = {title: splits for title, splits in sorted(named.items()) if len(splits) > 1}
    if several:
        found = "; ".join(f"{title!r}: {', '.join(sorted(splits))}" for title, splits in several.items())
        raise ManifestError(
            f"the films manifest forces titles into several splits: {found}",
            wanted="one split a title",
            do="give all films of the title the same split",
        )
    return {title: splits.pop() for title, splits in named.items()}


def deal(
    titles: Sequence[str],
    *,
    forced: Mapping[str, str],
    existing: Mapping[str, str],
    config: SplitConfig,
    links: Sequence[Link] = (),
    labels: Mapping[str, frozenset[int]] = MappingProxyType({}),
) -> dict[str, str]:
    """Title → split of every title of `titles` and `existing`, sorted by title.

    `existing` never moves, `forced` wins over dealing, and a title that `links` join to one of these follows it. The
    others are dealt as the module says; `labels` are those that frames of a title have.

    Raises ManifestError when a title is forced out of the split it already has, or links join titles of two splits.
    """
    _refuse_moves(forced, existing)
    present = set(titles)
    split_of = {**existing, **{title: split for title, split in forced.items() if title in present}}
    blocks = blocks_of(present, links)
    refuse_torn(blocks, links, split_of)
    free = []
    for block in blocks:
        known = {split_of[title] for title in block if title in split_of}
        if known:
            split_of |= dict.fromkeys(block, known.pop())
        else:
            free.append(block)
    free.sort(key=lambda block: (-len(block), min(_lot(config.seed, title) for title in block)))
    table = _Table(config, present, split_of, labels, free)
    table.deal()
    return dict(sorted(table.split_of.items()))


class _Table:
    """Blocks on their way into splits."""

    def __init__(
        self,
        config: SplitConfig,
        present: Collection[str],
        split_of: dict[str, str],
        labels: Mapping[str, frozenset[int]],
        free: list[tuple[str, ...]],
    ) -> None:
        self.split_of = split_of
        self._free = free
        self._open = [split for split in _FIRST_SERVED if config.shares[split] > 0]
        self._wanted = {split: config.shares[split] * len(present) for split in self._open}
        self._counts = {split: sum(split_of.get(title) == split for title in present) for split in SPLITS}
        self._labels = labels
        self._has = {
            split: {label for title in present if split_of.get(title) == split for label in labels.get(title, ())}
            for split in SPLITS
        }

    def deal(self) -> None:
        """Deal all blocks."""
        if "train" in self._open:
            while self._spare("train") and (block := self._covering("train")):
                self._give(block, "train")
        while choices := [each for split in self._open if split != "train" and (each := self._next(split))]:
            self._give(*max(choices, key=lambda choice: self._missing(choice[1])))
        while self._free:
            block = self._free[0]
            empty = [split for split in self._open if self._counts[split] == 0]
            fits = [split for split in empty if len(block) <= max(1, self._wanted[split])]
            must = empty if len(self._free) <= len(empty) else fits
            self._give(block, must[0] if must else max(self._open, key=self._missing))

    def _next(self, split: str) -> tuple[tuple[str, ...], str] | None:
        """The block that this split should have for its labels, if it has room for one."""
        block = self._covering(split) if self._spare(split) else None
        room = max(1, round(self._wanted[split])) - self._counts[split]
        return (block, split) if block and len(block) <= room else None

    def _covering(self, split: str) -> tuple[str, ...] | None:
        """Of the blocks with the rarest label that a split lacks, the one with most labels that it lacks."""
        lacking = {block: self._of(block) - self._has[split] for block in self._free}
        blocks_with = Counter(label for labels in lacking.values() for label in labels)
        if not blocks_with:
            return None
        rarest = min(blocks_with, key=lambda label: (blocks_with[label], label))
        return max((block for block in self._free if rarest in lacking[block]), key=lambda block: len(lacking[block]))

    def _spare(self, split: str) -> bool:
        """Whether a block for this split leaves one for every other split that has none."""
        others = sum(self._counts[other] == 0 for other in self._open if other != split)
        return len(self._free) > others or (bool(self._free) and split == "train" and not self._counts["train"])

    def _give(self, block: tuple[str, ...], split: str) -> None:
        self._free.remove(block)
        self.split_of |= dict.fromkeys(block, split)
        self._counts[split] += len(block)
        self._has[split] |= self._of(block)

    def _missing(self, split: str) -> float:
        return self._wanted[split] - self._counts[split]

    def _of(self, block: tuple[str, ...]) -> frozenset[int]:
        return frozenset(label for title in block for label in self._labels.get(title, ()))


def _refuse_moves(forced: Mapping[str, str], existing: Mapping[str, str]) -> None:
    moved = [title for title in sorted(forced) if existing.get(title, forced[title]) != forced[title]]
    if moved:
        found = "; ".join(f"{title!r} is in {existing[title]} and forced to {forced[title]}" for title in moved)
        raise ManifestError(
            found,
            wanted="titles that stay in the split they were dealt",
            do="change the films manifest's split, or take the title's row out of the splits manifest",
        )


def refuse_respelt(titles: Sequence[str], existing: Mapping[str, str]) -> None:
    """Raise ManifestError for titles that the splits manifest has in another spelling: they would be dealt anew."""
    spelt = {plain(title): title for title in existing}
    other = [title for title in titles if title not in existing and plain(title) in spelt]
    if other:
        found = "; ".join(f"{title!r} is {spelt[plain(title)]!r} in the splits manifest" for title in other)
        raise ManifestError(found, wanted="one spelling of a title", do="write it alike in both manifests")


def _lot(seed: int, title: str) -> str:
    return hashlib.sha256(f"{seed}\0{title}".encode()).hexdigest()

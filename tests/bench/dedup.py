"""How fast dedup is, how much memory it takes, and how well it tells copies from other pictures."""

from __future__ import annotations

from pathlib import Path

from tests.bench import dedup_accuracy, dedup_speed


def bench(films: Path | None = None) -> None:
    """The join beside faiss, its growth, the whole stage; with `films` also its accuracy, beside imagededup."""
    dedup_speed.bench()
    if films is not None:
        dedup_accuracy.bench(films)

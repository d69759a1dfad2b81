"""All stages of a recipe in order, and the splits manifest between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mhmd.dataset.published import refuse_foreign
from mhmd.entries import FilmEntry, LabelEntry, LabelName
from mhmd.errors import MissingInput, UsageError
from mhmd.execute import Watchdog
from mhmd.inputs import read_manifest
from mhmd.make import Made, Report, make, out_of
from mhmd.recipe import Recipe
from mhmd.splits import SplitConfig, deal, forced_splits
from mhmd.stage import AnyStage, Where
from mhmd.stages import ORDER, stage


@dataclass(frozen=True, slots=True)
class How:
    """How units are made; none of it changes what is made."""

    on: str = "processes"
    workers: int = 1
    watchdog: Watchdog = field(default_factory=Watchdog)


def build(
    recipe: Recipe, where: Where, how: How, *, to: str = "shard", limit: int = 0, begin: Callable[[AnyStage], Report]
) -> Iterator[Made]:
    """Make the stages of a recipe up to `to`, each for the films that did not fail before.

    `limit` takes no more than so many films (0 = all), the first by name. `begin` is called with each stage and gives
    what its events are reported to. Raises MissingInput when no film is left.
    """
    from mhmd.storage import Storage

    where = replace(where, splits=where.splits or _splits_of(where.data))
    for manifest in (FilmEntry, LabelName, LabelEntry):
        read_manifest(manifest, where.absolute())  # what is wrong with them is said before hours of work
    if to == "shard":
        refuse_foreign(Storage(out_of(where.absolute())))
    films: tuple[str, ...] | None = None
    for name in ORDER[: ORDER.index(to) + 1]:
        verb = stage(name)
        if name == "shard":
            split(where, recipe.knobs("split", SplitConfig))
        made = make(
            verb,
            recipe.knobs(name, verb.config),
            where,
            only=films,
            limit=limit,
            on=how.on,
            workers=how.workers,
            watchdog=how.watchdog,
            report=begin(verb),
        )
        yield made
        lost = {outcome.unit for outcome in made.failed}
        films = tuple(film for film in made.films if film not in lost) if verb.scope == "film" else made.films
        if not films or (verb.scope != "film" and lost):
            raise MissingInput(
                f"{name} failed for {'every film' if not films else 'the corpus'}",
                wanted="something to go on with",
                do="mend what the errors above say and run the same command again",
            )


def _splits_of(data: str) -> str:
    if "://" in data:
        raise UsageError(f"no splits manifest for {data}", wanted="a local file", do="name it with --splits FILE")
    return str(Path(data) / "splits.parquet")


def split(where: Where, config: SplitConfig) -> dict[str, str]:
    """Make or extend the splits manifest for the titles of the films manifest; title → split of all of it.

    Raises ManifestError when the films manifest forces a title out of the split that it has.
    """
    from mhmd.manifest import read_splits, write_splits

    films = read_manifest(FilmEntry, where)
    existing: dict[str, str] = {}
    if Path(where.splits).exists():
        rows = read_splits(where.splits)
        existing = dict(zip(rows["title"].to_pylist(), rows["split"].to_pylist(), strict=True))
    titles = films["title"].unique().to_pylist()
    dealt = deal(titles, forced=forced_splits(films), existing=existing, config=config)
    if dealt != existing:
        write_splits(where.splits, dealt)
    return dealt

"""All stages of a recipe in order, and the splits manifest between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mhmd.dataset.published import refuse_foreign
from mhmd.entries import FilmEntry, LabelEntry
from mhmd.errors import MissingInput, UsageError
from mhmd.execute import Watchdog
from mhmd.make import Made, Report, make, out_of
from mhmd.manifest.named import known_films, read_manifest
from mhmd.recipe import Recipe
from mhmd.splits import SPLITS
from mhmd.splits.deal import SplitConfig, deal, forced_splits, refuse_respelt
from mhmd.splits.titles import blindness, labels_of_titles, links_of_titles
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
    _check_manifests(where.absolute())  # what is wrong with them is said before hours of work
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


def _check_manifests(where: Where) -> None:
    from mhmd.labels.join import unknown_films
    from mhmd.manifest.tabular import refuse
    from mhmd.storage import Storage

    labels = read_manifest(LabelEntry, where)
    refuse(where.labels, unknown_films(labels, known_films(where, Storage(where.data))))


def _splits_of(data: str) -> str:
    if "://" in data:
        raise UsageError(f"no splits manifest for {data}", wanted="a local file", do="name it with --splits FILE")
    return str(Path(data) / "splits.parquet")


@dataclass(frozen=True, slots=True)
class Dealt:
    """The splits manifest as it is now: title → split; the labels of the titles of the films manifest; a remark."""

    split_of: dict[str, str]
    labels: dict[str, frozenset[int]]
    remark: str = ""

    def coverage(self) -> list[tuple[str, int, int]]:
        """Rows of a split, how many titles it has, and how many labels they have."""
        rows = []
        for split in SPLITS:
            titles = [title for title, of in self.split_of.items() if of == split]
            rows.append(
                (split, len(titles), len(frozenset().union(*(self.labels.get(t, frozenset()) for t in titles))))
            )
        return rows


def split(where: Where, config: SplitConfig) -> Dealt:
    """Make or extend the splits manifest for the titles of the films manifest that are not excluded.

    The workspace says which titles share frames and which labels they have; without one (empty `data`), and for films
    that dedup has not seen, groups alone count, and the remark says so. Raises MissingInput when the workspace is not
    there, ManifestError when titles that belong together are in several splits already; nothing is written then.
    """
    from mhmd.manifest.read import read_splits, write_splits

    where = where.absolute()
    films = read_manifest(FilmEntry, where)
    films = films.filter(films["exclude"].is_null())
    remark = blindness(where.data, films)
    old = read_splits(where.splits) if Path(where.splits).exists() else None
    existing = {} if old is None else dict(zip(old["title"].to_pylist(), old["split"].to_pylist(), strict=True))
    refuse_respelt(films["title"].unique().to_pylist(), existing)
    labels = labels_of_titles(where.data, films)
    dealt = deal(
        films["title"].unique().to_pylist(),
        forced=forced_splits(films),
        existing=existing,
        config=config,
        links=links_of_titles(where.data, films, config.max_shared),
        labels=labels,
    )
    if dealt != existing:
        write_splits(where.splits, dealt, old)
    return Dealt(dealt, labels, remark)

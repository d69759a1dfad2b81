"""All stages of a recipe in order, and the splits manifest between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mhmd.dataset.published import refuse_foreign
from mhmd.entries import FilmEntry, LabelEntry, LabelName, SplitEntry
from mhmd.errors import MissingInput, UsageError
from mhmd.execute import Watchdog
from mhmd.make import Made, Report, add_check, make
from mhmd.manifest.named import faults_of, read_manifest
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
    _check_manifests(where.absolute(), to)  # what is wrong with them is said before hours of work
    if to == "shard":
        refuse_foreign(Storage(where.absolute().dataset()))
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


def _check_manifests(where: Where, to: str) -> None:
    """Raise ManifestError telling what is wrong with the manifests, as far as they tell it by themselves."""
    from mhmd.storage import Storage

    label = stage("label")
    splits = {SplitEntry} if to == "shard" and Path(where.splits).exists() else set()
    faults = faults_of({FilmEntry, LabelEntry, LabelName, *splits}, where)
    add_check(faults, label, where, Storage(where.data), films=())
    faults.refuse()


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
    there, UsageError when both manifests are one file, ManifestError when titles that belong together are in several
    splits already; nothing is written then.
    """
    from mhmd.manifest.read import write_splits

    where = where.absolute()
    there = Path(where.splits).exists()
    faults_of({FilmEntry, SplitEntry} if there else {FilmEntry}, where).refuse()
    films = read_manifest(FilmEntry, where)
    if there and Path(where.splits).samefile(where.films):
        raise UsageError(f"--splits {where.splits} is the films manifest", wanted="a file of its own", do="name it")
    films = films.filter(films["exclude"].is_null())
    remark = blindness(where.data, films)
    old = read_manifest(SplitEntry, where) if there else None
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

"""Where a workspace stands: each film at each stage, and one frame in all tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mhmd.entries import FilmEntry, LabelEntry
from mhmd.errors import MissingInput, UnitError
from mhmd.fresh import is_fresh
from mhmd.inputs import table_path
from mhmd.manifest.named import read_manifest
from mhmd.recipe import Recipe
from mhmd.records import STORED, Failure, Film, Frame, Mask, Record, Screening, columns_of
from mhmd.stage import AnyStage, Where
from mhmd.stages import ORDER, stage
from mhmd.stages.screen import MONOCHROME
from mhmd.units import films_of, worked_on

State = Literal["fresh", "stale", "made", "failed", "-", "excluded"]
"""Made of what is there now · of something else · of what cannot be told without the manifests · failed · not made ·
excluded by the films manifest, so that no stage works on it."""


@dataclass(frozen=True, slots=True)
class FilmStatus:
    """One film's state at each stage, in the order of `stages`."""

    film_id: str
    states: tuple[State, ...]


WORKSPACE_STAGES = tuple(name for name in ORDER if name != "shard")


def status(recipe: Recipe, where: Where) -> list[FilmStatus]:
    """The state of every film of the manifest and of the workspace at each stage of `WORKSPACE_STAGES`."""
    from mhmd.storage import Storage

    where = where.absolute()
    storage = Storage(where.data)
    films = set(storage.names(Frame.TABLE, ".parquet"))
    named = set(read_manifest(FilmEntry, where)["film_id"].to_pylist()) if where.films else films
    if not films | named:
        raise MissingInput(f"no film in {where.data}", wanted="a workspace", do="run `mhmd extract` first")
    excluded = named - worked_on(where) if where.films else set()
    failed = {name: set(storage.names(f"{Failure.TABLE}/{name}", ".parquet")) for name in ORDER}

    def state(verb: AnyStage, film: str) -> State:
        if film in excluded:
            return "excluded"
        if film in failed[verb.name]:
            return "failed"
        if not storage.exists(table_path(verb.writes[-1], film)):
            return "-"
        if film not in named or (verb.film and not where.films) or (LabelEntry in verb.reads and not where.labels):
            return "made"
        try:
            corpus = films_of(verb, where, storage)
            knobs = recipe.knobs(verb.name, verb.config)
            return "fresh" if is_fresh(verb, knobs, where, storage, film, corpus) else "stale"
        except (MissingInput, UnitError):
            return "stale"

    verbs = [stage(name) for name in WORKSPACE_STAGES]
    return [FilmStatus(film, tuple(state(verb, film) for verb in verbs)) for film in sorted(films | named)]


def findings(data: str) -> list[str]:
    """What a workspace's tables say of its films as a whole, a line each: colours that were guessed, and screening.

    Films that are monochrome throughout are named instead of counted frame by frame.
    """
    from collections import Counter

    from mhmd.storage import Storage

    storage = Storage(data)

    def counted(record: type[Record], name: str) -> dict[str, Counter[str | None]]:
        """How often each value of a column stands in the table of each film."""
        counts = {
            film: storage.table(table_path(record, film), [name])[name].value_counts().to_pylist()
            for film in storage.names(record.TABLE, ".parquet")
        }
        return {film: Counter({of["values"]: of["counts"] for of in found}) for film, found in counts.items()}

    guessed = [film for film, sources in counted(Film, "matrix_source").items() if sources["guessed"]]
    screened = counted(Screening, "rejected_by")
    monochrome = [film for film, counts in screened.items() if counts[MONOCHROME]]
    total: Counter[str | None] = sum(screened.values(), Counter())
    told = [
        ("films whose colour matrix was guessed", guessed, "the manifest's color_matrix overrides"),
        ("films monochrome throughout", monochrome, f"{total.pop(MONOCHROME, 0)} frames"),
    ]
    lines = [f"{what}: {len(films)} ({', '.join(films)}); {more}" for what, films, more in told if films]
    if screened:
        passing = total.pop(None, 0)
        counts = ", ".join(f"{count} {rule}" for rule, count in sorted(total.items(), key=lambda item: str(item[0])))
        lines.append(f"frames screened: {passing} pass; rejected: {counts or 'none'}")
    return lines


def show(data: str, frame_id: str) -> dict[str, dict[str, Any]]:
    """What each table of a workspace says of a frame: table → column → value. Raises MissingInput."""
    import pyarrow.compute as pc

    from mhmd.storage import Storage

    storage = Storage(data)
    film = frame_id.rpartition("_")[0]
    found: dict[str, dict[str, Any]] = {}
    for record in STORED:
        name = table_path(record, film)
        if "frame_id" in {column.name for column in columns_of(record)} and storage.exists(name):
            rows = storage.table(name).filter(pc.field("frame_id") == frame_id).to_pylist()
            if rows:
                found[record.TABLE] = {
                    column: value.hex() if isinstance(value, bytes) else value for column, value in rows[0].items()
                }
    if not found:
        raise MissingInput(
            f"no frame {frame_id!r} in {data}", wanted="a frame_id of its frames tables", do="look into DATA/frames"
        )
    return found


def pictures(data: str, found: dict[str, dict[str, Any]]) -> dict[str, bytes]:
    """The stored bytes of a shown frame: `.jpg`, and `.mask.png` when it has a mask."""
    from mhmd.storage import Storage

    storage = Storage(data)
    suffixes = {Frame.TABLE: ".jpg", Mask.TABLE: ".mask.png"}
    refs = {suffix: found[table]["ref"].rsplit(":", 2) for table, suffix in suffixes.items() if table in found}
    return {suffix: storage.read(name, int(offset), int(size)) for suffix, (name, offset, size) in refs.items()}

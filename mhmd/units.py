"""The films that a stage works on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mhmd.entries import FilmEntry
from mhmd.errors import MissingInput
from mhmd.manifest.named import checked
from mhmd.records import STORED, Failure
from mhmd.stage import AnyStage, Where

if TYPE_CHECKING:
    from mhmd.storage import Storage


def films_of(stage: AnyStage, where: Where, storage: Storage, only: Sequence[str] | None = None) -> tuple[str, ...]:
    """The films that a stage works on, sorted.

    For a stage that reads films those of the manifest that it does not exclude; for the others those with rows of what
    it reads first, of the manifest where one is named, not excluded, without those that failed before: their rows are
    of another time. Raises MissingInput when there are none, or when `only` names others.
    """
    if stage.film:
        there = worked_on(where)
        source = f"the films manifest {where.films}"
    else:
        stored = [record for record in stage.reads if record in STORED]
        there = set(storage.names(stored[0].TABLE, ".parquet"))
        source = f"{where.data}/{stored[0].TABLE}"
        if where.films:
            there &= worked_on(where)
        for record in stored:
            there -= _failed(storage, record.STAGE)
        if not there:
            raise MissingInput(
                f"{source} has no rows of any film",
                wanted=f"what `mhmd {stored[0].STAGE}` makes",
                do=f"run `mhmd {stored[0].STAGE}` first",
            )
    unknown = sorted(set(only or ()) - there)
    if unknown:
        raise MissingInput(
            f"{', '.join(unknown)} not in {source}", wanted="films that are there", do="see `mhmd status`"
        )
    return tuple(sorted(there if only is None else set(only)))


def worked_on(where: Where) -> set[str]:
    """The films of the films manifest that it does not exclude, whatever is wrong with its rows."""
    rows = checked(FilmEntry, where).table
    named = zip(*(rows[name].to_pylist() for name in ("film_id", "exclude")), strict=True)
    return {film for film, why in named if film and not why}


def _failed(storage: Storage, stage: str) -> set[str]:
    """The units of a stage that failed as a whole."""
    units = storage.names(f"{Failure.TABLE}/{stage}", ".parquet")
    tables = {unit: storage.table(f"{Failure.TABLE}/{stage}/{unit}.parquet") for unit in units}
    return {unit for unit, of in tables.items() if "frame_id" not in of.column_names or of["frame_id"].null_count}

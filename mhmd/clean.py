"""Removing from a workspace what nothing needs: tables of excluded films, and tars that no table points into."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mhmd.entries import FilmEntry
from mhmd.inputs import table_path
from mhmd.manifest.named import read_manifest
from mhmd.records import STORED, Failure, Frame, Mask
from mhmd.stage import Where

if TYPE_CHECKING:
    from mhmd.storage import Storage

FOLDERS = (Frame.TABLE, Mask.TABLE)
"""Where tars lie."""

TAR = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Waste:
    """A file of a workspace that may go, and its size."""

    name: str
    size_bytes: int
    why: str


def waste(where: Where) -> list[Waste]:
    """What may be removed from a workspace: first the tables of films that the films manifest excludes, then the tars.

    Only tars named by a hash in `FOLDERS` are looked at, and only those that no remaining table points into. Without a
    films manifest no film is excluded. Raises StorageError when any table cannot be read: it might point into a tar.
    """
    from mhmd.storage import Storage

    where = where.absolute()
    storage = Storage(where.data)
    excluded: dict[str, str] = {}
    if where.films:
        rows = read_manifest(FilmEntry, where).select(["film_id", "exclude"]).to_pylist()
        excluded = {row["film_id"]: row["exclude"] for row in rows if row["exclude"]}
    found = [
        Waste(name, storage.size(name) or 0, f"{film} is excluded: {why}")
        for film, why in sorted(excluded.items())
        for name in _tables_of(storage, film)
    ]
    gone = {each.name for each in found}
    needed = {tar for folder in FOLDERS for tar in _needed(storage, folder, gone)}
    for folder in FOLDERS:
        for tar in storage.names(folder, ".tar"):
            name = f"{folder}/{tar}.tar"
            if TAR.fullmatch(tar) and name not in needed:
                found.append(Waste(name, storage.size(name) or 0, "no table points into it"))
    return found


def clean(data: str, found: list[Waste]) -> None:
    """Remove what `waste` found, in its order: tables before the tars that they point into."""
    from mhmd.storage import Storage

    storage = Storage(data)
    for each in found:
        storage.remove(each.name)


def _tables_of(storage: Storage, film: str) -> list[str]:
    names = [table_path(record, film) for record in STORED if record is not Failure]
    names += [f"{Failure.TABLE}/{stage}/{film}.parquet" for stage in sorted({record.STAGE for record in STORED} - {""})]
    return [name for name in names if storage.exists(name)]


def _needed(storage: Storage, folder: str, gone: set[str]) -> set[str]:
    """The tars that the tables of a folder point into, by stamp or by ref, but for tables that are gone."""
    import pyarrow.compute as pc

    needed: set[str] = set()
    for film in storage.names(folder, ".parquet"):
        name = f"{folder}/{film}.parquet"
        if name not in gone:
            refs = storage.table(name, ("ref",))["ref"].combine_chunks()
            needed |= set(pc.replace_substring_regex(refs, ":[0-9]+:[0-9]+$", "").unique().to_pylist())
            stamp = storage.stamp(name)
            needed |= {stamp.tar} if stamp else set()
    return needed

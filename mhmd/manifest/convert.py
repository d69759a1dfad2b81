"""A manifest of either format into one of the other, checked on the way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.entries import MANIFESTS, FilmEntry, LabelEntry, LabelName, SplitEntry
from mhmd.errors import ManifestError, UsageError
from mhmd.manifest.tabular import ROW, load
from mhmd.records import Record, columns_of

if TYPE_CHECKING:
    import pyarrow as pa


def convert(source: Path, target: Path, taxonomy: str = "") -> tuple[str, int]:
    """Write a films, labels or splits manifest, or a taxonomy, as Parquet or CSV; what it is, and how many rows.

    Relative paths of films go on meaning the same files: they stay relative where the target's folder holds them. An
    empty taxonomy is that of MHMD. Rows of labels that nobody filled stay. An older manifest of the same kind is
    replaced. Raises UsageError when the target is the source or something else, ManifestError when the source is no
    manifest or anything in it is wrong; nothing is written then.
    """
    from mhmd.manifest.read import read_films, read_labels, read_splits, read_taxonomy, write_manifest
    from mhmd.resources import resource

    record = kind_of(source)
    _refuse_target(source, target, record)
    if record is FilmEntry:
        table = _portable(read_films(source), target.absolute().parent)
    elif record is LabelEntry:
        names = read_taxonomy(taxonomy or resource("manifests/labels.parquet"))
        table = read_labels(source, names, unfilled=True)
        table = table.drop_columns([ROW])
    else:
        table = {SplitEntry: read_splits, LabelName: read_taxonomy}[record](source)
    empty = [
        column.name for column in columns_of(record) if column.null and table[column.name].null_count == len(table)
    ]
    write_manifest(target, table.drop_columns(empty))
    return record.TABLE, len(table)


def kind_of(path: Path) -> type[Record]:
    """Which manifest a file is, by its columns. Raises ManifestError when it is none, or cannot be read."""
    known = {column.name for record in MANIFESTS for column in columns_of(record)}
    names = set(load(path, known)[0].column_names)
    for record, telling in (
        (LabelName, {"label_id", "era", "nationality", "garment"}),
        (FilmEntry, {"film_id", "path"}),
        (LabelEntry, {"film_id", "era"}),
        (LabelEntry, {"film_id", "nationality"}),
        (LabelEntry, {"film_id", "garment"}),
        (SplitEntry, {"title", "split"}),
    ):
        if telling <= names:
            return record
    raise ManifestError(
        f"{path} is no manifest: it has {', '.join(sorted(names - {ROW})) or 'no columns'}",
        wanted="film_id, title, path; or film_id and era, nationality or garment; or title, split",
        do="rename its columns as manifests/README.md has them",
    )


def _refuse_target(source: Path, target: Path, record: type[Record]) -> None:
    """Raise UsageError when writing would lose what is there: the source, or anything but a manifest of its kind."""
    if not target.exists():
        return
    if target.samefile(source):
        raise UsageError(f"{target} is {source} itself", wanted="a new file", do="name another")
    try:
        there = f"is a {kind_of(target).TABLE}"
    except (ManifestError, OSError):
        there = "is no manifest"
    if there != f"is a {record.TABLE}":
        raise UsageError(
            f"{target} is there already and {there}", wanted=f"a new file, or a {record.TABLE}", do="name another"
        )


def _portable(films: pa.Table, folder: Path) -> pa.Table:
    import pyarrow as pa

    paths = [
        os.path.relpath(path, folder) if "://" not in path and Path(path).is_relative_to(folder) else path
        for path in films["path"].to_pylist()
    ]
    return films.set_column(films.column_names.index("path"), "path", pa.array(paths, pa.string()))

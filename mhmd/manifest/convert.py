"""A manifest of either format into one of the other, checked on the way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.entries import MANIFESTS, FilmEntry, LabelEntry, LabelName, SplitEntry
from mhmd.errors import ManifestError, UsageError
from mhmd.manifest.problems import ROW
from mhmd.manifest.tabular import load
from mhmd.records import Record, columns_of

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.manifest.problems import Checked


def convert(source: Path, target: Path, taxonomy: str = "") -> tuple[str, int, str]:
    """Write a films, labels or splits manifest, or a taxonomy, as Parquet or CSV; what it is, how many rows, a note.

    Relative paths of films go on meaning the same files: they stay relative where the target's folder holds them. An
    empty taxonomy is that of MHMD. Rows of labels that nobody filled stay. An older manifest of the same kind is
    replaced. Raises UsageError when the target is the source or something else, ManifestError when the source is no
    manifest or anything in it is wrong, rows of labels that contradict each other included; nothing is written then.
    """
    from mhmd.manifest.read import write_manifest

    record = kind_of(source)
    _refuse_target(source, target, record)
    checked = _checked(source, record, taxonomy)
    table = checked.whole().drop_columns([ROW])
    if record is FilmEntry:
        table = _portable(table, target.absolute().parent)
    empty = [
        column.name for column in columns_of(record) if column.null and table[column.name].null_count == len(table)
    ]
    write_manifest(target, table.drop_columns(empty))
    return record.TABLE, len(table), checked.note


def _checked(source: Path, record: type[Record], taxonomy: str) -> Checked:
    """The manifest with all that is wrong with it, as far as it tells by itself."""
    from mhmd.labels.films import contradictions
    from mhmd.manifest.labelled import check_labels
    from mhmd.manifest.read import check_films, check_splits, check_taxonomy, read_taxonomy
    from mhmd.resources import resource
    from mhmd.taxonomy import Taxonomy

    if record is LabelEntry:
        names = read_taxonomy(taxonomy or resource("manifests/labels.parquet"))
        checked = check_labels(source, names, unfilled=True)
        return checked.also(contradictions(checked, Taxonomy.of(names)))
    return {FilmEntry: check_films, SplitEntry: check_splits, LabelName: check_taxonomy}[record](source)


def kind_of(path: Path) -> type[Record]:
    """Which manifest a file is, by its columns. Raises ManifestError when it is none, or cannot be read."""
    known = {column.name for record in MANIFESTS for column in columns_of(record)}
    names = set(load(path, known).table.column_names)
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

"""The manifests that a command names, each read once as long as its file stays as it is."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.entries import FilmEntry, LabelEntry, LabelName, SplitEntry
from mhmd.errors import ManifestError, UsageError
from mhmd.manifest.problems import ROW, Checked, Faults
from mhmd.records import Failure, Frame, Record

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.stage import Where
    from mhmd.storage import Storage


def checked(record: type[Record], where: Where) -> Checked:
    """A manifest with what is wrong with it; read once as long as its file stays as it is.

    Raises UsageError when it was not named, ManifestError when it, or the taxonomy of labels, cannot be read.
    """
    return _checked(record.TABLE, *_files(record, where))


def read_manifest(record: type[Record], where: Where) -> pa.Table:
    """The validated rows of a manifest; those of labels with `ROW`.

    Raises UsageError when it was not named, ManifestError when it is wrong.
    """
    return _rows(record.TABLE, *_files(record, where))


def faults_of(records: Collection[type[Record]], where: Where) -> Faults:
    """What is wrong with manifests in themselves, those among them that are named; what cannot be read included."""
    faults = Faults()
    for record in (LabelName, FilmEntry, LabelEntry, SplitEntry):
        readable = record is not LabelEntry or LabelName not in records or _is_sound(LabelName, where)
        if record in records and _place(record, where) and readable:
            faults.ask(partial(checked, record, where))
    return faults


def _is_sound(record: type[Record], where: Where) -> bool:
    try:
        return not checked(record, where).problems
    except ManifestError:
        return False


def notes_of(where: Where) -> list[str]:
    """What had to be guessed of the manifests that are named and can be read, a line each."""
    where = where.absolute()
    notes = []
    for record in (FilmEntry, LabelEntry, SplitEntry, LabelName):
        if _place(record, where):
            with suppress(ManifestError):  # whoever needs it says so
                notes.append(checked(record, where).note)
    return [note for note in notes if note]


def manifest_content(record: type[Record], where: Where) -> str:
    """The hash of all rows of a manifest, but for the places of films: moving them changes nothing."""
    return _content(record.TABLE, *_files(record, where))


def _files(record: type[Record], where: Where) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """The files that a manifest's rows depend on, and their states."""
    path = _place(record, where)
    if not path:
        option = {FilmEntry: "--films", LabelEntry: "--labels", SplitEntry: "--splits"}[record]
        raise UsageError(f"no {record.TABLE}", wanted="its path", do=f"name it with {option} FILE")
    files = (path, _place(LabelName, where)) if record is LabelEntry else (path,)
    return files, tuple(map(_state, files))


def _place(record: type[Record], where: Where) -> str:
    """A manifest's path; empty where it is not named."""
    from mhmd.resources import resource

    if record is LabelName:
        return where.taxonomy or str(resource("manifests/labels.parquet"))
    return {FilmEntry: where.films, LabelEntry: where.labels, SplitEntry: where.splits}[record]


def _state(path: str) -> tuple[int, ...]:
    """What tells one state of a file from another."""
    try:
        stat = Path(path).stat()
    except OSError:  # reading it says so
        return ()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


@lru_cache(maxsize=16)
def _checked(table: str, files: tuple[str, ...], states: tuple[tuple[int, ...], ...]) -> Checked:
    from mhmd.manifest import read as manifest
    from mhmd.manifest.labelled import check_labels

    del states  # part of what the cache goes by
    if table == LabelEntry.TABLE:
        return check_labels(files[0], manifest.read_taxonomy(files[1]))
    check = {
        FilmEntry.TABLE: manifest.check_films,
        SplitEntry.TABLE: manifest.check_splits,
        LabelName.TABLE: manifest.check_taxonomy,
    }
    return check[table](files[0])


def _rows(table: str, files: tuple[str, ...], states: tuple[tuple[int, ...], ...]) -> pa.Table:
    rows = _checked(table, files, states).whole()
    return rows if table == LabelEntry.TABLE else rows.drop_columns([ROW])


@lru_cache(maxsize=16)
def _content(table: str, files: tuple[str, ...], states: tuple[tuple[int, ...], ...]) -> str:
    from mhmd.storage import content_of

    rows = _rows(table, files, states)
    return content_of(rows.drop_columns(sorted({"path"} & set(rows.column_names))))


def known_films(where: Where, storage: Storage) -> set[str] | None:
    """The films of the films manifest, if one is named, and of the workspace, those that failed included.

    None where the films manifest, or its column of films, cannot be read.
    """
    folders = (Frame.TABLE, f"{Failure.TABLE}/{Frame.STAGE}")
    stored = {film for folder in folders for film in storage.names(folder, ".parquet")}
    if not where.films:
        return stored
    try:
        named = checked(FilmEntry, where)
    except ManifestError:
        return None
    lost = any(problem.column == "film_id" and not problem.row for problem in named.problems)
    return None if lost else {*named.table["film_id"].drop_null().to_pylist(), *stored}

"""The manifests that a command names, each read once as long as its file stays as it is."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.entries import FilmEntry, LabelEntry, LabelName, SplitEntry
from mhmd.errors import UsageError
from mhmd.records import Failure, Frame, Record

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.stage import Where
    from mhmd.storage import Storage


def read_manifest(record: type[Record], where: Where) -> pa.Table:
    """The validated rows of a manifest; read once as long as its file stays as it is.

    Raises UsageError when it was not named, ManifestError when it is wrong.
    """
    return _read(record.TABLE, *_files(record, where))


def manifest_content(record: type[Record], where: Where) -> str:
    """The hash of all rows of a manifest, but for the places of films: moving them changes nothing."""
    return _content(record.TABLE, *_files(record, where))


def _files(record: type[Record], where: Where) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """The files that a manifest's rows depend on, and their states."""
    from mhmd.resources import resource

    taxonomy = where.taxonomy or str(resource("manifests/labels.parquet"))
    option, path = {
        FilmEntry: ("--films", where.films),
        LabelEntry: ("--labels", where.labels),
        SplitEntry: ("--splits", where.splits),
        LabelName: ("", taxonomy),
    }[record]
    if not path:
        raise UsageError(f"no {record.TABLE}", wanted="its path", do=f"name it with {option} FILE")
    files = (path, taxonomy) if record is LabelEntry else (path,)
    return files, tuple(map(_state, files))


def _state(path: str) -> tuple[int, ...]:
    """What tells one state of a file from another."""
    try:
        stat = Path(path).stat()
    except OSError:  # reading it says so
        return ()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


@lru_cache(maxsize=16)
def _read(table: str, files: tuple[str, ...], states: tuple[tuple[int, ...], ...]) -> pa.Table:
    from mhmd.manifest import read as manifest

    del states  # part of what the cache goes by
    if table == LabelEntry.TABLE:
        return manifest.read_labels(files[0], manifest.read_taxonomy(files[1]))
    read = {
        FilmEntry.TABLE: manifest.read_films,
        SplitEntry.TABLE: manifest.read_splits,
        LabelName.TABLE: manifest.read_taxonomy,
    }
    return read[table](files[0])


@lru_cache(maxsize=16)
def _content(table: str, files: tuple[str, ...], states: tuple[tuple[int, ...], ...]) -> str:
    from mhmd.storage import content_of

    rows = _read(table, files, states)
    return content_of(rows.drop_columns(sorted({"path"} & set(rows.column_names))))


def known_films(where: Where, storage: Storage) -> set[str]:
    """The films of the films manifest, if one is named, and of the workspace, those that failed included."""
    named = read_manifest(FilmEntry, where)["film_id"].to_pylist() if where.films else []
    folders = (Frame.TABLE, f"{Failure.TABLE}/{Frame.STAGE}")
    return {*named, *(film for folder in folders for film in storage.names(folder, ".parquet"))}

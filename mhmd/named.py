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
    from mhmd.resources import resource

    shipped = "" if where.taxonomy else str(resource("manifests/labels.parquet"))
    option, path = {
        FilmEntry: ("--films", where.films),
        LabelEntry: ("--labels", where.labels),
        SplitEntry: ("--splits", where.splits),
        LabelName: ("", where.taxonomy or shipped),
    }[record]
    if not path:
        raise UsageError(f"no {record.TABLE}", wanted="its path", do=f"name it with {option} FILE")
    files = (path, where.taxonomy or shipped) if record is LabelEntry else (path,)
    return _read(record.TABLE, files, tuple(map(_state, files)))


def _state(path: str) -> tuple[int, ...]:
    """What tells one state of a file from another."""
    try:
        stat = Path(path).stat()
    except OSError:  # reading it says so
        return ()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


@lru_cache(maxsize=16)
def _read(table: str, files: tuple[str, ...], states: tuple[tuple[int, ...], ...]) -> pa.Table:
    from mhmd import manifest

    del states  # part of what the cache goes by
    if table == LabelEntry.TABLE:
        return manifest.read_labels(files[0], manifest.read_taxonomy(files[1]))
    read = {
        FilmEntry.TABLE: manifest.read_films,
        SplitEntry.TABLE: manifest.read_splits,
        LabelName.TABLE: manifest.read_taxonomy,
    }
    return read[table](files[0])


def known_films(where: Where, storage: Storage) -> set[str]:
    """The films of the films manifest, if one is named, and of the workspace, those that failed included."""
    named = read_manifest(FilmEntry, where)["film_id"].to_pylist() if where.films else []
    folders = (Frame.TABLE, f"{Failure.TABLE}/{Frame.STAGE}")
    return {*named, *(film for folder in folders for film in storage.names(folder, ".parquet"))}

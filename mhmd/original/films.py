"""The films manifest that an import writes into its workspace, and what people have added to it since."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mhmd.storage import Storage

FILMS = "films.parquet"


def films_there(data: str) -> list[dict[str, Any]]:  # Any: a manifest's cells
    """The rows that an earlier import wrote, with what people added; none without one. Raises ManifestError."""
    from mhmd.manifest.read import read_films
    from mhmd.storage import Storage

    storage = Storage(data)
    if not storage.exists(FILMS):
        return []
    if storage.local:
        read_films(Path(storage.path(FILMS)))
    return storage.table(FILMS).to_pylist()  # type: ignore[no-any-return]  # Arrow


def write_films(
    storage: Storage,
    rows: Sequence[tuple[str, str, str, str | None]],
    old: Sequence[dict[str, Any]],  # Any: a manifest's cells
) -> None:
    """Write film_id, title, path and split of what was imported.

    Rows of `old` stay as they are, but for the path of a film that was imported again.
    """
    import pyarrow as pa

    names = ("film_id", "title", "path", "split")
    new = {row[0]: dict(zip(names, row, strict=True)) for row in rows}
    kept = [row | {"path": new.get(row["film_id"], row)["path"]} for row in old]
    there = {row["film_id"] for row in old}
    every = [*kept, *(row for film, row in new.items() if film not in there)]
    schema = storage.table(FILMS).schema.remove_metadata() if old else pa.schema([])
    missing = [pa.field(name, pa.string()) for name in names if name not in schema.names]
    storage.write_table(FILMS, pa.Table.from_pylist(every, pa.schema([*schema, *missing])))

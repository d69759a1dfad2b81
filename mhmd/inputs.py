"""What a unit reads, and the digest of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mhmd.entries import FilmEntry, LabelEntry, SplitEntry
from mhmd.errors import FilmMismatch, FilmMissing, MissingInput, StorageError
from mhmd.manifest.named import checked, known_films, manifest_content, read_manifest
from mhmd.manifest.problems import ROW, Checked
from mhmd.records import STORED, FilmHash, Record

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.blobs import Blobs
    from mhmd.stage import AnyStage, Where
    from mhmd.storage import Stamp, Storage

HASH_BLOCK_BYTES = 1 << 22

Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do, in the stage's own unit."""


@dataclass(frozen=True, slots=True)
class FilmSource:
    """A film's file as the manifest names it."""

    film_id: str
    path: Path
    color_matrix: str | None
    sha256: str


class Inputs:
    """What one unit reads: rows of the tables and manifests that its stage declares, stored bytes, the film.

    `unit` is a film_id or `corpus`, `films` the films that it covers, sorted.
    """

    def __init__(
        self,
        stage: AnyStage,
        where: Where,
        storage: Storage,
        unit: str,
        films: Sequence[str],
        progress: Progress = lambda _done, _total: None,
    ) -> None:
        self.unit = unit
        self.films = tuple(sorted(films))
        self.device = where.device
        self._stage = stage
        self._where = where
        self._storage = storage
        self._progress = progress

    def rows(self, record: type[Record], film_id: str | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of a declared table or manifest: of one film, or of all films of the unit in their order."""
        import pyarrow as pa

        assert record in self._stage.reads, f"{self._stage.name} does not declare {record.TABLE}"
        films = self.films if film_id is None else (film_id,)
        if record not in STORED:
            table = self._manifest(record, films)
            return table if columns is None else table.select(list(columns))
        return pa.concat_tables([self._rows_of(record, film, columns) for film in films])

    def _rows_of(self, record: type[Record], film: str, columns: Sequence[str] | None) -> pa.Table:
        """A film's rows of a stored table. Raises MissingInput when a column is not of its type."""
        from mhmd.storage import schema_of

        table = self._storage.table(table_path(record, film), columns)
        for field in schema_of(record):
            if field.name in table.column_names and table.schema.field(field.name).type != field.type:
                found = table.schema.field(field.name).type
                raise missing(record, film, self._where.data, f"has {found} in {field.name} where {field.type} belongs")
        return table

    def checked(self, record: type[Record]) -> Checked:
        """All rows of a declared manifest, whatever the unit, and what is wrong with them."""
        assert record in self._stage.reads, f"{self._stage.name} does not declare {record.TABLE}"
        return checked(record, self._where)

    def place(self, record: type[Record]) -> str:
        """What to call a manifest in messages: its path."""
        return {FilmEntry: self._where.films, LabelEntry: self._where.labels, SplitEntry: self._where.splits}[record]

    def known_films(self) -> set[str] | None:
        """The films of the films manifest and of the workspace, those that failed too; None where that is wrong."""
        return known_films(self._where, self._storage)

    def bytes(self, ref: str) -> bytes:
        """The stored bytes that a `ref` column points at."""
        name, offset, size = ref.rsplit(":", 2)
        return self._storage.read(name, int(offset), int(size))

    def blobs(self) -> Blobs:
        """A reader of the bytes of many refs, for one thread, to be closed."""
        from mhmd.blobs import Blobs

        return Blobs(self._storage)

    @property
    def film(self) -> FilmSource:
        """The unit's film. Raises FilmMissing when the manifest's path is no file."""
        row = self._film_row
        return FilmSource(self.unit, Path(row["path"]), row["color_matrix"], self._film_hash(hash_now=True))

    def digest(self, config_json: str, *, hash_now: bool) -> str:
        """Hash of the stage, its version, its config and the content of all that the unit reads.

        Empty when a film's file would have to be hashed for it and `hash_now` is false.
        Raises MissingInput when a table is not there or is half of a run that was cut off, FilmMissing.
        """
        stage = self._stage
        parts: list[object] = [stage.name, stage.version, config_json]
        if stage.film:
            sha256 = self._film_hash(hash_now=hash_now)
            if not sha256:
                return ""
            parts += [sha256, self._film_row["color_matrix"]]
        for record in stage.reads:
            if record in STORED:
                self._check_one_run(record)
                parts += [[record.TABLE, film, self._stamp(record, film).content] for film in self.films]
            else:
                parts.append([record.TABLE, self._manifest_content(record)])
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def sources(self) -> dict[str, dict[str, str]]:
        """For each film of the unit the content of the stored tables that are read, by table."""
        stored = [record for record in self._stage.reads if record in STORED]
        return {film: {of.TABLE: self._stamp(of, film).content for of in stored} for film in self.films}

    def _manifest(self, record: type[Record], films: Sequence[str]) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        table = read_manifest(record, self._where)
        if record is LabelEntry:
            return table.filter(pc.is_in(table["film_id"], pa.array(films, pa.string())))
        return table

    def _manifest_content(self, record: type[Record]) -> str:
        from mhmd.storage import content_of

        if record is LabelEntry:
            return content_of(
                self._manifest(record, self.films).drop_columns([ROW])
            )  # of rows, not of where they stand
        return manifest_content(record, self._where)

    def _stamp(self, record: type[Record], film: str) -> Stamp:
        """The stamps of a stored table that the stage which makes it has finished."""
        stamp = self._storage.stamp(table_path(record, film))
        if stamp is None:
            raise missing(record, film, self._where.data)
        for other in STORED:
            if other.STAGE == record.STAGE and other is not record:
                mate = self._storage.stamp(table_path(other, film))
                if mate is None or mate.digest != stamp.digest:
                    raise missing(record, film, self._where.data, "is half of a run that was cut off")
        for other in STORED:
            if other.TABLE in stamp.sources:
                now = self._storage.stamp(table_path(other, film))
                if now is None or now.content != stamp.sources[other.TABLE]:
                    raise missing(record, film, self._where.data, f"is made of other {other.TABLE} than there are now")
        return stamp

    def _check_one_run(self, record: type[Record]) -> None:
        """A table that one unit makes for all films must be of one run."""
        if record.CORPUS:
            digests = {film: self._stamp(record, film).digest for film in self.films}
            if len(set(digests.values())) > 1:
                film = min(digests)
                raise missing(record, film, self._where.data, "and that of other films are of different runs")

    @cached_property
    def _film_row(self) -> dict[str, Any]:  # Any: a manifest's cells
        table = read_manifest(FilmEntry, self._where).select(["film_id", "path", "color_matrix", "sha256"])
        rows: dict[str, dict[str, Any]] = {row["film_id"]: row for row in table.to_pylist()}  # Any: a manifest's cells
        if self.unit not in rows:
            raise MissingInput(
                f"{self.unit} is not in {self._where.films}", wanted="a film of the manifest", do="add its row"
            )
        return rows[self.unit]

    def _film_hash(self, *, hash_now: bool) -> str:
        row = self._film_row
        found = film_hash(self._storage, self.unit, row["path"], self._progress if hash_now else None)
        if found and row["sha256"] not in (None, found):
            raise FilmMismatch(
                f"{self.unit}: {row['path']} has the SHA-256 {found}",
                wanted=f"{row['sha256']}, which the films manifest names",
                do="put the right file there, or mend the manifest",
            )
        return found


def table_path(record: type[Record], film: str) -> str:
    """Where a film's rows of a stored table lie in a workspace."""
    return f"{record.TABLE}/{film}.parquet"


def missing(record: type[Record], film: str, data: str, how: str = "is not there") -> MissingInput:
    """The error for a table that a stage would have to make first."""
    return MissingInput(
        f"{data}: {table_path(record, film)} {how}",
        wanted=f"the rows that `mhmd {record.STAGE}` makes",
        do=f"run `mhmd {record.STAGE}` first",
    )


def film_hash(storage: Storage, film_id: str, name: str, progress: Progress | None) -> str:
    """SHA-256 of a film's file; from the cache while its size, times and inode are those of last time.

    Else the file is read, and `progress` is told; without a progress it is not, and the hash is empty. Raises
    FilmMissing when there is no such file.
    """
    from mhmd.storage import table_of

    path = Path(name)
    with _reached(film_id, name):
        if not path.is_file():
            found = "is a URL" if "://" in name else "is a folder" if path.is_dir() else "does not exist"
            found = "is no regular file" if path.exists() and not path.is_dir() else found
            broken = path.is_symlink() and not path.exists()
            found = f"is a link to {path.readlink()}, which does not exist" if broken else found
            told = f"{film_id}: {name} {found}"
            raise FilmMissing(told, wanted="a local file", do="mend its path in the films manifest")
        stat = path.stat()
    cached = table_path(FilmHash, film_id)
    key = {"size_bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, "ctime_ns": stat.st_ctime_ns, "inode": stat.st_ino}
    with suppress(StorageError):  # damaged: it is made again
        row = storage.table(cached).to_pylist()[0] if storage.exists(cached) else {}
        if all(row.get(field) == value for field, value in key.items()):
            return str(row["sha256"])
    if progress is None:
        return ""
    digest = hashlib.sha256()
    with _reached(film_id, name), path.open("rb") as file:
        while block := file.read(HASH_BLOCK_BYTES):
            digest.update(block)
            progress(0, stat.st_size)  # alive, but no frame is done
    row = FilmHash(film_id=film_id, sha256=digest.hexdigest(), **key)
    storage.write_table(cached, table_of(FilmHash, [row]))
    return row.sha256


@contextmanager
def _reached(film_id: str, name: str) -> Iterator[None]:
    """What the system says of a film's file becomes FilmMissing: a name that is too long, a folder that is locked."""
    try:
        yield
    except OSError as error:
        told = f"{film_id}: {name}: {error.strerror or error}"
        raise FilmMissing(told, wanted="a file that can be read", do="mend its path or its permissions") from None

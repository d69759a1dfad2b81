"""Rows ⇄ Parquet, and files, in a folder or under an fsspec URL.

Nothing is ever seen half-written: local files are written under a temporary name, fsynced and renamed; an object is
put whole. Every table carries stamps in its footer: the `digest` of all that its unit was made from, the hash of its
rows, `content`, which is what a later stage depends on, the `content` of the tables it was made from, and its tar.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import posixpath
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import fsspec
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from mhmd.errors import DependencyError, MhmdError, MissingInput, StorageError, UsageError
from mhmd.records import STORED, Record, columns_of

STAMP = "mhmd.stamp"
PARTIAL = ".partial-"
ROW_GROUP_ROWS = 1 << 20


def schema_of(record: type[Record]) -> pa.Schema:
    """The Arrow schema of a record."""
    lists = {"string": pa.string(), "int32": pa.int32(), "float64": pa.float64()}
    types = {f"list<{name}>": pa.list_(of) for name, of in lists.items()} | {"binary[96]": pa.binary(96)}
    return pa.schema(
        [
            pa.field(c.name, types.get(c.arrow) or pa.type_for_alias(c.arrow), nullable=c.null)
            for c in columns_of(record)
        ]
    )


def table_of(record: type[Record], rows: Sequence[Record]) -> pa.Table:
    """The Arrow table of rows of one record."""
    columns = columns_of(record)
    schema = schema_of(record)
    arrays = [pa.array([getattr(row, c.field) for row in rows], schema.field(c.name).type) for c in columns]
    return pa.Table.from_arrays(arrays, schema=schema)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a stored table says of itself; hashes are hexadecimal.

    `digest` is of all that its unit was made from, `content` of its rows, `sources` has the content of the stored
    tables that they were made from, by table. `tar` is the file that its refs point into, empty without one.
    """

    digest: str = ""
    content: str = ""
    sources: dict[str, str] = field(default_factory=dict)
    tar: str = ""
    tar_bytes: int = 0


class _Hashing(io.BytesIO):
    """Bytes that are hashed while they are written."""

    def __init__(self) -> None:
        super().__init__()
        self.hash = hashlib.sha256()

    def write(self, data: Any) -> int:  # Any: whatever buffer Arrow hands over
        self.hash.update(data)
        return super().write(data)


def encode_table(table: pa.Table, stamp: Stamp = Stamp()) -> tuple[bytes, str]:  # frozen
    """Parquet bytes of a table and the hash of its rows (of its column names, types and encoded pages).

    The stamp is written with that hash as its content.
    """
    plain = table.combine_chunks().replace_schema_metadata(None)
    sink = _Hashing()
    sink.hash.update(str(plain.schema).encode())
    with pq.ParquetWriter(sink, plain.schema, compression="zstd") as writer:
        writer.write_table(plain, row_group_size=ROW_GROUP_ROWS)
        content = sink.hash.hexdigest()
        writer.add_key_value_metadata({STAMP: json.dumps(asdict(stamp) | {"content": content})})
    return sink.getvalue(), content


def content_of(table: pa.Table) -> str:
    """The hash of a table's rows, equal to the `content` stamp that storing it would give."""
    return encode_table(table)[1]


def file_system(url: str) -> tuple[Any, str]:  # Any: fsspec has no types
    """The fsspec file system of a folder or URL, and the path in it. Raises UsageError, DependencyError."""
    try:
        files, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise DependencyError(f"{url}: {error}", wanted="its package", do="install it, mhmd[s3] for s3://") from None
    except ValueError as error:
        raise UsageError(f"{url}: {error}", wanted="a folder or a URL that fsspec knows", do="mend the URL") from None
    return files, root.rstrip("/")


class Storage:
    """A folder, or an fsspec URL such as `s3://bucket/prefix`; paths inside it are relative and use `/`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.fs, self.root = file_system(url)
        self.local = isinstance(self.fs, LocalFileSystem)
        if self.local and Path(self.root).is_file():
            raise UsageError(f"{url} is a file", wanted="a folder", do="name another folder")

    def path(self, name: str) -> str:
        """The full path of `name` in the file system of the URL."""
        return posixpath.join(self.root, name)

    def exists(self, name: str) -> bool:
        with self.told(name, "look for"):
            return bool(self.fs.exists(self.path(name)))

    def is_file(self, name: str) -> bool:
        with self.told(name, "look for"):
            return bool(self.fs.isfile(self.path(name)))

    def names(self, folder: str, suffix: str) -> list[str]:
        """Names of the files in `folder` that end in `suffix`, without it, sorted. Empty where there is no folder."""
        with self.told(folder, "list"):
            try:
                found = self.fs.ls(self.path(folder), detail=False, **({} if self.local else {"refresh": True}))
            except FileNotFoundError:
                return []
        files = [posixpath.basename(path) for path in found]
        return sorted(f.removesuffix(suffix) for f in files if f.endswith(suffix) and not f.startswith("."))

    def read(self, name: str, offset: int = 0, size: int | None = None) -> bytes:
        """Bytes of a file, or `size` of them from `offset`."""
        with self.told(name, "read"):
            end = None if size is None else offset + size
            data = bytes(self.fs.cat_file(self.path(name), start=offset, end=end))
        return data if size is None else self.whole(name, data, size)

    def read_many(self, places: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Bytes of (name, offset, size) each, fetched side by side where the file system can."""
        names, starts, sizes = zip(*places, strict=True) if places else ((), (), ())
        with self.told(", ".join(sorted(set(names))[:3]), "read"):
            ends = [start + size for start, size in zip(starts, sizes, strict=True)]
            found = self.fs.cat_ranges([self.path(name) for name in names], list(starts), ends, on_error="raise")
        return [self.whole(name, bytes(data), size) for name, data, size in zip(names, found, sizes, strict=True)]

    def whole(self, name: str, data: bytes, size: int) -> bytes:
        """The data read of a file. Raises StorageError when they are not `size` bytes."""
        if len(data) != size:
            raise StorageError(
                f"{self.path(name)} ends {size - len(data)} bytes before the end of a picture in it",
                wanted="the whole file",
                do="run `mhmd build` or the stage that made it: it is made again",
            )
        return data

    def size(self, name: str) -> int | None:
        """Size of a file in bytes; None where there is none."""
        try:
            return int(self.fs.size(self.path(name)))
        except FileNotFoundError:
            return None

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of a Parquet file, without its stamps. Raises MissingInput when it has no such column."""
        with self.told(name, "read"), self.fs.open(self.path(name), "rb") as file, pq.ParquetFile(file) as parquet:
            absent = sorted(set(columns or ()) - set(parquet.schema_arrow.names))
            table = None if absent else parquet.read(None if columns is None else list(columns))
        if table is None:
            makers = [record.STAGE for record in STORED if posixpath.dirname(name) == record.TABLE]
            raise MissingInput(
                f"{self.path(name)} has no column {', '.join(absent)}",
                wanted="a table that this version of mhmd made",
                do=f"run `mhmd {makers[0]}` first" if makers else "make it again",
            )
        return table.replace_schema_metadata(None)

    def stamp(self, name: str) -> Stamp | None:
        """The stamps of a stored table; None when there is no such file. Rows that others wrote are hashed now."""
        try:
            with self.fs.open(self.path(name), "rb") as file:
                metadata = pq.read_metadata(file).metadata or {}
        except FileNotFoundError:
            return None
        except (pa.ArrowInvalid, OSError) as error:
            raise StorageError(
                f"{self.path(name)}: {error}", wanted="a Parquet table", do="delete it and make it again"
            ) from None
        if STAMP.encode() in metadata:
            return Stamp(**json.loads(metadata[STAMP.encode()]))
        return Stamp(content=content_of(self.table(name)))

    def write_table(self, name: str, table: pa.Table, stamp: Stamp = Stamp()) -> None:  # frozen
        """Store a table with its stamp, whole or not at all."""
        self.write(name, encode_table(table, stamp)[0])

    def write(self, name: str, data: bytes) -> None:
        """Store bytes, whole or not at all."""
        with self.told(name, "write"):
            if not self.local:
                self.fs.pipe_file(self.path(name), data)
                return
            path = Path(self.path(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            _drop_leftovers(path.parent, path.name)
            partial = path.with_name(f"{PARTIAL}{path.name}.{os.getpid()}")
            try:
                with partial.open("wb") as file:
                    file.write(data)
                    sync(file)
                partial.replace(path)
                _sync_folder(path.parent)
            finally:
                partial.unlink(missing_ok=True)

    def adopt(self, file: Path, name: str) -> None:
        """Take a finished, fsynced local file in under `name`; the file is gone afterwards."""
        with self.told(name, "write"):
            if self.local:
                target = Path(self.path(name))
                target.parent.mkdir(parents=True, exist_ok=True)
                file.replace(target)
                _sync_folder(target.parent)
            else:
                self.fs.put_file(str(file), self.path(name))
                file.unlink()

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        if self.exists(name):
            self.fs.rm_file(self.path(name))

    def scratch(self, folder: str, unit: str) -> Path:
        """A new temporary file near `folder` for one unit; leftovers of the unit's killed runs are removed."""
        if not self.local:
            handle, path = tempfile.mkstemp(prefix=f"mhmd-{unit}-")
            os.close(handle)
            return Path(path)
        parent = Path(self.path(folder))
        with self.told(folder, "write"):
            parent.mkdir(parents=True, exist_ok=True)
        _drop_leftovers(parent, unit)
        return parent / f"{PARTIAL}{unit}.{os.getpid()}"

    @contextmanager
    def told(self, name: str, verb: str) -> Iterator[None]:
        """Turns what goes wrong in a block that does `verb` to `name` into a StorageError."""
        try:
            yield
        except MhmdError:
            raise
        except Exception as error:  # what a remote file system raises is its own affair
            if self.local and not isinstance(error, OSError | pa.ArrowInvalid):
                raise
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise StorageError(
                f"cannot {verb} {self.path(name)}: {reason}",
                wanted=f"to {verb} it whole",
                do="mend that and run the same command again; what is done stays done",
            ) from error


def _drop_leftovers(folder: Path, name: str) -> None:
    """Remove what runs that were killed left of the temporary files for `name`; what another run writes now stays."""
    for leftover in folder.glob(f"{PARTIAL}{name}.*"):
        owner = leftover.suffix[1:]
        if owner.isdecimal() and (int(owner) == os.getpid() or not psutil.pid_exists(int(owner))):
            leftover.unlink(missing_ok=True)


def sync(file: IO[bytes]) -> None:
    """Have what was written to a file stand on the disk."""
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

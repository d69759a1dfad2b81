"""Where a unit's rows and bytes go: into the workspace, or into a folder of shards that appears at once."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mhmd.errors import DatasetError, UnitError
from mhmd.inputs import table_path
from mhmd.records import Record, SampleRow

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.storage import Storage
    from mhmd.tar import TarWriter


StoredProgress = Callable[[int, int, int], None]
"""Called with what is done, what there is to do, and how many members of a tar are written."""


class Sink:
    """Takes one unit's rows and bytes for the workspace. Bytes are streamed; rows wait in memory until `commit`."""

    def __init__(
        self, storage: Storage, unit: str, writes: Sequence[type[Record]], bytes_to: str, progress: StoredProgress
    ) -> None:
        self._progress = progress
        self._stored = 0
        self.counts: dict[str, int] = defaultdict(int)
        self._storage = storage
        self._unit = unit
        self._writes = writes
        self._bytes_to = bytes_to
        self._tables: dict[tuple[type[Record], str], list[pa.Table]] = defaultdict(list)
        self._tar: TarWriter | None = None
        self.notes: list[str] = []
        self.flaws: list[tuple[str, str, str]] = []

    def note(self, text: str) -> None:
        """Say something that the user should know though nothing is wrong with the result."""
        self.notes.append(text)

    def flaw(self, frame_id: str, error: UnitError) -> None:
        """Say that a frame has nothing, and why. The unit counts as made, but not as fresh: it is tried again."""
        self.flaws.append((frame_id, type(error).__name__, str(error)))

    def progress(self, done: int, total: int) -> None:
        """Tell how far the unit is, in the stage's own unit."""
        self._progress(done, total, self._stored)

    def rows(self, record: type[Record], rows: Sequence[Record] | pa.Table, film_id: str | None = None) -> None:
        """Append rows to a table that the stage writes; `film_id` says whose they are where the unit is no film."""
        from mhmd.storage import schema_of, table_of

        assert record in self._writes, f"{record.TABLE} is not among what this stage writes"
        table = table_of(record, rows) if isinstance(rows, Sequence) else rows.cast(schema_of(record))
        self._tables[record, film_id or self._unit].append(table)
        self.counts[record.TABLE] += table.num_rows

    def put(self, name: str, data: bytes) -> str:
        """Stream bytes into the unit's tar as member `name`; gives what to store in the row's `ref`."""
        from mhmd.tar import TarWriter

        if self._tar is None:
            self._tar = TarWriter(self._storage.scratch(self._bytes_to, self._unit))
        self._stored += 1
        return f"{self._tar.add(name, data)}:{len(data)}"

    def commit(self, digest: str, sources: Mapping[str, Mapping[str, str]]) -> None:
        """Store everything, bytes first and the table that says done last, stamped with the unit's digest.

        `sources` has for each film of the unit the content of the stored tables that were read, by table.
        """
        import pyarrow as pa

        from mhmd.storage import Stamp, schema_of

        tar, tar_bytes = self._close_tar()
        digest += " with flaws" if self.flaws else ""
        for record in self._writes:
            for film in sources:
                tables = self._tables.pop((record, film), [])
                table = pa.concat_tables(tables) if tables else schema_of(record).empty_table()
                if "frame_id" in table.column_names:
                    assert len(table["frame_id"].unique()) == table.num_rows, f"{record.TABLE}: a frame_id comes twice"
                if tar and "ref" in table.column_names:
                    refs = pa.array([f"{tar}:{ref}" for ref in table["ref"].to_pylist()], pa.string())
                    table = table.set_column(table.column_names.index("ref"), table.schema.field("ref"), refs)
                stamp = Stamp(digest, "", dict(sources[film]), tar, tar_bytes)
                self._storage.write_table(table_path(record, film), table, stamp)
        assert not self._tables, f"rows of films that are not the unit's: {sorted(self._tables, key=str)}"

    def discard(self) -> None:
        """Drop everything."""
        if self._tar is not None:
            self._tar.discard()

    def _close_tar(self) -> tuple[str, int]:
        """Name and size of the finished tar; nothing and 0 without one."""
        if self._tar is None:
            return "", 0
        name = f"{self._bytes_to}/{self._tar.close()}.tar"
        self._storage.adopt(self._tar.file, name)
        return name, self._tar.size_bytes


class DatasetSink:
    """Takes a dataset: tars with names of their own, files, and the rows of `samples.parquet`, which says done.

    Everything is made in a folder beside OUT, which takes OUT's place when it is complete.
    """

    def __init__(self, out: Path, progress: StoredProgress) -> None:
        self._progress = progress
        self.counts: dict[str, int] = defaultdict(int)
        self._out = out
        self._partial = out.with_name(f".{out.name}.partial")
        self._rows: list[pa.Table] = []
        self._sums: dict[str, str] = {}
        self._tar: TarWriter | None = None
        refuse_foreign(out)
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True)

    def progress(self, done: int, total: int) -> None:
        """Tell how many samples are in the shards so far."""
        self._progress(done, total, done)

    def tar(self, name: str) -> None:
        """Begin the shard `name`; what is put from now on goes into it."""
        from mhmd.tar import TarWriter

        self._close_tar()
        self._tar = TarWriter(self._partial / name)
        self.counts["shards"] += 1

    def put(self, name: str, data: bytes) -> None:
        """Append a member to the shard that was begun last."""
        assert self._tar is not None, "put before tar"
        self._tar.add(name, data)

    def rows(self, rows: Sequence[SampleRow]) -> None:
        """Append rows of `samples.parquet`."""
        from mhmd.storage import table_of

        self._rows.append(table_of(SampleRow, rows))
        self.counts["samples"] += len(rows)

    def file(self, name: str, data: bytes) -> None:
        """Add a small file."""
        import hashlib

        from mhmd.storage import Storage

        Storage(str(self._partial)).write(name, data)
        self._sums[name] = hashlib.sha256(data).hexdigest()

    def json(self, name: str, values: Mapping[str, object]) -> None:
        """Add a small JSON file."""
        self.file(name, (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode())

    def commit(self, digest: str) -> None:
        """Write `samples.parquet` and `SHA256SUMS`, and put the whole in OUT's place."""
        import pyarrow as pa

        from mhmd.storage import Stamp, encode_table, schema_of

        self._close_tar()
        table = pa.concat_tables(self._rows) if self._rows else schema_of(SampleRow).empty_table()
        self.file("samples.parquet", encode_table(table, Stamp(digest))[0])
        sums = "".join(f"{self._sums[name]}  {name}\n" for name in sorted(self._sums))
        self.file("SHA256SUMS", sums.encode())
        old = self._out.with_name(f".{self._out.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self._out.exists():
            self._out.rename(old)
        self._partial.rename(self._out)
        shutil.rmtree(old, ignore_errors=True)

    def discard(self) -> None:
        """Drop everything."""
        if self._tar is not None:
            self._tar.discard()
        shutil.rmtree(self._partial, ignore_errors=True)

    def _close_tar(self) -> None:
        if self._tar is not None:
            self._sums[self._tar.file.name] = self._tar.close()
            self._tar = None


def refuse_foreign(out: Path) -> None:
    """Raises DatasetError when OUT has anything in it that a dataset made here does not list: it would be lost."""
    if out.is_file():
        raise DatasetError(f"{out} is a file", wanted="a new or empty folder, or a dataset", do="name another --out")
    found = {path.name for path in out.iterdir()} if out.exists() else set()
    foreign = sorted(found - {"SHA256SUMS"} - set(listed(out)))
    if foreign:
        raise DatasetError(
            f"{out} has {foreign[0]} in it, which is of no dataset",
            wanted="a new or empty folder, or a dataset that may be replaced",
            do="name another --out, or move that away",
        )


def listed(out: Path) -> dict[str, str]:
    """SHA-256 by name of the files that a dataset's SHA256SUMS lists; empty without one."""
    path = out / "SHA256SUMS"
    if not path.is_file():
        return {}
    pairs = [line.split("  ", 1) for line in path.read_text("utf-8", errors="replace").splitlines()]
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}

"""Where a unit's rows and bytes go in the workspace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from mhmd.errors import UnitError
from mhmd.inputs import table_path
from mhmd.records import Record

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

"""Tables that people write, from Parquet or CSV into Arrow, with the columns and types of a record.

Whatever is wrong is told at once, by row and column. Rows are numbered as a spreadsheet shows them: the header is row
1, the first row of values row 2, in Parquet too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mhmd.errors import ManifestError
from mhmd.manifest.cells import Typed, typed_as
from mhmd.manifest.delimited import HEADER_ROW, read_delimited
from mhmd.manifest.headings import complaints, known_names
from mhmd.manifest.problems import ROW, Checked, Problem
from mhmd.records import Record, columns_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Loaded:
    """The cells of a file as they are, with `ROW`; its separator, empty for Parquet; and what was guessed of it."""

    table: pa.Table
    separator: str
    note: str


def read_rows(
    path: str | Path, record: type[Record], loose: Collection[str] = (), one_of: Sequence[str] = ()
) -> Checked:
    """The rows of a `.parquet` or `.csv` file: the record's columns in order and of its types, then all others, `ROW`.

    A column that may be empty may be absent, and an empty text counts as null; text has no blanks around it, but in
    `loose` columns. Cells of a wrong type are null, and told in the problems, as are those that must not be empty,
    columns that are missing (those that must be there, and all of `one_of`) or of a wrong type as a whole.
    Raises ManifestError naming a file that cannot be read.
    """
    import pyarrow as pa

    wanted = columns_of(record)
    loaded = load(Path(path), [column.name for column in wanted])
    names = [name for name in loaded.table.column_names if name != ROW]
    problems = [Problem(0, *complaint) for complaint in complaints(names, wanted, one_of)]
    columns = dict(zip(reversed(names), reversed(loaded.table.columns[:-1]), strict=True))  # of two alike the first
    cells = pa.table({name: columns[name] for name in dict.fromkeys(names)} | {ROW: loaded.table[ROW]})
    arrays: dict[str, Any] = {}  # Any: Arrow's arrays of any type
    for column in wanted:
        if column.name in columns:
            typed = Typed(cells, column, loaded.separator, column.name in loose)
            arrays[column.name] = typed.values()
            problems += typed.problems
        else:
            arrays[column.name] = pa.nulls(len(cells), typed_as(column))
    others = {name: cells[name] for name in cells.column_names if name not in arrays}
    return Checked(str(path), pa.table(arrays | others), tuple(problems), loaded.note)


def load(path: Path, known: Collection[str]) -> Loaded:
    """The cells of a file; names of columns that are spellings of those in `known` as these. Raises ManifestError."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet

    try:
        if path.suffix.casefold() == ".parquet":
            with pa.parquet.ParquetFile(path) as file:
                table = file.read().replace_schema_metadata(None)
            rows: Any = np.arange(len(table)) + HEADER_ROW + 1  # Any: array or list
            separator = note = ""
        elif path.suffix.casefold() in (".csv", ".tsv"):
            found = read_delimited(path, known)
            table, rows, separator, note = found.table, found.rows, found.separator, found.note
        else:
            raise ManifestError(
                f"{path} ends in {path.suffix!r}", wanted=".parquet or .csv", do="rename or convert the file"
            )
    except FileNotFoundError:
        raise ManifestError(f"no file {path}", wanted="a .parquet or .csv file", do="check the path") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise ManifestError(f"{path}: {reason}", wanted="Parquet or CSV", do="write the file again") from None
    table = table.rename_columns(known_names(table.column_names, known))
    if ROW in table.column_names:
        raise ManifestError(f"{path}: column {ROW}", wanted="another name: this is the row's number", do="rename it")
    return Loaded(table.append_column(ROW, pa.array(rows, pa.int64())), separator, note)

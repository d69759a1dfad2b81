"""Tables that people write, from Parquet or CSV into Arrow, with the columns and types of a record.

Whatever is wrong is told at once, by row and column. Row 1 is the first row of values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mhmd.errors import ManifestError
from mhmd.records import Column, Record, columns_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PROBLEMS_TOLD = 50


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a table; row 0 stands for the whole column."""

    row: int
    column: str
    what: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.what}" if self.row else f"column {self.column}: {self.what}"


def read_rows(path: str | Path, record: type[Record]) -> pa.Table:
    """The rows of a `.parquet` or `.csv` file: the record's columns in order and of its types, then all others.

    A column that may be empty may be absent, and an empty text counts as null. CSV is UTF-8 with commas and a header.
    Raises ManifestError naming a file that cannot be read, or every missing column and every wrong value.
    """
    import pyarrow as pa

    path = Path(path)
    table = _load(path)
    wanted = columns_of(record)
    _refuse_columns(path, table.column_names, wanted)
    arrays: dict[str, Any] = {}  # Any: Arrow's arrays of any type
    problems: list[Problem] = []
    for column in wanted:
        if column.name in table.column_names:
            arrays[column.name], found = _typed(table[column.name], column, from_text=path.suffix == ".csv")
            problems += found
        else:
            arrays[column.name] = pa.nulls(len(table), _type(column))
    refuse(path, problems)
    return pa.table(arrays | {name: table[name] for name in table.column_names if name not in arrays})


def flag(values: pd.Series[Any], wrong: pd.Series[bool], say: Callable[[Any], str]) -> list[Problem]:  # Any: a cell
    """A problem for every row where `wrong` is true, told by `say` of the row's value."""
    rows = wrong.to_numpy().nonzero()[0][: PROBLEMS_TOLD + 1]
    cells = values.iloc[rows].tolist()
    return [Problem(int(row) + 1, str(values.name), say(cell)) for row, cell in zip(rows, cells, strict=True)]


def refuse(path: str | Path, problems: Sequence[Problem]) -> None:
    """Raise ManifestError telling the first `PROBLEMS_TOLD` problems by row; do nothing when there is none."""
    if problems:
        told = [str(problem) for problem in sorted(problems)[:PROBLEMS_TOLD]]
        more = ["and more"] if len(problems) > PROBLEMS_TOLD else []
        raise ManifestError(
            f"{path}: {'; '.join(told + more)}",
            wanted="rows as manifests/README.md describes them",
            do="mend these rows",
        )


def _load(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        if path.suffix == ".parquet":
            with pa.parquet.ParquetFile(path) as file:
                return file.read()
        if path.suffix == ".csv":
            parse = pa.csv.ParseOptions(newlines_in_values=True)
            with pa.csv.open_csv(path, parse_options=parse) as header:
                as_text = dict.fromkeys(header.schema.names, pa.string())
            convert = pa.csv.ConvertOptions(column_types=as_text, null_values=[""], strings_can_be_null=True)
            return pa.csv.read_csv(path, parse_options=parse, convert_options=convert)
    except FileNotFoundError:
        raise ManifestError(f"no file {path}", wanted="a .parquet or .csv file", do="check the path") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise ManifestError(f"{path}: {reason}", wanted="Parquet, or CSV in UTF-8", do="write the file again") from None
    raise ManifestError(f"{path} ends in {path.suffix!r}", wanted=".parquet or .csv", do="rename or convert the file")


def _refuse_columns(path: Path, names: list[str], wanted: Sequence[Column]) -> None:
    missing = [column.name for column in wanted if not column.null and column.name not in names]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if missing or repeated:
        complaints = [f"no column {name}" for name in missing] + [f"column {name} twice" for name in repeated]
        raise ManifestError(
            f"{path}: {', '.join(complaints)}; it has {', '.join(names) or 'none'}",
            wanted=f"columns {', '.join(column.name for column in wanted if not column.null)}",
            do="rename or add the columns",
        )


def _type(column: Column) -> pa.DataType:
    import pyarrow as pa

    return pa.type_for_alias(column.arrow)


def _typed(values: pa.ChunkedArray[Any], column: Column, *, from_text: bool) -> tuple[Any, list[Problem]]:
    """The values in the column's type, and what is wrong with them."""
    import pandas as pd
    import pyarrow as pa

    whole_column = [Problem(0, column.name, f"is {values.type}, not {column.arrow}")]
    target = _type(column)
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if pa.types.is_dictionary(values.type):
        return _typed(values.cast(values.type.value_type), column, from_text=from_text)
    if pa.types.is_null(values.type):
        cells = pd.Series([None] * len(values), name=column.name, dtype=object)
        return pa.nulls(len(values), target), _empty(cells, column)
    if pa.types.is_string(target):
        return _text(values, column) if is_text else (values, whole_column)
    if is_text and not from_text:
        return values, whole_column
    if not (is_text or pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        return values, whole_column
    return _numbers(values, column, target)


def _text(values: pa.ChunkedArray[Any], column: Column) -> tuple[Any, list[Problem]]:
    import pyarrow as pa

    cells = values.cast(pa.string()).to_pandas().astype(object).rename(column.name)
    cells = cells.where(cells != "", None)
    padded = cells.notna() & (cells.astype(str) != cells.astype(str).str.strip())
    problems = _empty(cells, column) + flag(cells, padded, lambda v: f"{v!r} has blanks around it")
    return pa.array(cells, pa.string(), from_pandas=True), problems


def _numbers(values: pa.ChunkedArray[Any], column: Column, target: pa.DataType) -> tuple[Any, list[Problem]]:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    given = values.to_pandas().rename(column.name)
    numbers = pd.to_numeric(given, errors="coerce")
    whole = pa.types.is_integer(target)
    bad = given.notna() & (~np.isfinite(numbers) | (whole & (numbers % 1 != 0)))
    kind = "a whole number" if whole else "a finite number"
    problems = _empty(given, column) + flag(given, bad, lambda v: f"{v!r} is not {kind}")
    return pa.array(numbers if not problems else [None] * len(given), target, from_pandas=True), problems


def _empty(cells: pd.Series[Any], column: Column) -> list[Problem]:
    return [] if column.null else flag(cells, cells.isna(), lambda _: "is empty")

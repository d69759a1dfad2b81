"""Tables that people write, from Parquet or CSV into Arrow, with the columns and types of a record.

Whatever is wrong is told at once, by row and column. Rows are numbered as a spreadsheet shows them: the header is row
1, the first row of values row 2, in Parquet too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mhmd.errors import ManifestError
from mhmd.manifest.delimited import HEADER_ROW, read_delimited
from mhmd.manifest.headings import RESERVED, complaints, known_names
from mhmd.records import Column, Record, columns_of

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

PROBLEMS_TOLD = 50
ROW = RESERVED
"""The column that `read_rows` adds: the number of each row."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CLOCK = re.compile(r"(?:(\d+):(?=[0-5]?\d:))?(\d+):([0-5]?\d(?:\.\d*)?)")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a table; row 0 stands for the whole column."""

    row: int
    column: str
    what: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.what}" if self.row else f"column {self.column}: {self.what}"


def read_rows(path: str | Path, record: type[Record], loose: Collection[str] = ()) -> tuple[pa.Table, list[Problem]]:
    """The rows of a `.parquet` or `.csv` file: the record's columns in order and of its types, then all others, `ROW`.

    A column that may be empty may be absent, and an empty text counts as null; text has no blanks around it, but in
    `loose` columns. Cells of a wrong type are null, and told in the problems, as are those that must not be empty.
    Raises ManifestError naming a file that cannot be read, missing columns, and columns that are of a wrong type.
    """
    import pyarrow as pa

    path = Path(path)
    wanted = columns_of(record)
    table, separator = load(path, [column.name for column in wanted])
    _refuse_columns(path, table.column_names, wanted)
    arrays: dict[str, Any] = {}  # Any: Arrow's arrays of any type
    problems: list[Problem] = []
    for column in wanted:
        if column.name in table.column_names:
            typed = _Typed(table, column, separator, column.name in loose)
            arrays[column.name] = typed.values()
            problems += typed.problems
        else:
            arrays[column.name] = pa.nulls(len(table), typed_as(column))
    if any(not problem.row for problem in problems):
        refuse(path, problems)
    others = [name for name in table.column_names if name not in arrays]
    return pa.table(arrays | {name: table[name] for name in others}), problems


def further(problems: Sequence[Problem], found: Sequence[Problem]) -> list[Problem]:
    """The problems, and those that were found in cells which have none among them."""
    told = {(problem.row, problem.column) for problem in problems}
    return [*problems, *(each for each in found if (each.row, each.column) not in told)]


def load(path: Path, known: Collection[str]) -> tuple[pa.Table, str]:
    """The cells of a file as they are, with `ROW`; and its separator, empty for Parquet. Raises ManifestError."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet

    try:
        if path.suffix == ".parquet":
            with pa.parquet.ParquetFile(path) as file:
                table = file.read().replace_schema_metadata(None)
            rows: Any = np.arange(len(table)) + HEADER_ROW + 1  # Any: array or list
            separator = ""
        elif path.suffix in (".csv", ".tsv"):
            found = read_delimited(path, known)
            table, rows, separator = found.table, found.rows, found.separator
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
    return table.append_column(ROW, pa.array(rows, pa.int64())), separator


def numbers_of(table: pa.Table) -> NDArray[np.int64]:
    """The rows' numbers: `ROW`, or counted where the table has none."""
    import numpy as np

    if ROW in table.column_names:
        numbers: NDArray[np.int64] = table[ROW].to_numpy()
        return numbers
    return np.arange(len(table)) + HEADER_ROW + 1


def flag(table: pa.Table, name: str, wrong: Mask, say: Callable[[Any], str]) -> list[Problem]:  # Any: a cell
    """A problem for every row where `wrong` is true, told by `say` of the row's cell in the column `name`.

    More than can be told are not made.
    """
    places = wrong.nonzero()[0][: PROBLEMS_TOLD + 1]
    if not len(places):
        return []
    cells, rows = table[name].take(places).to_pylist(), numbers_of(table)[places].tolist()
    return [Problem(row, name, say(cell)) for row, cell in zip(rows, cells, strict=True)]


def mask(values: Any) -> Mask:  # Any: Arrow's arrays have no types
    """A column of booleans as an array, null as false."""
    import pyarrow.compute as pc

    return pc.fill_null(values, False).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]  # Arrow


def refuse(path: str | Path, problems: Sequence[Problem]) -> None:
    """Raise ManifestError telling the first `PROBLEMS_TOLD` problems by row; do nothing when there is none."""
    if problems:
        told = [str(problem) for problem in sorted(set(problems))]
        more = ["and more"] if len(told) > PROBLEMS_TOLD else []
        raise ManifestError(
            f"{path}: {'; '.join(told[:PROBLEMS_TOLD] + more)}",
            wanted="rows as manifests/README.md describes them",
            do="mend these rows",
        )


def typed_as(column: Column) -> pa.DataType:
    """The Arrow type of a column of a manifest."""
    import pyarrow as pa

    return pa.type_for_alias(column.arrow)


def seconds(text: str, *, comma: bool = False) -> float | None:
    """Seconds of `12.5`, `1:02.5` or `0:01:02.5`, nearest to what is written; None for anything else.

    With `comma`, a decimal comma is as good as a point.
    """
    text = text.strip()
    if comma and text.count(",") == 1:
        text = text.replace(",", ".")
    if _NUMBER.fullmatch(text):
        return float(text)
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return None
    hours, minutes, rest = clock.groups()
    return float(int(hours or 0) * 3600 + int(minutes) * 60 + Decimal(rest))


def _refuse_columns(path: Path, names: list[str], wanted: Sequence[Column]) -> None:
    names = [name for name in names if name != ROW]
    wrong = [*complaints(names, wanted)]
    if wrong:
        raise ManifestError(
            f"{path}: {', '.join(wrong)}; it has {', '.join(names) or 'none'}",
            wanted=f"columns {', '.join(column.name for column in wanted)}, and others of your own",
            do="rename or add the columns",
        )


class _Typed:
    """A column's values in its type, and what is wrong with them; `separator` is that of CSV, else empty."""

    def __init__(self, table: pa.Table, column: Column, separator: str, loose: bool) -> None:
        self.problems: list[Problem] = []
        self._table = table
        self._column = column
        self._separator = separator
        self._loose = loose

    def values(self) -> Any:  # Any: Arrow's arrays of any type
        import pyarrow as pa

        cells, target = self._table[self._column.name], typed_as(self._column)
        if pa.types.is_dictionary(cells.type):
            cells = cells.cast(cells.type.value_type)
        kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
        is_text = any(kind(cells.type) for kind in kinds)
        if pa.types.is_null(cells.type):
            self._empty(pa.nulls(len(cells), target))
            return pa.nulls(len(cells), target)
        if pa.types.is_string(target):
            return self._text(cells) if is_text else self._wrong_type(cells.type)
        if is_text:
            return self._spelled(cells, target) if self._separator else self._wrong_type("text")
        if not (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)):
            return self._wrong_type(cells.type)
        return self._numbers(cells, target)

    def _text(self, cells: Any) -> Any:  # Any: Arrow's arrays
        import pyarrow as pa
        import pyarrow.compute as pc

        cells = cells.cast(pa.string())
        trimmed = pc.utf8_trim_whitespace(cells)
        if self._loose:
            cells = trimmed
        cells = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), cells)
        self._empty(cells)
        self._flag(mask(pc.not_equal(cells, trimmed)), lambda v: f"{v!r} has blanks around it")
        return cells

    def _spelled(self, cells: Any, target: Any) -> Any:  # Any: Arrow's arrays and types
        """Numbers, or times, that stand as text in CSV; a decimal comma is no separator in a file of semicolons."""
        import numpy as np
        import pyarrow as pa

        clocks = self._column.name.endswith("_s")
        texts = [(cell or "").strip() for cell in cells.to_pylist()]
        doubtful = self._doubtful(texts)
        parsed = [
            seconds(text, comma=self._separator != ",") if text and (clocks or ":" not in text) else None
            for text in texts
        ]
        bad = np.array([bool(text) and value is None for text, value in zip(texts, parsed, strict=True)], bool)
        kind = "seconds or h:mm:ss.fff" if clocks else self._kind(target)
        self._flag(bad, lambda v: f"{v!r} is not {kind}")
        self._flag(doubtful, lambda v: f"{v!r} is one number with a point for its comma, and another without")
        known = set(self.problems)
        values = self._numbers(pa.array(parsed, pa.float64()), target)
        self.problems = further([*known], self.problems)
        return values

    def _doubtful(self, texts: Sequence[str]) -> Mask:
        """Whose comma, in a file of tabs, may group thousands; none where another cell has one that cannot."""
        import numpy as np

        alike = np.array([bool(_THOUSANDS.fullmatch(text)) for text in texts], bool)
        decimal = any("," in text and not doubt for text, doubt in zip(texts, alike, strict=True))
        return alike & (self._separator == "\t") & (not decimal)

    def _numbers(self, cells: Any, target: Any) -> Any:  # Any: Arrow's arrays and types
        import numpy as np
        import pyarrow as pa

        if pa.types.is_integer(cells.type):
            given = ~mask(cells.is_null())
        else:
            given = ~np.isnan(cells.to_numpy(zero_copy_only=False).astype(float))  # pandas writes a missing number so
        numbers = np.where(given, cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), 0.0)
        whole = pa.types.is_integer(target)
        most = np.iinfo(target.to_pandas_dtype()).max if whole else np.inf
        bad = given & (~np.isfinite(numbers) | (whole & ((numbers % 1 != 0) | (np.abs(numbers) > most))))
        self._flag(bad, lambda v: f"{v!r} is not {self._kind(target)}")
        self._empty(pa.array(numbers, mask=~given))
        return pa.array(np.where(bad, 0.0, numbers), mask=~given | bad).cast(target)

    def _kind(self, target: Any) -> str:  # Any: Arrow's types
        import pyarrow as pa

        return "a whole number" if pa.types.is_integer(target) else "a finite number"

    def _empty(self, values: Any) -> None:  # Any: Arrow's arrays
        if not self._column.null:
            self._flag(mask(values.is_null()), lambda _: "is empty")

    def _flag(self, wrong: Mask, say: Callable[[Any], str]) -> None:  # Any: a cell
        self.problems += flag(self._table, self._column.name, wrong, say)

    def _wrong_type(self, found: object) -> Any:  # Any: Arrow's arrays
        import pyarrow as pa

        what = f"is {found}, not {self._column.arrow}"
        if found == "text" and self._column.name.endswith("_s"):
            what += "; times as text are read from CSV alone, `mhmd manifest` converts them"
        self.problems.append(Problem(0, self._column.name, what))
        return pa.nulls(len(self._table), typed_as(self._column))

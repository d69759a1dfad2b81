"""The cells of a column into its type: text, numbers as people write them, times as seconds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mhmd.manifest.problems import Problem, flag, further, mask
from mhmd.records import Column

if TYPE_CHECKING:
    import pyarrow as pa

    from mhmd.manifest.problems import Mask

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CLOCK = re.compile(r"(?:(\d+):(?=[0-5]?\d:))?(\d+):([0-5]?\d(?:\.\d*)?)")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


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


class Typed:
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
        self.problems = [*further(known, self.problems)]
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
        finite = np.isfinite(numbers)
        bad = given & (~finite | (whole & ((np.where(finite, numbers, 0.0) % 1 != 0) | (np.abs(numbers) > most))))
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

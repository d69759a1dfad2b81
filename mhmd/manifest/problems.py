"""What is wrong with manifests: gathered from rows and from files, and told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, Self

from mhmd.errors import ManifestError
from mhmd.manifest.delimited import HEADER_ROW
from mhmd.manifest.headings import RESERVED

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

PROBLEMS_TOLD = 50
ROW = RESERVED
"""The column that `read_rows` adds: the number of each row."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a table; row 0 stands for the whole column."""

    row: int
    column: str
    what: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.what}" if self.row else f"column {self.column}: {self.what}"


@dataclass(frozen=True, slots=True)
class Checked:
    """A manifest that could be read: all its rows, with `ROW`; what is wrong with them; and what had to be guessed.

    Cells of a wrong type, and names that are not known, are null.
    """

    path: str
    table: pa.Table
    problems: tuple[Problem, ...] = ()
    note: str = ""

    def also(self, found: Iterable[Problem]) -> Self:
        """The same with further problems."""
        return replace(self, problems=further(self.problems, found))

    def whole(self) -> pa.Table:
        """The rows. Raises ManifestError when anything is wrong with them."""
        refuse({self.path: self.problems})
        return self.table


class Faults:
    """What is wrong with several manifests, by file, in the order in which they were asked."""

    def __init__(self) -> None:
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._unread: list[ManifestError] = []

    def __bool__(self) -> bool:
        return bool(self._unread or any(self._problems.values()))

    def ask(self, read: Callable[[], Checked]) -> Checked | None:
        """What is read; None when that cannot be."""
        try:
            checked = read()
        except ManifestError as error:
            self._unread.append(error)
            return None
        self.add({checked.path: checked.problems})
        return checked

    def add(self, found: Mapping[str, Iterable[Problem]]) -> None:
        """Take problems of files; of those in one cell the first."""
        for path, problems in found.items():
            self._problems[path] = further(self._problems.get(path, ()), problems)

    def refuse(self) -> None:
        """Raise ManifestError telling everything; do nothing when nothing is wrong."""
        if len(self._unread) == 1 and not any(self._problems.values()):
            raise self._unread[0]
        refuse(self._problems, [error.found for error in self._unread])


def refuse(problems: Mapping[str, Iterable[Problem]], others: Sequence[str] = ()) -> None:
    """Raise ManifestError telling `others`, then the first `PROBLEMS_TOLD` problems by file and row; if there are any.

    The rest is counted.
    """
    each, found, rest = [*others], [*others], 0
    for path, of_file in problems.items():
        every = set(of_file)
        some = nsmallest(max(0, PROBLEMS_TOLD - len(each)), every)
        each += [f"{path}: {problem}" for problem in some]
        found += [f"{path}: {'; '.join(map(str, some))}"] if some else []
        rest += len(every) - len(some)
    more = [f"and {rest} more"] if rest else []
    if each:
        raise ManifestError(
            "; ".join([*found, *more]),
            wanted="rows as manifests/README.md describes them",
            do="mend these rows",
            each=[*each, *more],
        )


def further(problems: Iterable[Problem], found: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems, and those that were found in cells, or columns, which have none among them."""
    problems = tuple(problems)
    told = {(problem.row, problem.column) for problem in problems}
    columns = {column for row, column in told if not row}
    return (*problems, *(each for each in found if (each.row, each.column) not in told and each.column not in columns))


def numbers_of(table: pa.Table) -> NDArray[np.int64]:
    """The rows' numbers: `ROW`, or counted where the table has none."""
    import numpy as np

    if ROW in table.column_names:
        numbers: NDArray[np.int64] = table[ROW].to_numpy()
        return numbers
    return np.arange(len(table)) + HEADER_ROW + 1


def flag(table: pa.Table, name: str, wrong: Mask, say: Callable[[Any], str]) -> list[Problem]:  # Any: a cell
    """A problem for every row where `wrong` is true, told by `say` of the row's cell in the column `name`."""
    places = wrong.nonzero()[0]
    if not len(places):
        return []
    cells, rows = table[name].take(places).to_pylist(), numbers_of(table)[places].tolist()
    said = {cell: say(cell) for cell in dict.fromkeys(cells)}
    return [Problem(row, name, said[cell]) for row, cell in zip(rows, cells, strict=True)]


def mask(values: Any) -> Mask:  # Any: Arrow's arrays have no types
    """A column of booleans as an array, null as false."""
    import pyarrow.compute as pc

    return pc.fill_null(values, False).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]  # Arrow

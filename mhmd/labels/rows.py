"""A film's rows of the labels manifest as arrays, and those that contradict each other wherever frames lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from mhmd.manifest.labelled import PLACE
from mhmd.manifest.problems import Problem, further, numbers_of
from mhmd.taxonomy import ATTRIBUTES, Taxonomy

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    Indices = NDArray[np.int64]
    Seconds = NDArray[np.float64]

UNKNOWN = -2
"""A name that is given, but wrong: it may be any."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a film goes: its end, s, how many shots it has, and where each starts and ends, s, as far as known."""

    duration_s: float
    shots: int
    bounds: tuple[tuple[float, float], ...] = ()


class Rows:
    """A film's rows of the labels manifest as arrays; what is not given is not a number, or -1.

    `problems` are those of the rows in themselves. Names that are wrong are `UNKNOWN`, so that nothing is concluded
    from them. Rows whose place is wrong have level -1 and take no part; `veil` says for each attribute up to
    which level they may give it somewhere, -1 = none does.
    """

    def __init__(self, entries: pa.Table, taxonomy: Taxonomy, problems: Iterable[Problem] = ()) -> None:
        import numpy as np

        def column(name: str) -> Seconds:
            values: Seconds = entries[name].to_numpy().astype(float)
            return values

        self.number = numbers_of(entries)
        self.start_s, self.end_s, self.shot = column("start_s"), column("end_s"), column("shot")
        self.confidence = column("confidence")
        self.frame_id = entries["frame_id"].combine_chunks()
        single = self.frame_id.is_valid().to_numpy(zero_copy_only=False)
        ranged = ~(np.isnan(self.start_s) & np.isnan(self.end_s) & np.isnan(self.shot))
        self.level = np.where(single, 2, np.where(ranged, 1, 0))
        self.names = np.stack([_coded(entries[each], taxonomy.names(each)) for each in ATTRIBUTES])
        self.veil = np.full(len(ATTRIBUTES), -1)
        self._doubt(problems)

    def _doubt(self, problems: Iterable[Problem]) -> None:
        """Take what is wrong for unknown."""
        wrong: dict[int, set[str]] = {}
        for problem in problems:
            wrong.setdefault(problem.row, set()).add(problem.column)
        for attribute in wrong.pop(0, set()).intersection(ATTRIBUTES):
            self.names[ATTRIBUTES.index(attribute)] = UNKNOWN
        for row in [at for at, number in enumerate(self.number.tolist()) if number in wrong] if wrong else []:
            columns = wrong[int(self.number[row])]
            for at in map(ATTRIBUTES.index, columns.intersection(ATTRIBUTES)):
                given = (
                    self.names[:, row] >= 0
                )  # a name that is there though it is wrong: no label has it and the others
                self.names[given if given[at] else at, row] = UNKNOWN
            if columns.intersection(PLACE):
                self.cover(row)
                self.level[row] = -1

    def cover(self, row: int) -> None:
        """Take the row for one that may hold anywhere in the film."""
        import numpy as np

        given = self.names[:, row] != -1
        self.veil[given] = np.maximum(self.veil[given], max(1, self.level[row]))


def contradicting(rows: Rows, extent: Extent | None, taxonomy: Taxonomy) -> list[Problem]:
    """Rows that hold for the same and differ, with a frame there or without, each beside one other.

    They are of films, or of ranges and shots that overlap; or they name the same shot, or the same frame. What else
    overlaps a shot whose place is not known is left out.
    """
    import numpy as np
    import pyarrow.compute as pc

    start, end = intervals(rows, extent)
    order = np.argsort(start, kind="stable")
    problems: list[Problem] = []
    for level, (attribute, names) in product((0, 1), enumerate(rows.names)):
        latest: dict[int, int] = {}  # by name, the row that reaches furthest
        for row in order[((rows.level == level) & (names >= 0) & (start < end))[order]].tolist():
            others = [other for name, other in latest.items() if name != names[row] and end[other] > start[row]]
            problems += [differs(rows, attribute, row, other, taxonomy) for other in others[:1]]
            furthest = latest.setdefault(int(names[row]), row)
            if end[furthest] < end[row]:
                latest[int(names[row])] = row
    whole_shot = (rows.level == 1) & ~np.isnan(rows.shot) & np.isnan(rows.start_s)
    frame = pc.fill_null(rows.frame_id.dictionary_encode().indices, -1).to_numpy()
    for attribute in range(len(ATTRIBUTES)):
        for key, there in ((rows.shot, whole_shot), (frame, rows.level == 2)):
            problems += _at_one_place(rows, attribute, key, there, taxonomy)
    return sorted(further((), problems))


def _at_one_place(
    rows: Rows, attribute: int, key: NDArray[Any], there: NDArray[np.bool_], taxonomy: Taxonomy
) -> Iterator[Problem]:
    """Of the rows that are `there`, those that differ from the first one of their key."""
    import numpy as np

    given = np.flatnonzero(there & (rows.names[attribute] >= 0))
    _, first, of = np.unique(key[given], return_index=True, return_inverse=True)
    above = given[first[of]]
    for at in np.flatnonzero(rows.names[attribute, given] != rows.names[attribute, above]):
        yield differs(rows, attribute, int(given[at]), int(above[at]), taxonomy)


def intervals(rows: Rows, extent: Extent | None) -> tuple[Seconds, Seconds]:
    """Where each row of a film, a range or a shot starts and ends, s; what is in no time, or not known, is empty."""
    import numpy as np

    start, end = np.where(rows.level == 0, -np.inf, rows.start_s), np.where(rows.level == 0, np.inf, rows.end_s)
    of_shot = ~np.isnan(rows.shot)
    bounds = np.array(extent.bounds if extent else (), float).reshape(-1, 2)
    known = of_shot & (rows.shot >= 0) & (rows.shot < len(bounds))
    lies = bounds[rows.shot[known].astype(int)]
    start[known], end[known] = np.fmax(start[known], lies[:, 0]), np.fmin(end[known], lies[:, 1])
    end[of_shot & ~known] = -np.inf
    return start, end


def differs(rows: Rows, attribute: int, one: int, other: int, taxonomy: Taxonomy) -> Problem:
    above, below = sorted((one, other), key=lambda row: int(rows.number[row]))
    known, names = taxonomy.names(ATTRIBUTES[attribute]), rows.names[attribute]
    said = f"{known[names[below]]!r} differs from {known[names[above]]!r} in row {rows.number[above]}"
    return Problem(int(rows.number[below]), ATTRIBUTES[attribute], f"{said}: both hold for the same frames")


def _coded(values: pa.ChunkedArray, names: tuple[str, ...]) -> Indices:
    """Index of each name, -1 for null."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    codes = pc.fill_null(pc.index_in(values, pa.array(names, pa.string())), -1)
    indices: Indices = codes.to_numpy().astype(np.int64)
    return indices
